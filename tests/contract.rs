//! The contract as a whole: every RPC is reached by a test, writes take a `request_id`, lists come in pages.

#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

use std::{collections::BTreeMap, fs, path::Path};

use prost_reflect::{DescriptorPool, MethodDescriptor};

fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(plexus_proto::DESCRIPTORS).unwrap();
    let services = pool.services().filter(|service| service.package_name().starts_with("plexus."));
    services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
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
        let pool = method.parent_pool().clone();
        let http = pool.get_extension_by_name("google.api.http").unwrap();
        let options = method.options();
        let is_get = options.has_extension(&http)
            && options.get_extension(&http).as_message().unwrap().has_field_by_name("get");
        let reads = is_get
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
