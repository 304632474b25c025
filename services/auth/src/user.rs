//! Users: what they are, which names they may have, and who may change them.

use plexus_runtime::identity::Caller;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::Error,
    permissions::ADMIN_ROLE,
    role::{self, Role},
};

/// Long enough for an e-mail address of an ordinary company.
const LOGIN_NAME_CHARACTERS_MAX: usize = 64;
/// A full name with titles.
const DISPLAY_NAME_CHARACTERS_MAX: usize = 128;
/// Every access token names all roles; with more it would outgrow the header limits of proxies.
pub(crate) const ROLES_PER_USER_MAX: usize = 64;

/// A person who may log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    /// The id.
    pub(crate) user_id: String,
    /// What they type to log in.
    pub(crate) login_name: String,
    /// What others see.
    pub(crate) display_name: String,
    /// Names of roles, sorted.
    pub(crate) roles: Vec<String>,
    /// Whether they have been disabled.
    pub(crate) disabled: bool,
    /// In epoch microseconds.
    pub(crate) create_time_us: i64,
    /// In epoch microseconds.
    pub(crate) update_time_us: i64,
}

impl User {
    /// A user made at `now_us`, with an id of their own.
    #[must_use]
    pub(crate) fn new(login_name: String, display_name: String, roles: Vec<String>, now_us: i64) -> Self {
        Self {
            user_id: Uuid::now_v7().to_string(),
            login_name,
            display_name,
            roles,
            disabled: false,
            create_time_us: now_us,
            update_time_us: now_us,
        }
    }
}

/// What an update changes; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// What others see.
    pub(crate) display_name: Option<String>,
    /// Names of roles.
    pub(crate) roles: Option<Vec<String>>,
}

/// Holds a login name, sent in `field`, to the rules.
///
/// # Errors
/// [`Error::Invalid`] says what it has to be.
pub(crate) fn check_login_name(field: &str, name: &str) -> Result<(), Error> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._@+-".contains(character);
    if name.is_empty() || name.len() > LOGIN_NAME_CHARACTERS_MAX || !name.chars().all(allowed) {
        return Err(Error::invalid(field, "must be 1 to 64 characters: a-z, A-Z, 0-9 and . _ @ + -"));
    }
    Ok(())
}

/// The form of a login name in which two names that differ only in case are one.
#[must_use]
pub(crate) fn login_key(login_name: &str) -> String {
    login_name.to_ascii_lowercase()
}

/// Holds a display name, sent in `field`, to the rules.
///
/// # Errors
/// [`Error::Invalid`] says what it has to be.
pub(crate) fn check_display_name(field: &str, name: &str) -> Result<(), Error> {
    if name.chars().count() > DISPLAY_NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must be at most 128 characters without control characters"));
    }
    Ok(())
}

/// The role names sent in `field`, sorted and each once.
///
/// # Errors
/// [`Error::Invalid`] when there are too many.
pub(crate) fn role_names(field: &str, mut names: Vec<String>) -> Result<Vec<String>, Error> {
    names.sort();
    names.dedup();
    if names.len() > ROLES_PER_USER_MAX {
        return Err(Error::invalid(field, "must name at most 64 roles"));
    }
    Ok(names)
}

/// Whether `caller` may make a user with `roles`: only somebody who holds all that these roles allow.
///
/// # Errors
/// [`Error::NotHeld`] names a permission that is missing.
pub(crate) fn check_grant(caller: &Caller, roles: &[Role]) -> Result<(), Error> {
    roles.iter().try_for_each(|role| role::check_held(caller, &role.permissions))
}

/// Whether `caller` may replace the roles `old` of the user `user_id` by `new`.
///
/// Giving and taking both need every permission of the role; and administrators do not lock themselves out.
///
/// # Errors
/// [`Error::NotHeld`] or [`Error::WrongState`].
pub(crate) fn check_regrant(caller: &Caller, user_id: &str, old: &[Role], new: &[Role]) -> Result<(), Error> {
    let changed = |from: &[Role], to: &[Role]| {
        from.iter()
            .filter(|role| !to.iter().any(|other| other.name == role.name))
            .cloned()
            .collect::<Vec<_>>()
    };
    check_grant(caller, &changed(old, new))?;
    check_grant(caller, &changed(new, old))?;
    if is_self(caller, user_id) && changed(old, new).iter().any(|role| role.name == ADMIN_ROLE) {
        return Err(Error::WrongState(
            "you cannot take the role admin from yourself; ask another administrator",
        ));
    }
    Ok(())
}

/// Whether `caller` may disable the user `user_id`, who holds `roles`.
///
/// # Errors
/// [`Error::NotHeld`] or [`Error::WrongState`].
pub(crate) fn check_disable(caller: &Caller, user_id: &str, roles: &[Role]) -> Result<(), Error> {
    if is_self(caller, user_id) {
        return Err(Error::WrongState("you cannot disable yourself; ask another administrator"));
    }
    check_grant(caller, roles)
}

fn is_self(caller: &Caller, user_id: &str) -> bool {
    caller.user_id().is_ok_and(|caller_id| caller_id == user_id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn caller(permissions: &[&str]) -> Caller {
        Caller::new("user:me", "s", permissions.iter().map(ToString::to_string).collect())
    }

    fn role(name: &str, permissions: &[&str]) -> Role {
        let permissions = permissions.iter().map(ToString::to_string).collect();
        Role { name: name.to_owned(), permissions, built_in: false }
    }

    #[test]
    fn login_names_are_what_the_contract_says() {
        for good in ["a", "Alice.B_c@example.com", "x+y-z", &"n".repeat(64)] {
            assert!(check_login_name("login_name", good).is_ok(), "{good}");
        }
        for bad in ["", "with space", "\u{fc}mlaut", "a/b", &"n".repeat(65)] {
            assert!(check_login_name("login_name", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_gives_or_takes_what_they_do_not_hold() {
        let (low, high) = (role("low", &["a"]), role("high", &["a", "b"]));
        let clerk = caller(&["a"]);
        assert!(check_regrant(&clerk, "other", &[], std::slice::from_ref(&low)).is_ok());
        assert!(check_regrant(&clerk, "other", std::slice::from_ref(&low), &[]).is_ok());
        assert!(matches!(
            check_regrant(&clerk, "other", &[], std::slice::from_ref(&high)),
            Err(Error::NotHeld(missing)) if missing == "b"
        ));
        assert!(check_regrant(&clerk, "other", std::slice::from_ref(&high), &[]).is_err());
        // What stays as it is needs nothing.
        assert!(check_regrant(&clerk, "other", std::slice::from_ref(&high), &[high.clone(), low]).is_ok());
        assert!(check_disable(&clerk, "other", &[high]).is_err());
    }

    #[test]
    fn administrators_do_not_lock_themselves_out() {
        let admin = role(ADMIN_ROLE, &["a"]);
        let me = caller(&["a"]);
        assert!(matches!(check_disable(&me, "me", &[]), Err(Error::WrongState(_))));
        let old = std::slice::from_ref(&admin);
        assert!(matches!(check_regrant(&me, "me", old, &[]), Err(Error::WrongState(_))));
        assert!(check_regrant(&me, "other", old, &[]).is_ok());
    }

    proptest! {
        #[test]
        fn names_that_differ_only_in_case_have_one_key(name in "[a-zA-Z0-9._@+-]{1,64}") {
            prop_assert_eq!(login_key(&name.to_uppercase()), login_key(&name.to_lowercase()));
        }
    }
}
