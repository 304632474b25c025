//! Requests to messages and messages to JSON: bodies, queries, paths, and every kind of field.

use bytes::Bytes;
use plexus_bridge::{
    route::Table,
    transcode::{Fault, Parts, encode, json_of, json_of_any},
};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

use crate::contract::{library, operation};

/// The request message that a request becomes, as ProtoJSON without defaults.
fn request(method: &str, target: &str, body: &str) -> Result<Value, Fault> {
    let table = Table::build(&library(), |_| true, &[]).unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (operation, values) = operation(&table, method, path);
    let wire = encode(&operation, Parts { path: &values, query, body: body.as_bytes() })?;
    let message = DynamicMessage::decode(operation.method.input(), wire).unwrap();
    Ok(serde_json::to_value(message).unwrap())
}

fn fault(method: &str, target: &str, body: &str) -> Fault {
    request(method, target, body).expect_err(target)
}

#[test]
fn the_whole_body_becomes_the_message_in_every_kind_of_field() {
    let book = json!({
        "name": "n", "lent": true, "pageCount": -5, "copies": "9007199254740993", "weightGrams": 4294967295u32,
        "isbn": "18446744073709551615", "rating": 1.5, "price": "Infinity", "cover": "AQI=", "binding": "BINDING_HARD",
        "tags": ["a", "b"], "labels": {"k": "v"}, "pages": {"-7": {"text": "t", "notes": [{"text": "n"}]}},
        "preface": {"text": "p"}, "printTime": "2026-01-31T09:30:00.500Z", "readingTime": "1.500s",
        "mask": "displayName,user.roles", "subtitle": "", "edition": "0", "extra": {"a": [1.0, null, {"b": true}]},
        "anything": null, "attachment": {"@type": "type.googleapis.com/library.v1.GetBookRequest", "name": "x"},
        "institution": "0", "shelf": 0
    });
    assert_eq!(request("POST", "/v1/books:sort", &book.to_string()).unwrap(), book);
}

#[test]
fn names_of_the_contract_and_numbers_of_enums_are_taken_too() {
    let body = r#"{"page_count": 3, "binding": 2, "copies": 4, "lent": null}"#;
    let expected = json!({"pageCount": 3, "binding": "BINDING_HARD", "copies": "4"});
    assert_eq!(request("POST", "/v1/books:sort", body).unwrap(), expected);
    assert_eq!(request("POST", "/v1/books:sort", "").unwrap(), json!({}), "no body is an empty message");
}

