//! The OpenAPI 3.1 document of a route table: paths, schemas and errors, with the comments of the contract.

mod comments;
mod parameters;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};

use crate::{
    refusal,
    route::{Access, Body, Operation, Table},
};
use comments::Comments;
use schema::Schemas;

/// The codes that any call can end with, and what they mean to a client.
const ERRORS: [(tonic::Code, &str); 9] = [
    (tonic::Code::InvalidArgument, "A field of the request is wrong; `BadRequest` names it."),
    (tonic::Code::Unauthenticated, "The token is missing, expired or not valid."),
    (tonic::Code::PermissionDenied, "The caller lacks the permission."),
    (tonic::Code::NotFound, "What the request names does not exist."),
    (tonic::Code::AlreadyExists, "It exists already, or changed meanwhile."),
    (tonic::Code::ResourceExhausted, "A limit is used up; `Retry-After` says when to come back."),
    (tonic::Code::Internal, "A fault of the server; `traceresponse` leads to its trace."),
    (tonic::Code::Unavailable, "A service does not answer at the moment."),
    (tonic::Code::DeadlineExceeded, "The deadline passed."),
];

/// The document.
pub(crate) fn document(table: &Table, descriptors: &DescriptorPool) -> Value {
    let comments = Comments::of(descriptors);
    let mut schemas = Schemas::new(&comments);
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut tags = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for operation in table.operations() {
        let service = operation.method.parent_service();
        tags.entry(service.full_name().to_owned())
            .or_insert_with(|| comments.of_element(&service.parent_file(), service.path()));
        let (path, parameters) = parameters::of(operation, &mut schemas);
        let mut entry = entry(operation, &comments, &mut schemas);
        let mut id = format!("{}_{}", service.name(), operation.method.name());
        while !ids.insert(id.clone()) {
            id.push('_');
        }
        entry.insert("operationId".to_owned(), id.into());
        if !parameters.is_empty() {
            entry.insert("parameters".to_owned(), parameters.into());
        }
        let http_method = operation.http_method_name().to_lowercase();
        let known = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
        let http_method =
            if known.contains(&http_method.as_str()) { http_method } else { "x-any".to_owned() };
        paths.entry(path).or_default().insert(http_method, Value::Object(entry));
    }
    let tags: Vec<Value> = tags
        .into_iter()
        .map(|(name, description)| json!({"name": name, "description": description}))
        .collect();
    let mut all = schemas.finish();
    all.insert("Error".to_owned(), error_schema());
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": "Plexus",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The services of the mesh over REST and JSON, as the bridge derives them from the contract.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This bridge"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": all,
            "responses": error_responses(),
            "securitySchemes": {"bearer": {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "The access token that a login gave.",
            }},
        },
    })
}

fn entry(operation: &Operation, comments: &Comments, schemas: &mut Schemas<'_>) -> Map<String, Value> {
    let method = &operation.method;
    let comment = comments.of_element(&method.parent_file(), method.path());
    let summary = comment.split_inclusive(". ").next().unwrap_or_default().replace('\n', " ");
    let public = operation.access == Access::Public;
    let mut entry = Map::new();
    entry.insert("tags".to_owned(), json!([method.parent_service().full_name()]));
    entry.insert("summary".to_owned(), summary.trim().trim_end_matches('.').into());
    entry.insert("description".to_owned(), description(operation, &comment).into());
    entry.insert("security".to_owned(), if public { json!([]) } else { json!([{"bearer": []}]) });
    entry.insert("x-grpc-method".to_owned(), operation.grpc_path.as_str().into());
    if let Access::Permission(permission) = &operation.access {
        entry.insert("x-permission".to_owned(), permission.as_str().into());
    }
    if method.method_descriptor_proto().options.as_ref().is_some_and(|options| options.deprecated()) {
        entry.insert("deprecated".to_owned(), true.into());
    }
    let body = match &operation.body {
        Body::None => None,
        Body::Whole => Some(schemas.message(&method.input())),
        Body::Field(field) => Some(schemas.field(field)),
    };
    if let Some(schema) = body {
        let body = json!({"required": true, "content": {"application/json": {"schema": schema}}});
        entry.insert("requestBody".to_owned(), body);
    }
    let mut responses = Map::new();
    responses.insert("200".to_owned(), success(operation, schemas));
    for (code, _) in ERRORS {
        let needs_token = [tonic::Code::Unauthenticated, tonic::Code::PermissionDenied].contains(&code);
        if !(public && needs_token) {
            let number = refusal::http_code(code);
            let reference = json!({"$ref": format!("#/components/responses/{}", number.as_str())});
            responses.insert(number.as_str().to_owned(), reference);
        }
    }
    entry.insert("responses".to_owned(), responses.into());
    entry
}

fn description(operation: &Operation, comment: &str) -> String {
    let access = match &operation.access {
        Access::Public => "Needs no token.".to_owned(),
        Access::Permission(permission) => format!("Needs the permission `{permission}`."),
        _ => "Needs a token.".to_owned(),
    };
    if comment.is_empty() { access } else { format!("{comment}\n\n{access}") }
}

fn success(operation: &Operation, schemas: &mut Schemas<'_>) -> Value {
    let schema = match &operation.response_body {
        Some(field) => schemas.field(field),
        None => schemas.message(&operation.method.output()),
    };
    let (kind, description, schema) = if operation.method.is_server_streaming() {
        let text = json!({
            "type": "string",
            "description": "Server-sent events: `id` counts from 1 and `data` is one message as JSON; at last \
                `event: end`, or `event: error` with an `Error`.",
            "x-event-data": schema,
        });
        ("text/event-stream", "A stream.", text)
    } else {
        ("application/json", "Done.", schema)
    };
    json!({
        "description": description,
        "headers": {"traceresponse": {
            "description": "The trace of this request (W3C trace context).", "schema": {"type": "string"},
        }},
        "content": {kind: {"schema": schema}},
    })
}

fn error_responses() -> Value {
    let responses: Map<String, Value> = ERRORS
        .iter()
        .map(|(code, description)| {
            let number: StatusCode = refusal::http_code(*code);
            let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
            (number.as_str().to_owned(), json!({"description": description, "content": content}))
        })
        .collect();
    responses.into()
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "An error (https://google.aip.dev/193).",
        "required": ["error"],
        "properties": {"error": {
            "type": "object",
            "required": ["code", "message", "status", "details"],
            "properties": {
                "code": {"type": "integer", "description": "The HTTP code."},
                "message": {"type": "string", "description": "What happened, for developers, in English."},
                "status": {"type": "string", "description": "The name of the google.rpc.Code, such as NOT_FOUND."},
                "details": {
                    "type": "array",
                    "description": "Messages of google.rpc; ErrorInfo.reason is what a program acts on.",
                    "items": {
                        "type": "object",
                        "required": ["@type"],
                        "properties": {"@type": {"type": "string"}},
                    },
                },
            },
        }},
    })
}
