//! Roles: named sets of permissions, two of them built in.

use plexus_runtime::identity::{Caller, permissions};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Fits a line of a table.
const NAME_CHARACTERS_MAX: usize = 64;
/// Every service holds all roles in memory and receives them whole after each change.
pub(crate) const ROLES_MAX: i64 = 256;

/// A named set of permissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Role {
    /// Its name.
    pub(crate) name: String,
    /// What its holders may do, sorted.
    pub(crate) permissions: Vec<String>,
    /// Whether the service made it; then nobody changes or deletes it.
    pub(crate) built_in: bool,
}

impl Role {
    /// A role that somebody wants to set.
    ///
    /// # Errors
    /// [`Error::Invalid`] names what is wrong: the name, or permissions that no method asks for.
    pub(crate) fn new(name: String, mut held: Vec<String>) -> Result<Self, Error> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > NAME_CHARACTERS_MAX || !name.bytes().all(allowed) {
            return Err(Error::invalid("role.name", "must be 1 to 64 characters: a-z, 0-9 and -"));
        }
        for (index, permission) in held.iter().enumerate() {
            if permissions().binary_search(permission).is_err() {
                let field = format!("role.permissions[{index}]");
                return Err(Error::invalid(
                    field,
                    "must be a permission that a method of the contract asks for",
                ));
            }
        }
        held.sort();
        held.dedup();
        Ok(Self { name, permissions: held, built_in: false })
    }

    /// Whether `caller` may put this role in the place of `old`: only somebody who holds all that either allows.
    ///
    /// # Errors
    /// [`Error::WrongState`] for built-in roles, [`Error::NotHeld`] names a permission that is missing.
    pub(crate) fn check_replaces(&self, caller: &Caller, old: Option<&Self>) -> Result<(), Error> {
        if let Some(old) = old {
            old.check_removable(caller)?;
        }
        check_held(caller, &self.permissions)
    }

    /// Whether `caller` may delete this role.
    ///
    /// # Errors
    /// [`Error::WrongState`] for built-in roles, [`Error::NotHeld`] names a permission that is missing.
    pub(crate) fn check_removable(&self, caller: &Caller) -> Result<(), Error> {
        if self.built_in {
            return Err(Error::WrongState("the roles admin and user are built in and stay as they are"));
        }
        check_held(caller, &self.permissions)
    }
}

/// Whether `caller` holds all of `permissions`.
///
/// # Errors
/// [`Error::NotHeld`] names the first that is missing.
pub(crate) fn check_held(caller: &Caller, permissions: &[String]) -> Result<(), Error> {
    match permissions.iter().find(|permission| !caller.may(permission)) {
        None => Ok(()),
        Some(missing) => Err(Error::NotHeld(missing.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(permissions: &[&str]) -> Caller {
        Caller::new("user:me", "s", permissions.iter().map(ToString::to_string).collect())
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_permission_that_no_method_asks_for_is_named() {
        let wanted = texts(&["auth.users.read", "auth.users.destroy"]);
        let error = Role::new("clerk".to_owned(), wanted).unwrap_err();
        assert!(matches!(error, Error::Invalid { field, .. } if field == "role.permissions[1]"));
    }

    #[test]
    fn permissions_are_kept_sorted_and_once() {
        let wanted = texts(&["auth.users.write", "auth.users.read", "auth.users.write"]);
        let role = Role::new("clerk".to_owned(), wanted).unwrap();
        assert_eq!(role.permissions, texts(&["auth.users.read", "auth.users.write"]));
    }

    #[test]
    fn names_are_what_the_contract_says() {
        for bad in ["", "Clerk", "a b", "a.b", &"n".repeat(65)] {
            assert!(Role::new(bad.to_owned(), Vec::new()).is_err(), "{bad}");
        }
        assert!(Role::new("night-shift-2".to_owned(), Vec::new()).is_ok());
    }

    #[test]
    fn nobody_makes_or_unmakes_a_role_that_can_do_more_than_they() {
        let clerk = caller(&["auth.users.read"]);
        let low = Role::new("x".to_owned(), texts(&["auth.users.read"])).unwrap();
        let high = Role::new("x".to_owned(), texts(&["auth.users.read", "auth.users.write"])).unwrap();
        assert!(low.check_replaces(&clerk, None).is_ok());
        assert!(
            matches!(high.check_replaces(&clerk, None), Err(Error::NotHeld(p)) if p == "auth.users.write")
        );
        assert!(low.check_replaces(&clerk, Some(&high)).is_err());
        assert!(high.check_removable(&clerk).is_err());
    }

    #[test]
    fn built_in_roles_stay_whoever_asks() {
        let all: Vec<&str> = permissions().iter().map(String::as_str).collect();
        let built_in = Role { name: "user".to_owned(), permissions: Vec::new(), built_in: true };
        assert!(matches!(built_in.check_removable(&caller(&all)), Err(Error::WrongState(_))));
    }
}
