//! What the built-in roles may do.

/// The role that holds every permission that a method of the contract asks for.
pub(crate) const ADMIN_ROLE: &str = "admin";
/// The role of an ordinary person.
pub(crate) const USER_ROLE: &str = "user";

/// What an ordinary person needs; the permissions of other services' methods stand here too, by their names.
pub(crate) const USER_PERMISSIONS: &[&str] = &[
    "ai.chat.use",
    "ai.models.read",
    "analytics.behavior.read",
    "analytics.events.write",
    "analytics.messages.read",
    "analytics.recommendations.read",
    "auth.api_keys.read",
    "auth.api_keys.write",
    "card.cards.render",
    "card.templates.read",
    "card.templates.write",
    "quota.usage.read",
];

/// The permissions of the built-in role `name`; `None` when it is not one.
#[must_use]
pub(crate) fn of_built_in(name: &str) -> Option<Vec<String>> {
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
