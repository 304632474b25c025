//! The OpenAPI document, the documentation page, and health.

use plexus_bridge::{Backends, Bridge, Settings};
use prost_reflect::DescriptorPool;
use serde_json::{Value, json};

use crate::client::Running;

async fn document() -> Value {
    Running::start(|_| {}).await.get("/openapi.json").await.json()
}

#[tokio::test]
async fn the_document_has_every_route_with_its_comment_access_and_errors() {
    let document = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    let get = &document["paths"]["/v1/books/{name}"]["get"];
    assert_eq!(get["summary"], "Gets a book");
    assert_eq!(get["security"], json!([]), "public");
    assert_eq!(get["x-grpc-method"], "/library.v1.LibraryService/GetBook");
    assert!(get["responses"].get("401").is_none());
    assert_eq!(
        document["tags"][0],
        json!({"name": "library.v1.LibraryService", "description": "A library of books."})
    );

    let create = &document["paths"]["/v1/shelves/{parent}/books"]["post"];
    assert_eq!(create["security"], json!([{"bearer": []}]));
    assert_eq!(create["x-permission"], "library.books.write");
    assert_eq!(create["responses"]["401"], json!({"$ref": "#/components/responses/401"}));
    let schema = &create["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema, &json!({"$ref": "#/components/schemas/library.v1.Book"}));
    let names: Vec<_> = create["parameters"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["parent", "requestId"]);

    assert_eq!(document["paths"]["/v1/books/{book.name}"]["patch"]["deprecated"], true);
    assert!(
        document["paths"]["/v1/files/{name}"]["get"]["parameters"][0]["description"]
            .as_str()
            .unwrap()
            .contains("slashes")
    );
    let tags =
        &document["paths"]["/v1/books/{name}/tags"]["put"]["responses"]["200"]["content"]["application/json"];
    assert_eq!(tags["schema"], json!({"type": "array", "items": {"type": "string"}}), "the response body");
    let read = &document["paths"]["/v1/books/{name}:read"]["get"]["responses"]["200"]["content"];
    let event = &read["text/event-stream"]["schema"]["x-event-data"];
    assert_eq!(event, &json!({"$ref": "#/components/schemas/library.v1.Book"}));
    assert!(!document.to_string().contains("Reindex"), "only for services");
}

#[tokio::test]
async fn query_parameters_are_listed_nested_and_without_what_a_query_cannot_set() {
    let document = document().await;
    let parameters = document["paths"]["/v1/books"]["get"]["parameters"].as_array().unwrap().clone();
    let names: Vec<_> = parameters.iter().map(|one| one["name"].as_str().unwrap()).collect();
    for there in [
        "pageSize",
        "tags",
        "filter.binding",
        "filter.printedAfter",
        "filter.inner.binding",
        "readMask",
        "lent",
    ] {
        assert!(names.contains(&there), "{there} in {names:?}");
    }
    for absent in ["labels", "filters", "filter", "filters.binding"] {
        assert!(!names.contains(&absent), "{absent}");
    }
    assert_eq!(
        parameters[names.iter().position(|name| *name == "filter.binding").unwrap()]["description"],
        "Only books with this binding."
    );
}

#[tokio::test]
async fn schemas_have_the_shape_of_proto_json() {
    let document = document().await;
    let schemas = &document["components"]["schemas"];
    let book = &schemas["library.v1.Book"]["properties"];
    assert_eq!(schemas["library.v1.Book"]["description"], "A book.");
    assert_eq!(book["name"], json!({"type": "string", "description": "\"shelves/S/books/B\"."}));
    assert_eq!(book["copies"], json!({"type": "string", "format": "int64"}));
    assert_eq!(book["cover"], json!({"type": "string", "contentEncoding": "base64"}));
    assert_eq!(book["printTime"], json!({"type": "string", "format": "date-time"}));
    assert_eq!(book["subtitle"], json!({"type": ["string", "null"]}));
    assert_eq!(book["labels"], json!({"type": "object", "additionalProperties": {"type": "string"}}));
    assert_eq!(book["binding"], json!({"$ref": "#/components/schemas/library.v1.Book.Binding"}));
    assert_eq!(
        schemas["library.v1.Book.Binding"]["enum"],
        json!(["BINDING_UNSPECIFIED", "BINDING_SOFT", "BINDING_HARD"])
    );
    assert!(book["person"]["description"].as_str().unwrap().contains("At most one of person, institution"));
    let page = &schemas["library.v1.Book.Page"]["properties"]["notes"];
    assert_eq!(
        page["items"],
        json!({"$ref": "#/components/schemas/library.v1.Book.Page"}),
        "messages hold themselves"
    );
}

/// Every `$ref` in `value`.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_path_parameter_is_declared() {
    let document = document().await;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let declared = operation["parameters"].as_array().cloned().unwrap_or_default();
            let declared: Vec<_> = declared
                .iter()
                .filter(|one| one["in"] == "path")
                .map(|one| one["name"].as_str().unwrap().to_owned())
                .collect();
            let written: Vec<_> =
                path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect();
            assert_eq!(declared, written, "{path}");
        }
    }
}

#[tokio::test]
async fn the_real_contract_can_be_served_whole() {
    let pool = DescriptorPool::decode(plexus_proto::DESCRIPTORS).unwrap();
    let channel = plexus_client::Channel::builder("all").build();
    let services: Vec<_> = pool.services().map(|service| service.full_name().to_owned()).collect();
    let backends =
        services.iter().fold(Backends::new(), |backends, name| backends.with(name, channel.clone()));
    let bridge = Bridge::new(Settings::default(), backends, pool).unwrap();
    let paths: Vec<_> =
        bridge.operations().map(|one| format!("{} {}", one.http_method_name(), one.template)).collect();
    assert!(paths.contains(&"POST /v1/auth/login".to_owned()), "{paths:?}");
    assert!(bridge.operations().all(|one| one.method.name() != "WatchTrust"), "only for services");
}

#[tokio::test]
async fn the_page_is_whole_and_takes_nothing_from_elsewhere() {
    let bridge = Running::start(|_| {}).await;
    let page = bridge.get("/docs").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    for (path, kind) in
        [("/docs/page.css", "text/css; charset=utf-8"), ("/docs/page.js", "text/javascript; charset=utf-8")]
    {
        assert!(html.contains(&format!("\"{path}\"")), "{path}");
        let asset = bridge.get(path).await;
        assert_eq!((asset.status.as_u16(), asset.header("content-type")), (200, kind));
        let text = String::from_utf8(asset.body.to_vec()).unwrap();
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "{path} takes something from elsewhere"
        );
    }
    let root = bridge.get("/").await;
    assert_eq!((root.status.as_u16(), root.header("location")), (307, "/docs"));
    let health = bridge.get("/healthz").await;
    assert_eq!((health.status.as_u16(), &health.body[..]), (200, &b"ok\n"[..]));
}
