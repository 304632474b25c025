//! Whose data a caller may see, and about whom they may track.

use plexus_runtime::{identity::Caller, status::Problem};

use crate::{admission::Author, error::Error};

/// The permission to see what concerns other users one by one.
pub const BEHAVIOR_READ_ALL: &str = "analytics.behavior.read_all";
/// The permission to see sums over everybody.
pub const METRICS_READ: &str = "analytics.metrics.read";

/// Characters of a user id.
const USER_ID_CHARS_MAX: usize = 128;

/// The caller as somebody who tracks their own events.
///
/// # Errors
/// When a service calls.
pub fn own_author(caller: &Caller) -> Result<Author, Problem> {
    let only = Some(caller.user_id()?.to_owned());
    Ok(Author { source: caller.subject().to_owned(), only })
}

/// The caller as somebody who tracks events about anybody.
#[must_use]
pub fn any_author(caller: &Caller) -> Author {
    Author { source: caller.subject().to_owned(), only: None }
}

/// The user a request is about: the one it names, or else the caller.
///
/// # Errors
/// [`Error::OthersData`] when it is somebody else and the caller lacks [`BEHAVIOR_READ_ALL`].
pub fn user<'c>(caller: &'c Caller, requested: &'c str) -> Result<&'c str, Problem> {
    check_user_id(requested)?;
    let own = caller.user_id()?;
    if requested.is_empty() || requested == own {
        return Ok(own);
    }
    require(caller, BEHAVIOR_READ_ALL)?;
    Ok(requested)
}

/// The user a request is about: the one it names, or else everybody (`None`).
///
/// # Errors
/// [`Error::OthersData`] when it is everybody and the caller lacks [`METRICS_READ`], or somebody else and
/// they lack [`BEHAVIOR_READ_ALL`].
pub fn user_or_everybody<'c>(caller: &'c Caller, requested: &'c str) -> Result<Option<&'c str>, Problem> {
    if requested.is_empty() {
        require(caller, METRICS_READ)?;
        return Ok(None);
    }
    user(caller, requested).map(Some)
}

fn require(caller: &Caller, permission: &'static str) -> Result<(), Error> {
    if caller.may(permission) { Ok(()) } else { Err(Error::OthersData { permission }) }
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
    use plexus_runtime::status::Code;

    use super::*;

    fn caller(subject: &str, permissions: &[&str]) -> Caller {
        Caller::new(subject, "", permissions.iter().map(|name| (*name).to_owned()).collect())
    }

    fn code<T>(result: Result<T, Problem>) -> Option<Code> {
        result.err().map(|problem| problem.code())
    }

    #[test]
    fn a_user_sees_themself_and_nobody_else() {
        let alice = caller("user:alice", &[]);
        assert_eq!(user(&alice, "").unwrap(), "alice");
        assert_eq!(user(&alice, "alice").unwrap(), "alice");
        assert_eq!(code(user(&alice, "bob")), Some(Code::PermissionDenied));
        assert_eq!(code(user_or_everybody(&alice, "")), Some(Code::PermissionDenied));
        assert_eq!(user_or_everybody(&alice, "alice").unwrap(), Some("alice"));
    }

    #[test]
    fn sums_over_everybody_and_the_data_of_single_users_take_different_permissions() {
        let operator = caller("user:olga", &[METRICS_READ]);
        assert_eq!(user_or_everybody(&operator, "").unwrap(), None);
        assert_eq!(code(user_or_everybody(&operator, "bob")), Some(Code::PermissionDenied));
        let support = caller("user:sam", &[BEHAVIOR_READ_ALL]);
        assert_eq!(user(&support, "bob").unwrap(), "bob");
        assert_eq!(code(user_or_everybody(&support, "")), Some(Code::PermissionDenied));
    }

    #[test]
    fn ids_that_no_store_could_hold_are_refused() {
        let support = caller("user:sam", &[BEHAVIOR_READ_ALL]);
        assert_eq!(code(user(&support, "a\0")), Some(Code::InvalidArgument));
        assert_eq!(code(user(&support, &"x".repeat(129))), Some(Code::InvalidArgument));
    }
}
