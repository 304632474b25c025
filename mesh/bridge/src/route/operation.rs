//! One RPC under one HTTP rule, checked against its messages.

use http::{Method, uri::PathAndQuery};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use super::{
    RuleError, Template,
    rules::{self, Rule},
};

/// Who may call a method. The services enforce it; the bridge only shows it, and hides `Service`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody who is logged in.
    Authenticated,
    /// Who holds this permission.
    Permission(String),
    /// Other services of the mesh: never over REST.
    Service,
    /// The contract does not say; the services then refuse everybody.
    Unsaid,
}

/// Which part of the request message the HTTP body fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// None: there is no body, and fields that the path leaves come from the query.
    None,
    /// `*`: every field that the path leaves; there is no query.
    Whole,
    /// This field; what it and the path leave comes from the query.
    Field(FieldDescriptor),
}

/// One RPC under one HTTP rule.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The RPC.
    pub method: MethodDescriptor,
    /// The HTTP method; `None` takes any.
    pub http_method: Option<Method>,
    /// The path.
    pub template: Template,
    /// For each variable of the template the fields that lead to what it fills, outermost first.
    pub bindings: Vec<Vec<FieldDescriptor>>,
    /// What the HTTP body fills.
    pub body: Body,
    /// The field of the answer that becomes the HTTP body; `None` is the whole answer.
    pub response_body: Option<FieldDescriptor>,
    /// Who may call it.
    pub access: Access,
    /// `/package.Service/Method`.
    pub grpc_path: PathAndQuery,
}

impl Operation {
    /// The operations of `method`: one for each HTTP rule, none when only services may call it.
    ///
    /// # Errors
    /// A rule that the messages of the method cannot follow.
    pub fn of(method: &MethodDescriptor) -> Result<Vec<Self>, RuleError> {
        let access = rules::access(method);
        if access == Access::Service {
            return Ok(Vec::new());
        }
        let rules = rules::rules(method)?;
        if !rules.is_empty() && method.is_client_streaming() {
            return Err(RuleError::ClientStream);
        }
        rules.into_iter().map(|rule| Self::new(method, rule, access.clone())).collect()
    }

    fn new(method: &MethodDescriptor, rule: Rule, access: Access) -> Result<Self, RuleError> {
        let template = Template::parse(&rule.path)?;
        let bindings = template
            .variables()
            .iter()
            .map(|variable| binding(&method.input(), &variable.field_path))
            .collect::<Result<_, _>>()?;
        let body = match rule.body.as_str() {
            "" => Body::None,
            "*" => Body::Whole,
            name => Body::Field(field(&method.input(), name)?),
        };
        let response_body = match rule.response_body.as_str() {
            "" => None,
            name => Some(field(&method.output(), name)?),
        };
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let grpc_path = PathAndQuery::try_from(path).map_err(|_| RuleError::NoPattern)?;
        Ok(Self {
            method: method.clone(),
            http_method: rule.http_method,
            template,
            bindings,
            body,
            response_body,
            access,
            grpc_path,
        })
    }

    /// The HTTP method as text; `*` for any.
    pub fn http_method_name(&self) -> &str {
        self.http_method.as_ref().map_or("*", Method::as_str)
    }
}

fn binding(message: &MessageDescriptor, path: &[String]) -> Result<Vec<FieldDescriptor>, RuleError> {
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    for name in path {
        let parent = match fields.last().map(FieldDescriptor::kind) {
            None => message.clone(),
            Some(Kind::Message(parent)) => parent,
            Some(_) => return Err(RuleError::NoSuchField(path.join("."), message.full_name().to_owned())),
        };
        let found = field(&parent, name)?;
        if found.is_list() || found.is_map() {
            return Err(RuleError::NotScalar(path.join(".")));
        }
        fields.push(found);
    }
    if matches!(fields.last().map(FieldDescriptor::kind), Some(Kind::Message(_)) | None) {
        return Err(RuleError::NotScalar(path.join(".")));
    }
    Ok(fields)
}

fn field(message: &MessageDescriptor, name: &str) -> Result<FieldDescriptor, RuleError> {
    message
        .get_field_by_name(name)
        .ok_or_else(|| RuleError::NoSuchField(name.to_owned(), message.full_name().to_owned()))
}
