//! What the contract says about a method beside its types: its HTTP rules, and who may call it.

use http::Method;
use prost_reflect::{DynamicMessage, MethodDescriptor, ReflectMessage as _, Value};

use super::{Access, TemplateError};

/// One `google.api.http` rule, read but not yet checked against the messages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// `None` for the custom kind `*`: any method.
    pub(super) http_method: Option<Method>,
    pub(super) path: String,
    pub(super) body: String,
    pub(super) response_body: String,
}

/// A rule that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The path template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The rule has no pattern.
    #[error("a rule names no HTTP method and path")]
    NoPattern,
    /// The custom kind is no HTTP method.
    #[error("{0:?} is not an HTTP method")]
    Method(String),
    /// Additional bindings have additional bindings.
    #[error("additional_bindings do not nest")]
    Nested,
    /// A GET, HEAD or DELETE rule has a body.
    #[error("a {0} rule has no body")]
    BodyNotAllowed(Method),
    /// A variable, the body or the response body names no field.
    #[error("{0:?} is not a field of {1}")]
    NoSuchField(String, String),
    /// A variable is bound to a field that no path can fill.
    #[error("{0:?} is a list, a map or a message: a path cannot fill it")]
    NotScalar(String),
    /// Clients cannot stream over REST.
    #[error("a method whose client streams cannot have an HTTP rule")]
    ClientStream,
    /// The bridge serves this path itself.
    #[error("the bridge itself serves {0}")]
    Reserved(String),
}

/// The HTTP rules of `method`, the main one first.
pub(super) fn rules(method: &MethodDescriptor) -> Result<Vec<Rule>, RuleError> {
    let Some(main) = option(method, "google.api.http") else { return Ok(Vec::new()) };
    let mut rules = vec![rule(&main)?];
    for additional in messages(&main, "additional_bindings") {
        if !messages(&additional, "additional_bindings").is_empty() {
            return Err(RuleError::Nested);
        }
        rules.push(rule(&additional)?);
    }
    Ok(rules)
}

/// Who may call `method`, by its option `plexus.api.v1.access`.
pub(super) fn access(method: &MethodDescriptor) -> Access {
    let Some(access) = option(method, "plexus.api.v1.access") else { return Access::Unsaid };
    let set = |name| access.get_field_by_name(name).and_then(|value| value.as_bool()).unwrap_or(false);
    if set("public") {
        Access::Public
    } else if set("authenticated") {
        Access::Authenticated
    } else if set("service") {
        Access::Service
    } else {
        match text(&access, "permission") {
            permission if permission.is_empty() => Access::Unsaid,
            permission => Access::Permission(permission),
        }
    }
}

fn rule(rule: &DynamicMessage) -> Result<Rule, RuleError> {
    let (kind, path) = pattern(rule)?;
    let http_method = if kind == "*" {
        None
    } else {
        Some(Method::from_bytes(kind.as_bytes()).map_err(|_| RuleError::Method(kind))?)
    };
    let body = text(rule, "body");
    if let Some(bodiless @ (Method::GET | Method::HEAD | Method::DELETE)) = &http_method
        && !body.is_empty()
    {
        return Err(RuleError::BodyNotAllowed(bodiless.clone()));
    }
    Ok(Rule { http_method, path, body, response_body: text(rule, "response_body") })
}

fn pattern(rule: &DynamicMessage) -> Result<(String, String), RuleError> {
    for kind in ["get", "put", "post", "delete", "patch"] {
        if rule.has_field_by_name(kind) {
            return Ok((kind.to_uppercase(), text(rule, kind)));
        }
    }
    match rule.get_field_by_name("custom").as_deref() {
        Some(Value::Message(custom)) if rule.has_field_by_name("custom") => {
            Ok((text(custom, "kind"), text(custom, "path")))
        }
        _ => Err(RuleError::NoPattern),
    }
}

/// The option `name` of `method`, when it is set.
fn option(method: &MethodDescriptor, name: &str) -> Option<DynamicMessage> {
    let extension = method.parent_pool().get_extension_by_name(name)?;
    let options = method.options();
    if options.descriptor().full_name() != extension.containing_message().full_name()
        || !options.has_extension(&extension)
    {
        return None;
    }
    options.get_extension(&extension).as_message().cloned()
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn messages(message: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    let Some(value) = message.get_field_by_name(field) else { return Vec::new() };
    value.as_list().unwrap_or_default().iter().filter_map(Value::as_message).cloned().collect()
}
