//! The access rule of each method, read from the contract's `plexus.api.v1.access` option.

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use prost_reflect::{DescriptorPool, MethodDescriptor, Value};

/// Who may call a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Anybody, without a token.
    Public,
    /// Anybody with a valid token.
    Authenticated,
    /// Callers whose roles hold this permission.
    Permission(String),
    /// Services of the mesh.
    Service,
}

/// The rules of all methods of the contract, by path (`/plexus.auth.v1.UserService/GetUser`).
#[derive(Debug, Default)]
pub struct Methods {
    rules: HashMap<String, Rule>,
    permissions: Vec<String>,
}

/// Methods that every server has and that say nothing about anybody's data: health and reflection.
const OPEN_METHODS: [&str; 4] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];

static METHODS: LazyLock<Methods> = LazyLock::new(|| {
    DescriptorPool::decode(plexus_proto::DESCRIPTORS).map(|pool| Methods::read(&pool)).unwrap_or_default()
});

/// The names of all permissions that a method of the contract asks for, sorted.
#[must_use]
pub fn permissions() -> &'static [String] {
    &METHODS.permissions
}

impl Methods {
    /// The rules of the contract that this binary was built with.
    #[must_use]
    pub fn contract() -> &'static Self {
        &METHODS
    }

    /// Reads the rules of every method in `pool`.
    #[must_use]
    pub fn read(pool: &DescriptorPool) -> Self {
        let rules: HashMap<String, Rule> = pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .filter_map(|method| {
                let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
                read_rule(pool, &method).map(|rule| (path, rule))
            })
            .collect();
        let permissions: BTreeSet<String> = rules
            .values()
            .filter_map(|rule| if let Rule::Permission(name) = rule { Some(name.clone()) } else { None })
            .collect();
        Self { rules, permissions: permissions.into_iter().collect() }
    }

    /// The rule of the method at `path`; `None` when it has none, which means nobody may call it.
    #[must_use]
    pub fn rule(&self, path: &str) -> Option<&Rule> {
        if OPEN_METHODS.contains(&path) {
            return Some(&Rule::Public);
        }
        self.rules.get(path)
    }
}

fn read_rule(pool: &DescriptorPool, method: &MethodDescriptor) -> Option<Rule> {
    let extension = pool.get_extension_by_name("plexus.api.v1.access")?;
    let options = method.options();
    let access = options.get_extension(&extension);
    let access = access.as_message()?;
    let set = |field: &str| access.get_field_by_name(field).filter(|_| access.has_field_by_name(field));
    let is_true = |field: &str| matches!(set(field).as_deref(), Some(Value::Bool(true)));
    if is_true("public") {
        return Some(Rule::Public);
    }
    if is_true("authenticated") {
        return Some(Rule::Authenticated);
    }
    if is_true("service") {
        return Some(Rule::Service);
    }
    match set("permission").as_deref() {
        Some(Value::String(name)) if !name.is_empty() => Some(Rule::Permission(name.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_contract_says_who_may_call_it() {
        let pool = DescriptorPool::decode(plexus_proto::DESCRIPTORS).unwrap();
        let methods = Methods::read(&pool);
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            assert!(methods.rule(&path).is_some(), "{path} lacks option (plexus.api.v1.access)");
        }
    }

    #[test]
    fn a_method_that_the_contract_does_not_know_has_no_rule() {
        for path in ["/plexus.auth.v1.UserService/Nothing", "/grpc.health.v1.Health/Nothing"] {
            assert_eq!(Methods::contract().rule(path), None, "{path}");
        }
    }

    #[test]
    fn rules_are_read_as_they_are_written() {
        let rule = |path| Methods::contract().rule(path).cloned();
        assert_eq!(rule("/plexus.auth.v1.SessionService/Login"), Some(Rule::Public));
        assert_eq!(rule("/plexus.auth.v1.SessionService/WhoAmI"), Some(Rule::Authenticated));
        assert_eq!(rule("/plexus.auth.v1.TrustService/WatchTrust"), Some(Rule::Service));
        assert_eq!(
            rule("/plexus.auth.v1.UserService/GetUser"),
            Some(Rule::Permission("auth.users.read".to_owned()))
        );
    }
}
