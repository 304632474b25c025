//! What the built-in roles may do.

/// The role that holds every permission that a method of the contract asks for.
pub const ADMIN_ROLE: &str = "admin";
/// The role of an ordinary person.
pub const USER_ROLE: &str = "user";

/// What an ordinary person needs; the permissions of other services' methods stand here too, by their names.
pub const USER_PERMISSIONS: &[&str] = &["auth.api_keys.read", "auth.api_keys.write"];

/// The permissions of the built-in role `name`; `None` when it is not one.
#[must_use]
pub fn of_built_in(name: &str) -> Option<Vec<String>> {
    match name {
        ADMIN_ROLE => Some(plexus_runtime::identity::permissions().to_vec()),
        USER_ROLE => Some(USER_PERMISSIONS.iter().map(ToString::to_string).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_role_holds_only_permissions_that_some_method_asks_for() {
        let contract = plexus_runtime::identity::permissions();
        for permission in USER_PERMISSIONS {
            assert!(contract.iter().any(|known| known == permission), "{permission} is in no contract");
        }
    }
}
