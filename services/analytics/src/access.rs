//! Whose data a caller may see and write.

use plexus_runtime::identity::Caller;

use crate::{
    admission::{Author, WRITE_ANY},
    error::Error,
};

/// The permission to see how others behave.
pub const BEHAVIOR_READ_ALL: &str = "analytics.behavior.read_all";
/// The permission to see the messages of others and of everybody.
pub const MESSAGES_READ_ALL: &str = "analytics.messages.read_all";
/// The permission to see what is recommended to others.
pub const RECOMMENDATIONS_READ_ALL: &str = "analytics.recommendations.read_all";

/// Characters of a user id.
const USER_ID_CHARS_MAX: usize = 128;

/// The caller as somebody who sends events.
#[must_use]
pub fn author(caller: &Caller) -> Author {
    Author {
        source: caller.subject().to_owned(),
        user_id: caller.user_id().ok().map(str::to_owned),
        may_write_any: may(caller, WRITE_ANY),
    }
}

/// The user a request is about: the one it names, or else the caller.
///
/// # Errors
/// [`Error::OthersData`] when it is somebody else and the caller lacks `permission`.
pub fn user<'c>(caller: &'c Caller, requested: &'c str, permission: &'static str) -> Result<&'c str, Error> {
    check_user_id(requested)?;
    match caller.user_id() {
        Ok(own) if requested.is_empty() || requested == own => Ok(own),
        Err(_) if requested.is_empty() => Err(Error::invalid("user_id", "a service has to name a user")),
        _ if may(caller, permission) => Ok(requested),
        _ => Err(Error::OthersData { permission }),
    }
}

/// The user a request is about: the one it names, or else everybody (`None`).
///
/// # Errors
/// [`Error::OthersData`] when it is not the caller alone and the caller lacks `permission`.
pub fn user_or_everybody<'c>(
    caller: &'c Caller,
    requested: &'c str,
    permission: &'static str,
) -> Result<Option<&'c str>, Error> {
    check_user_id(requested)?;
    let own = caller.user_id().is_ok_and(|own| own == requested);
    if !own && !may(caller, permission) {
        return Err(Error::OthersData { permission });
    }
    Ok(Some(requested).filter(|user_id| !user_id.is_empty()))
}

/// Services of the mesh may do what any person may be allowed.
fn may(caller: &Caller, permission: &str) -> bool {
    caller.is_service() || caller.may(permission)
}

fn check_user_id(user_id: &str) -> Result<(), Error> {
    if user_id.chars().count() > USER_ID_CHARS_MAX || user_id.chars().any(char::is_control) {
        let reason =
            format!("must have at most {USER_ID_CHARS_MAX} characters, none of them control characters");
        return Err(Error::invalid("user_id", reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn caller(subject: &str, permissions: &[&str]) -> Caller {
        Caller::new(subject, "", permissions.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>())
    }

    #[test]
    fn a_user_sees_themself_and_nobody_else() {
        let alice = caller("user:alice", &[]);
        assert_eq!(user(&alice, "", BEHAVIOR_READ_ALL).unwrap(), "alice");
        assert_eq!(user(&alice, "alice", BEHAVIOR_READ_ALL).unwrap(), "alice");
        assert!(matches!(user(&alice, "bob", BEHAVIOR_READ_ALL), Err(Error::OthersData { .. })));
        assert!(matches!(user_or_everybody(&alice, "", MESSAGES_READ_ALL), Err(Error::OthersData { .. })));
        assert_eq!(user_or_everybody(&alice, "alice", MESSAGES_READ_ALL).unwrap(), Some("alice"));
    }

    #[test]
    fn the_permission_opens_the_data_of_others() {
        let operator = caller("user:olga", &[BEHAVIOR_READ_ALL, MESSAGES_READ_ALL]);
        assert_eq!(user(&operator, "bob", BEHAVIOR_READ_ALL).unwrap(), "bob");
        assert_eq!(user_or_everybody(&operator, "", MESSAGES_READ_ALL).unwrap(), None);
    }

    #[test]
    fn a_service_may_ask_about_anybody_but_has_no_data_of_its_own() {
        let service = caller("service:ai", &[]);
        assert_eq!(user(&service, "bob", BEHAVIOR_READ_ALL).unwrap(), "bob");
        assert!(matches!(user(&service, "", BEHAVIOR_READ_ALL), Err(Error::Invalid { .. })));
        assert!(author(&service).may_write_any);
    }

    #[test]
    fn ids_that_no_store_could_hold_are_refused() {
        let operator = caller("user:olga", &[BEHAVIOR_READ_ALL]);
        assert!(matches!(user(&operator, "a\0", BEHAVIOR_READ_ALL), Err(Error::Invalid { .. })));
        assert!(matches!(user(&operator, &"x".repeat(129), BEHAVIOR_READ_ALL), Err(Error::Invalid { .. })));
    }
}
