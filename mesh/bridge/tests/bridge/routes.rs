//! The route table: precedence, captures, verbs, methods, conflicts.

use http::Method;
use plexus_bridge::route::{Access, Body, Found, Table, Template};
use proptest::prelude::*;

use crate::contract::{self, operation, routes};

fn leads_to(table: &Table, method: &str, path: &str) -> (String, Vec<String>) {
    let (operation, values) = operation(table, method, path);
    (operation.template.to_string(), values)
}

#[test]
fn a_literal_goes_before_a_variable_and_a_variable_before_the_rest() {
    let table = routes(&[
        r#"get: "/v1/{a=**}""#,
        r#"get: "/v1/{a}""#,
        r#"get: "/v1/me""#,
        r#"get: "/v1/{a}/x/{b=**}""#,
        r#"get: "/v1/me/x""#,
    ])
    .unwrap();
    for (path, template, values) in [
        ("/v1/me", "/v1/me", vec![]),
        ("/v1/you", "/v1/{a}", vec!["you"]),
        ("/v1/you/y", "/v1/{a=**}", vec!["you/y"]),
        ("/v1", "/v1/{a=**}", vec![""]),
        ("/v1/me/x", "/v1/me/x", vec![]),
        ("/v1/me/x/1/2", "/v1/{a}/x/{b=**}", vec!["me", "1/2"]),
        ("/v1/me/y", "/v1/{a=**}", vec!["me/y"]),
    ] {
        let (found, found_values) = leads_to(&table, "GET", path);
        assert_eq!(
            (found.as_str(), found_values),
            (template, values.iter().map(|v| (*v).to_owned()).collect())
        );
    }
}

#[test]
fn siblings_that_differ_late_do_not_hide_each_other() {
    let table = routes(&[
        r#"get: "/v1/{a}/left/{b}""#,
        r#"get: "/v1/known/right/{b}""#,
        r#"get: "/v1/{m.a=known/*}/end""#,
    ])
    .unwrap();
    assert_eq!(leads_to(&table, "GET", "/v1/known/left/1").0, "/v1/{a}/left/{b}");
    assert_eq!(leads_to(&table, "GET", "/v1/known/right/1").0, "/v1/known/right/{b}");
    assert_eq!(leads_to(&table, "GET", "/v1/known/left/end").0, "/v1/{m.a=known/*}/end");
    let (template, values) = leads_to(&table, "GET", "/v1/known/other/end");
    assert_eq!((template.as_str(), values), ("/v1/{m.a=known/*}/end", vec!["known/other".to_owned()]));
}

#[test]
fn a_verb_is_split_off_only_where_a_route_has_it() {
    let table = routes(&[
        r#"get: "/v1/{a}""#,
        r#"post: "/v1/{a}:stop" body: "*""#,
        r#"get: "/v1/{a}:show""#,
        r#"post: "/v1/files/{b=**}:lock" body: "*""#,
    ])
    .unwrap();
    for (method, path, template, value) in [
        ("POST", "/v1/x:stop", "/v1/{a}:stop", "x"),
        ("POST", "/v1/x:y:stop", "/v1/{a}:stop", "x:y"),
        ("POST", "/v1/x%3Ay:stop", "/v1/{a}:stop", "x:y"),
        ("GET", "/v1/x:show", "/v1/{a}:show", "x"),
        ("GET", "/v1/x%3Ashow", "/v1/{a}", "x:show"),
        ("GET", "/v1/x:other", "/v1/{a}", "x:other"),
        ("GET", "/v1/:show", "/v1/{a}", ":show"),
        ("POST", "/v1/files/a/b:lock", "/v1/files/{b=**}:lock", "a/b"),
    ] {
        let (found, values) = leads_to(&table, method, path);
        assert_eq!((found.as_str(), values), (template, vec![value.to_owned()]), "{method} {path}");
    }
}

#[test]
fn the_most_specific_template_that_takes_the_method_wins() {
    let table = routes(&[
        r#"get: "/v1/{a}""#,
        r#"post: "/v1/search" body: "*""#,
        r#"custom { kind: "*" path: "/v1/any" }"#,
        r#"custom { kind: "PURGE" path: "/v1/any" }"#,
    ])
    .unwrap();
    assert_eq!(leads_to(&table, "GET", "/v1/search").0, "/v1/{a}");
    assert_eq!(leads_to(&table, "HEAD", "/v1/search").0, "/v1/{a}");
    assert_eq!(leads_to(&table, "POST", "/v1/search").0, "/v1/search");
    assert_eq!(operation(&table, "PURGE", "/v1/any").0.method.name(), "M3");
    assert_eq!(operation(&table, "DELETE", "/v1/any").0.method.name(), "M2");
}

