//! The contract as a whole: every RPC is reached by a test and says whether it may run twice, writes take a
//! `request_id`, lists come in pages.

#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use prost_reflect::{DescriptorPool, MethodDescriptor, prost_types::method_options::IdempotencyLevel};

fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(plexus_proto::DESCRIPTORS).unwrap();
    let services = pool.services().filter(|service| service.package_name().starts_with("plexus."));
    services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// Whether the method is bound to HTTP's GET.
fn is_get(method: &MethodDescriptor) -> bool {
    let http = method.parent_pool().get_extension_by_name("google.api.http").unwrap();
    let options = method.options();
    options.has_extension(&http)
        && options.get_extension(&http).as_message().unwrap().has_field_by_name("get")
}

/// What the contract says of running the method twice.
fn level(method: &MethodDescriptor) -> IdempotencyLevel {
    let options = method.method_descriptor_proto().options.as_ref();
    options.map_or(IdempotencyLevel::IdempotencyUnknown, |options| options.idempotency_level())
}

/// The text of all `.rs` files below `folder`.
fn text_below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            text += &text_below(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path).unwrap();
        }
    }
    text
}

/// The name of the generated client's function: `GetJwks` is `get_jwks`.
fn function_name(method: &str) -> String {
    let mut name = String::new();
    for (position, character) in method.char_indices() {
        if character.is_uppercase() && position > 0 {
            name.push('_');
        }
        name.extend(character.to_lowercase());
    }
    name
}

/// Prints the listing with `cargo test --test contract -- --nocapture`.
#[test]
fn every_rpc_of_the_contract_is_called_by_a_black_box_test_of_its_service() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests: BTreeMap<String, String> = BTreeMap::new();
    let mut unreached = Vec::new();
    for method in methods() {
        let package = method.parent_service().package_name().to_owned();
        let service = package.split('.').nth(1).unwrap().to_owned();
        let folder = root.join("services").join(&service).join("tests");
        let text = tests.entry(service.clone()).or_insert_with(|| text_below(&folder));
        let call = format!(".{}(", function_name(method.name()));
        let reached = text.matches(&call).count();
        println!("{:<70} {reached} calls in services/{service}/tests", method.full_name());
        if reached == 0 {
            unreached.push(method.full_name().to_owned());
        }
    }
    assert!(unreached.is_empty(), "no test calls {unreached:#?}");
}

#[test]
fn every_write_takes_a_request_id_or_says_why_it_need_not() {
    // Logging in and out and issuing tokens is repeated by doing it again; checks and renders change nothing;
    // an event has its message_id, which plays the same part.
    let exempt = [
        "Login",
        "Refresh",
        "Logout",
        "LoginWithApiKey",
        "IssueServiceToken",
        "Check",
        "RenderCard",
        "TrackEvent",
        "TrackEvents",
        "ImportEvents",
        "RecordEvents",
    ];
    for method in methods() {
        let reads = is_get(&method)
            || ["Get", "List", "Search", "Watch", "WhoAmI"]
                .iter()
                .any(|verb| method.name().starts_with(verb));
        if reads || exempt.contains(&method.name()) {
            continue;
        }
        let id = method.input().get_field_by_name("request_id");
        assert_eq!(id.map(|field| field.number()), Some(1), "{} has no request_id = 1", method.full_name());
    }
}

#[test]
fn lists_come_in_pages() {
    for method in methods().into_iter().filter(|method| method.name().starts_with("List")) {
        for field in ["page_size", "page_token"] {
            let there = method.input().get_field_by_name(field).is_some();
            assert!(there, "{} has no {field}", method.full_name());
        }
        let next = method.output().get_field_by_name("next_page_token").is_some();
        assert!(next, "{} has no next_page_token", method.full_name());
    }
}

#[test]
fn reads_say_that_they_have_no_side_effects() {
    for method in methods() {
        let verbs = ["Get", "List", "Search", "Watch"];
        if is_get(&method) || verbs.iter().any(|verb| method.name().starts_with(verb)) {
            assert_eq!(level(&method), IdempotencyLevel::NoSideEffects, "{}", method.full_name());
        }
    }
}

#[test]
fn what_may_run_twice_is_told_by_its_request_id_or_says_why_it_may() {
    let reasons = BTreeMap::from([
        ("Logout", "a session that is over stays over"),
        ("LoginWithApiKey", "signs a token and keeps nothing of it"),
        ("IssueServiceToken", "signs a token and keeps nothing of it"),
        ("TrackEvent", "message_id tells an event from its repetition"),
        ("TrackEvents", "message_id tells an event from its repetition"),
        ("ImportEvents", "message_id tells an event from its repetition"),
        ("RecordEvents", "message_id tells an event from its repetition"),
    ]);
    let mut given = BTreeSet::new();
    for method in methods().into_iter().filter(|method| level(method) == IdempotencyLevel::Idempotent) {
        given.extend(reasons.get_key_value(method.name()));
        let has_id = method.input().get_field_by_name("request_id").is_some();
        assert!(has_id || reasons.contains_key(method.name()), "{}", method.full_name());
    }
    assert_eq!(given.len(), reasons.len(), "a reason is given for a method that needs none");
}

#[test]
fn what_must_not_run_twice_is_not_sent_twice() {
    // A password is checked and a session begun; a refresh token works once, and its second use ends the session;
    // what a model makes is paid for each time, since an answer is kept only once it is whole.
    let once = [
        "plexus.ai.v1.AudioService.Transcribe",
        "plexus.ai.v1.ChatService.Chat",
        "plexus.ai.v1.ChatService.StreamChat",
        "plexus.ai.v1.ComponentService.GenerateComponent",
        "plexus.ai.v1.LanguageService.AnalyzeSentiment",
        "plexus.ai.v1.LanguageService.SuggestReplies",
        "plexus.auth.v1.SessionService.Login",
        "plexus.auth.v1.SessionService.Refresh",
    ];
    let unknown =
        methods().into_iter().filter(|method| level(method) == IdempotencyLevel::IdempotencyUnknown);
    let mut unknown: Vec<String> = unknown.map(|method| method.full_name().to_owned()).collect();
    unknown.sort();
    assert_eq!(unknown, once);
}
