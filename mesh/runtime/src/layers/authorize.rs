//! Holds each call to the rule that the contract gives its method; a method without a rule is refused.

use axum::{
    extract::{Request, State},
    middleware::Next,
};
use tonic::Status;

use super::{Layers, Response, refuse};
use crate::{
    identity::{Caller, Methods, Rule},
    status::{Code, Problem, Reason},
};

pub(super) async fn authorize(State(_): State<Layers>, request: Request, next: Next) -> Response {
    let Some(rule) = Methods::contract().rule(request.uri().path()) else {
        // Not a method of the contract: said as tonic says it for a path that it does not know.
        return refuse(Status::unimplemented("there is no such method"));
    };
    match check(rule, request.extensions().get::<Caller>()) {
        Ok(()) => next.run(request).await,
        Err(problem) => refuse(problem),
    }
}

fn check(rule: &Rule, caller: Option<&Caller>) -> Result<(), Problem> {
    if *rule == Rule::Public {
        return Ok(());
    }
    let caller = caller.ok_or_else(Caller::missing)?;
    match rule {
        Rule::Public | Rule::Authenticated => Ok(()),
        Rule::Service if caller.is_service() => Ok(()),
        Rule::Service => Err(denied("only services of the mesh may call this")),
        Rule::Permission(permission) if caller.may(permission) => Ok(()),
        Rule::Permission(permission) => Err(denied(&format!("this call needs the permission {permission}"))
            .metadata("permission", permission.clone())),
    }
}

fn denied(message: &str) -> Problem {
    Problem::new(Code::PermissionDenied, Reason::PermissionDenied, message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn caller(subject: &str, permissions: &[&str]) -> Caller {
        let permissions: BTreeSet<String> = permissions.iter().map(ToString::to_string).collect();
        Caller::new(subject, "", permissions)
    }

    #[test]
    fn each_rule_lets_in_whom_it_names_and_nobody_else() {
        let reader = caller("user:a", &["quota.usage.read"]);
        let service = caller("service:ai", &[]);
        let permission = Rule::Permission("quota.usage.read".to_owned());

        assert!(check(&Rule::Public, None).is_ok());
        assert_eq!(check(&Rule::Authenticated, None).unwrap_err().code(), Code::Unauthenticated);
        assert!(check(&Rule::Authenticated, Some(&service)).is_ok());
        assert!(check(&permission, Some(&reader)).is_ok());
        assert_eq!(check(&permission, Some(&service)).unwrap_err().code(), Code::PermissionDenied);
        assert!(check(&Rule::Service, Some(&service)).is_ok());
        assert_eq!(check(&Rule::Service, Some(&reader)).unwrap_err().code(), Code::PermissionDenied);
    }
}