#[test]
fn a_path_with_other_methods_names_them_and_an_unknown_path_is_missing() {
    let table =
        routes(&[r#"get: "/v1/{a}""#, r#"post: "/v1/search" body: "*""#, r#"put: "/v1/{a}/b" body: "*""#])
            .unwrap();
    let allowed = |path| match table.find(&Method::DELETE, path) {
        Found::WrongMethod(allowed) => allowed,
        other => panic!("{path} leads to {other:?}"),
    };
    assert_eq!(allowed("/v1/x"), "GET, HEAD, OPTIONS");
    assert_eq!(allowed("/v1/search"), "GET, HEAD, OPTIONS, POST");
    assert_eq!(allowed("/v1/x/b"), "OPTIONS, PUT");
    let long = format!("/v1{}", "/x".repeat(100));
    for path in ["", "*", "/", "/v1", "/v1/", "/v1//b", "/v1/x/", "/v1/x/c", "/v2/x", "//v1/x", long.as_str()]
    {
        assert!(matches!(table.find(&Method::GET, path), Found::Missing), "{path}");
    }
    assert!(matches!(table.find(&Method::GET, "/v1/%zz"), Found::Malformed));
    assert!(matches!(table.find(&Method::GET, "/v1/%ff"), Found::Malformed));
}

#[test]
fn literals_match_however_they_are_encoded() {
    let table = routes(&[r#"get: "/v1/a%20b/{a}""#]).unwrap();
    assert_eq!(leads_to(&table, "GET", "/v1/%61%20b/x").1, ["x"]);
}

#[test]
fn two_methods_with_the_same_requests_are_refused_at_the_start() {
    for rules in [
        [r#"get: "/v1/{a}""#, r#"get: "/v1/{b}""#],
        [r#"get: "/v1/{a=x/*}""#, r#"get: "/v1/x/{b}""#],
        [r#"get: "/v1/{a}:v""#, r#"get: "/v1/*:v""#],
        [r#"post: "/v1/x" body: "*""#, r#"get: "/v1/y" additional_bindings { post: "/v1/x" body: "*" }"#],
    ] {
        let error = routes(&rules).expect_err("a conflict").to_string();
        assert!(error.contains("small.v1.S.M0 and small.v1.S.M1 both claim"), "{error}");
    }
    routes(&[r#"get: "/v1/{a}""#, r#"get: "/v1/{b}:v""#, r#"post: "/v1/{b}" body: "*""#]).unwrap();
}

#[test]
fn a_rule_that_the_messages_cannot_follow_is_refused_at_the_start() {
    for (rule, problem) in [
        (r#"get: "v1""#, "path template \"v1\" is wrong at character 1"),
        (r#"get: "/v1/{x}""#, "\"x\" is not a field of small.v1.M"),
        (r#"get: "/v1/{a.b}""#, "\"a.b\" is not a field"),
        (r#"get: "/v1/{list}""#, "\"list\" is a list"),
        (r#"get: "/v1/{m}""#, "\"m\" is a list, a map or a message"),
        (r#"post: "/v1/x" body: "x""#, "\"x\" is not a field"),
        (r#"get: "/v1/x" response_body: "x""#, "\"x\" is not a field"),
        (r#"get: "/v1/x" body: "*""#, "a GET rule has no body"),
        (r#"body: "*""#, "names no HTTP method"),
        (r#"custom { kind: "A B" path: "/v1/x" }"#, "\"A B\" is not an HTTP method"),
        (r#"get: "/docs""#, "the bridge itself serves /docs"),
        (
            r#"get: "/v1/x" additional_bindings { get: "/v1/y" additional_bindings { get: "/v1/z" } }"#,
            "do not nest",
        ),
    ] {
        let error = routes(&[rule]).expect_err(rule);
        let source = std::error::Error::source(&error).expect("says why").to_string();
        assert!(error.to_string().contains("small.v1.S.M0"), "{error}");
        assert!(source.contains(problem), "{source}");
    }
    let pool = contract::small(
        r#"message M {} service S { rpc Up(stream M) returns (M) { option (google.api.http) = { get: "/v1/x" }; } }"#,
    );
    Table::build(&pool, |_| true, &[]).expect_err("a client stream");
}

#[test]
fn the_table_of_a_contract_knows_bodies_and_access_and_hides_what_is_for_services() {
    let pool = contract::library();
    let table = Table::build(&pool, |_| true, &[]).unwrap();
    assert_eq!(table.operations().len(), 9, "eight methods with a route, one of them with two");
    assert!(table.operations().iter().all(|one| one.method.name() != "Reindex"));
    assert!(matches!(table.find(&Method::POST, "/v1/books:reindex"), Found::Missing));
    let (create, values) = operation(&table, "POST", "/v1/shelves/1/books");
    assert_eq!(values, ["shelves/1"]);
    assert!(matches!(&create.body, Body::Field(field) if field.name() == "book"));
    assert_eq!(create.access, Access::Permission("library.books.write".to_owned()));
    assert_eq!(create.grpc_path.as_str(), "/library.v1.LibraryService/CreateBook");
    let none = Table::build(&pool, |service| service.full_name() == "other.S", &[]).unwrap();
    assert!(none.operations().is_empty());
}

/// A template, a path that it matches, and what its variables capture there.
#[derive(Debug, Clone)]
struct Generated {
    template: String,
    path: String,
    values: Vec<String>,
}

fn generated() -> impl Strategy<Value = Generated> {
    let piece = prop_oneof![
        "[a-z]{1,3}".prop_map(|text| (text.clone(), text, None)),
        any_segment().prop_map(|(raw, _)| ("*".to_owned(), raw, None)),
        (field(), any_segment()).prop_map(|(field, (raw, value))| (format!("{{{field}}}"), raw, Some(value))),
        (field(), "[a-z]{1,3}", any_segment()).prop_map(|(field, literal, (raw, value))| {
            // What takes several segments keeps escaped slashes as they are.
            let value = value.replace('/', "%2F");
            (
                format!("{{{field}={literal}/*}}"),
                format!("{literal}/{raw}"),
                Some(format!("{literal}/{value}")),
            )
        }),
    ];
    (proptest::collection::vec(piece, 1..6), proptest::option::of("[a-z]{1,5}")).prop_map(|(pieces, verb)| {
        let mut seen = std::collections::HashSet::new();
        let pieces: Vec<_> = pieces
            .into_iter()
            .filter(|(template, _, value)| {
                value.is_none()
                    || seen.insert(template.trim_matches(['{', '}']).split('=').next().map(str::to_owned))
            })
            .collect();
        let join = |part: fn(&(String, String, Option<String>)) -> String| -> String {
            std::iter::once("/v1".to_owned()).chain(pieces.iter().map(part)).collect::<Vec<_>>().join("/")
        };
        let verb = verb.map(|verb| format!(":{verb}")).unwrap_or_default();
        Generated {
            template: join(|piece| piece.0.clone()) + &verb,
            path: join(|piece| piece.1.clone()) + &verb,
            values: pieces.iter().filter_map(|piece| piece.2.clone()).collect(),
        }
    })
}

fn field() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("b"), Just("m.a"), Just("m.m.b")]
}

/// A segment as a client writes it, and its decoded value.
fn any_segment() -> impl Strategy<Value = (String, String)> {
    proptest::collection::vec(any::<char>(), 1..5).prop_map(|characters| {
        let value: String = characters.into_iter().collect();
        let raw = value
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        (raw, value)
    })
}

proptest! {
    #[test]
    fn a_printed_template_parses_to_itself(generated in generated()) {
        let template = Template::parse(&generated.template).unwrap();
        prop_assert_eq!(template.to_string(), generated.template);
    }

    #[test]
    fn no_text_makes_the_parser_fail_otherwise_than_by_an_error(text in "[/a{}*=.:%]{0,12}") {
        if let Ok(template) = Template::parse(&text) {
            prop_assert_eq!(Template::parse(&template.to_string()), Ok(template));
        }
    }
}

proptest! {
    // Each case compiles a contract.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_path_made_from_a_template_leads_back_to_it_with_the_same_values(generated in generated()) {
        let rule = format!("get: \"{}\"", generated.template);
        let table = routes(&[rule.as_str(), r#"get: "/v1""#, r#"post: "/{a=**}" body: "*""#]).unwrap();
        let (template, values) = leads_to(&table, "GET", &generated.path);
        prop_assert_eq!(template, generated.template);
        prop_assert_eq!(values, generated.values);
    }
}