#[test]
fn a_body_that_is_wrong_is_refused_with_its_field_line_and_column() {
    let wrong = |body: &str| fault("POST", "/v1/books:sort", body);
    let unknown = wrong("{\n  \"lent\": true,\n  \"colour\": 1}");
    assert_eq!((unknown.field.as_str(), unknown.at), ("colour", Some((3, 10))), "{unknown}");
    assert_eq!(unknown.description, "is unknown");
    for (body, field, at) in [
        (r#"{"pageCount": "x"}"#, "pageCount", (1, 17)),
        (r#"{"pageCount": 1.5}"#, "pageCount", (1, 17)),
        (r#"{"pageCount": 2147483648}"#, "pageCount", (1, 24)),
        (r#"{"preface": {"notes": [{}, {"text": 1}]}}"#, "preface.notes[1].text", (1, 37)),
        (r#"{"pages": {"1": {"colour": 1}}}"#, "pages.1.colour", (1, 25)),
        (r#"{"lent": true"#, "(body)", (1, 13)),
        (r#"{"lent": true} {}"#, "(body)", (1, 16)),
        ("[]", "(body)", (1, 0)),
    ] {
        let fault = wrong(body);
        assert_eq!((fault.field.as_str(), fault.at), (field, Some(at)), "{body}: {fault}");
        assert!(!fault.description.contains(" at line "), "{fault}");
    }
    wrong(&format!("{{\"preface\":{}", r#"{"notes":["#.repeat(100_000)));
    wrong("\u{feff}{}");
}

#[test]
fn both_members_of_a_oneof_are_refused() {
    fault("POST", "/v1/books:sort", r#"{"person": "p", "institution": "1"}"#);
}

#[test]
fn a_body_field_takes_the_body_and_the_query_the_rest() {
    let value = request("PATCH", "/v1/books/b1?updateMask=lent,pageCount", r#"{"lent": true}"#).unwrap();
    assert_eq!(value, json!({"book": {"name": "b1", "lent": true}, "updateMask": "lent,pageCount"}));
    let value = request("POST", "/v1/shelves/s/books?request_id=r", r#"{"tags": ["x"]}"#).unwrap();
    assert_eq!(value, json!({"parent": "shelves/s", "book": {"tags": ["x"]}, "requestId": "r"}));
    let value = request("PUT", "/v1/books/b/tags", r#"["x", "y"]"#).unwrap();
    assert_eq!(value, json!({"name": "b", "tags": ["x", "y"]}));
    assert_eq!(fault("PUT", "/v1/books/b/tags", r#"["x", 1]"#).field, "tags[1]");
    assert_eq!(fault("PUT", "/v1/books/b/tags", r#"["x"], "name": "evil""#).field, "tags");
    assert_eq!(fault("PATCH", "/v1/books/b", r#"{"preface": {"x": 1}}"#).field, "book.preface.x");
    assert_eq!(fault("PATCH", "/v1/books/b", "[]").field, "book");
}

#[test]
fn the_path_wins_over_the_body() {
    let value = request("PATCH", "/v1/books/path", r#"{"name": "body"}"#).unwrap();
    assert_eq!(value, json!({"book": {"name": "path"}}));
}

#[test]
fn what_the_path_or_the_body_sets_cannot_be_in_the_query() {
    for (method, target, field, part) in [
        ("PATCH", "/v1/books/b?book.name=x", "book.name", "path"),
        ("PATCH", "/v1/books/b?book.lent=true", "book.lent", "body"),
        ("GET", "/v1/books/b?name=x", "name", "path"),
        ("POST", "/v1/books:sort?lent=true", "lent", "body"),
    ] {
        let fault = fault(method, target, "");
        assert_eq!(fault.field, field);
        assert!(fault.description.contains(part), "{fault}");
    }
}

#[test]
fn the_query_sets_every_kind_of_field_that_has_a_textual_form() {
    let target = "/v1/books?page_size=5&tags=a&tags=b%26c+d&bindings=BINDING_SOFT&bindings=2\
        &filter.binding=BINDING_HARD&filter.inner.inner.printedAfter=2026-01-31T09:30:00%2B01:00\
        &maxReadingTime=1.5s&readMask=displayName,user.roles&lent=false&edition=7&cover=-_8&minPrice=-1e3\
        &isbn=18446744073709551615&times=2026-01-01T00:00:00Z&person=&rating=NaN&sorted=true&";
    let expected = json!({
        "pageSize": 5, "tags": ["a", "b&c d"], "bindings": ["BINDING_SOFT", "BINDING_HARD"],
        "filter": {"binding": "BINDING_HARD", "inner": {"inner": {"printedAfter": "2026-01-31T08:30:00Z"}}},
        "maxReadingTime": "1.500s", "readMask": "displayName,user.roles", "lent": false, "edition": "7",
        "cover": "+/8=", "minPrice": -1000.0, "isbn": "18446744073709551615", "times": ["2026-01-01T00:00:00Z"],
        "person": "", "rating": "NaN", "sorted": true
    });
    assert_eq!(request("GET", target, "").unwrap(), expected);
}

#[test]
fn a_query_parameter_that_is_unknown_or_wrong_is_refused_by_name() {
    for (query, field, description) in [
        ("colour=red", "colour", "is unknown: library.v1.FindBooksRequest has no such field"),
        (
            "filter.colour=red",
            "filter.colour",
            "is unknown: library.v1.FindBooksRequest.Filter has no such field",
        ),
        ("%63olour=red", "colour", "is unknown"),
        ("page_size=x", "page_size", "must be an integer"),
        ("page_size=", "page_size", "must be an integer"),
        ("page_size=2147483648", "page_size", "is out of range"),
        ("isbn=-1", "isbn", "must be an integer"),
        ("sorted=1", "sorted", "must be true or false"),
        ("sorted", "sorted", "must be true or false"),
        ("minPrice=inf", "minPrice", "is out of range"),
        ("rating=1e39", "rating", "is out of the range of a float"),
        ("cover=***", "cover", "must be base64"),
        ("bindings=HARD", "bindings", "must be one of BINDING_UNSPECIFIED, BINDING_SOFT, BINDING_HARD"),
        ("filter.printedAfter=today", "filter.printedAfter", "must be a time such as"),
        ("maxReadingTime=5", "maxReadingTime", "must be seconds such as 1.5s"),
        ("filter=x", "filter", "is a message"),
        ("tags.x=1", "tags.x", "tags has no fields"),
        ("pageSize.x=1", "pageSize.x", "pageSize has no fields"),
        ("labels=x", "labels", "is a map"),
        ("labels[a]=x", "labels[a]", "is unknown"),
        ("filters.binding=1", "filters.binding", "filters has no fields"),
        ("filters=1", "filters", "is a list of messages"),
        ("pageSize=1&page_size=2", "page_size", "is given more than once"),
        ("person=p&institution=1", "institution", "excludes person"),
        ("tags=%zz", "tags", "holds a %"),
        ("=x", "", "is unknown"),
    ] {
        let fault = fault("GET", &format!("/v1/books?{query}"), "");
        assert_eq!(fault.field, field);
        assert!(fault.description.contains(description), "{query}: {fault}");
    }
}

#[test]
fn a_body_where_none_belongs_is_refused() {
    assert!(fault("GET", "/v1/books", "{}").description.contains("takes no body"));
}

/// The JSON of an answer of the operation, made of `book`.
fn answer(method: &str, path: &str, message: &Value) -> Value {
    let table = Table::build(&library(), |_| true, &[]).unwrap();
    let (operation, _) = operation(&table, method, path);
    let message = DynamicMessage::deserialize(operation.method.output(), message).unwrap();
    serde_json::from_slice(&json_of(&operation, message.encode_to_vec().into()).unwrap()).unwrap()
}

#[test]
fn an_answer_shows_defaults_but_not_messages_that_are_not_set() {
    let book = answer("GET", "/v1/books/b", &json!({"copies": "9007199254740993", "preface": {}}));
    assert_eq!(book["copies"], "9007199254740993", "a number would lose its last digit in JavaScript");
    assert_eq!(book["lent"], false);
    assert_eq!(book["pageCount"], 0);
    assert_eq!(book["isbn"], "0");
    assert_eq!(book["name"], "");
    assert_eq!(book["binding"], "BINDING_UNSPECIFIED");
    assert_eq!(book["tags"], json!([]));
    assert_eq!(book["labels"], json!({}));
    assert_eq!(book["preface"], json!({"text": "", "notes": []}));
    for unset in ["printTime", "subtitle", "attachment", "person", "institution", "shelf"] {
        assert!(book.get(unset).is_none(), "{unset}: {book}");
    }
}

#[test]
fn the_response_body_is_the_field_that_the_rule_names() {
    assert_eq!(answer("PUT", "/v1/books/b/tags", &json!({"name": "b", "tags": ["x"]})), json!(["x"]));
    assert_eq!(answer("PUT", "/v1/books/b/tags", &json!({})), json!([]));
}

#[test]
fn an_answer_that_breaks_the_contract_is_an_error() {
    let table = Table::build(&library(), |_| true, &[]).unwrap();
    let (operation, _) = operation(&table, "GET", "/v1/books/b");
    json_of(&operation, Bytes::from_static(&[0x0a, 0x05, 0x01])).expect_err("truncated");
}

#[test]
fn a_detail_of_an_unknown_type_is_kept_as_bytes() {
    let pool = library();
    let url = "type.googleapis.com/someone.else.Detail";
    assert_eq!(json_of_any(&pool, url, b"\x01\x02"), json!({"@type": url, "value": "AQI="}));
    let url = "type.googleapis.com/google.rpc.ErrorInfo";
    assert_eq!(json_of_any(&pool, url, b"\x0a\xff"), json!({"@type": url, "value": "Cv8="}), "broken bytes");
    assert_eq!(json_of_any(&pool, url, b"\x0a\x01R"), json!({"@type": url, "reason": "R"}));
    let url = "type.googleapis.com/google.protobuf.Duration";
    assert_eq!(json_of_any(&pool, url, b"\x08\x02"), json!({"@type": url, "value": "2s"}));
}
