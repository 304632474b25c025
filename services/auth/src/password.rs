//! Passwords: the rules for new ones, and hashing in a bounded number of slots.

use std::{fmt::Debug, sync::Arc};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use plexus_runtime::settings::Secret;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use crate::{error::Error, secrets};

/// NIST SP 800-63B-4 asks for 15 characters where the password is the only factor.
const CHARACTERS_MIN: usize = 15;
/// Passphrases fit; more would only cost time to hash.
const CHARACTERS_MAX: usize = 256;
/// OWASP ASVS 5.0, appendix C: argon2id with t = 2 and at least 19 MiB.
const MEMORY_KIB: u32 = 19 * 1024;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;

/// What an unknown user's password is checked against, so that it takes as long as a known one's. Nothing hashes to it.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password made by the program has this many characters of 57 kinds: 139 bits.
const GENERATED_CHARACTERS: usize = 24;
/// Without characters that look alike on paper: 0 O, 1 l I.
const GENERATED_ALPHABET: &[u8; 57] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Holds a new password, sent in `field`, to the rules.
///
/// # Errors
/// [`Error::WeakPassword`] says which rule it breaks.
pub(crate) fn check(field: &str, password: &Secret, login_name: &str) -> Result<(), Error> {
    let weak = |description: &str| {
        Err(Error::WeakPassword { field: field.to_owned(), description: description.to_owned() })
    };
    let characters = password.reveal().chars().count();
    if characters < CHARACTERS_MIN {
        return weak("must have at least 15 characters; several words are easy to remember");
    }
    if characters > CHARACTERS_MAX {
        return weak("must have at most 256 characters");
    }
    if password.reveal().to_lowercase() == login_name.to_lowercase() {
        return weak("must differ from the login name");
    }
    Ok(())
}

/// Whether a password that somebody claims to have could be one at all; others are not worth hashing.
#[must_use]
pub(crate) fn is_plausible(password: &Secret) -> bool {
    !password.is_empty() && password.reveal().chars().count() <= CHARACTERS_MAX
}

/// A new password that nobody can guess.
///
/// # Errors
/// When the system has no randomness to give.
pub(crate) fn generate() -> Result<Secret, Error> {
    let mut password = String::with_capacity(GENERATED_CHARACTERS);
    // Bytes beyond the largest multiple of the alphabet's length would favour its first characters.
    let fair = u8::MAX - u8::MAX % 57;
    while password.len() < GENERATED_CHARACTERS {
        for byte in secrets::random::<32>()?.into_iter().filter(|byte| *byte < fair) {
            if password.len() < GENERATED_CHARACTERS {
                password.push(char::from(GENERATED_ALPHABET[usize::from(byte % 57)]));
            }
        }
    }
    Ok(Secret::new(password))
}

/// Hashes passwords, so many at a time and so many waiting; clones share the slots.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    slots: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// A slot and the place in the queue before it, held until the hashing thread is done.
type Turn = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Hasher {
    /// With this many slots, and this many callers waiting for one.
    #[must_use]
    pub(crate) fn new(slots: usize, waiters_max: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(slots)),
            places: Arc::new(Semaphore::new(slots.saturating_add(waiters_max).min(Semaphore::MAX_PERMITS))),
        }
    }

    /// The PHC string to store for `password`.
    ///
    /// # Errors
    /// [`Error::HashingBusy`] when enough callers wait already.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String, Error> {
        self.run(move || {
            let salt = secrets::random::<16>()?;
            let hashed = argon2()?.hash_password_with_salt(password.reveal().as_bytes(), &salt);
            Ok(hashed.map_err(|_| Error::Cryptography("hashing a password"))?.to_string())
        })
        .await
    }

    /// Whether `password` is the one that was hashed to `stored`; `None` takes as long and is never right.
    ///
    /// # Errors
    /// [`Error::HashingBusy`] when enough callers wait already.
    pub(crate) async fn verify(&self, password: Secret, stored: Option<String>) -> Result<bool, Error> {
        self.run(move || {
            let known = stored.is_some();
            let stored = stored.as_deref().unwrap_or(DUMMY_HASH);
            let stored = PasswordHash::new(stored).map_err(|_| Error::Cryptography("a stored hash"))?;
            let matches = argon2()?.verify_password(password.reveal().as_bytes(), &stored).is_ok();
            Ok(matches && known)
        })
        .await
    }

    async fn run<T: Debug + Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.turn().await?;
        // A caller that goes away leaves the thread running, so the thread holds the slot.
        let hashed = spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        hashed.await.map_err(|_| Error::Cryptography("the hashing thread ended early"))?
    }

    async fn turn(&self) -> Result<Turn, Error> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Error::HashingBusy)?;
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| Error::HashingBusy)?;
        Ok((slot, place))
    }
}

fn argon2() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None);
    let params = params.map_err(|_| Error::Cryptography("the parameters of argon2"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn a_hash_is_an_argon2id_string_that_only_its_password_matches() {
        let hasher = Hasher::new(1, 4);
        let stored = hasher.hash(Secret::new("correct horse battery")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(hasher.verify(Secret::new("correct horse battery"), Some(stored.clone())).await.unwrap());
        assert!(!hasher.verify(Secret::new("correct horse batterz"), Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn equal_passwords_have_different_hashes() {
        let hasher = Hasher::new(2, 4);
        let one = hasher.hash(Secret::new("correct horse battery")).await.unwrap();
        assert_ne!(one, hasher.hash(Secret::new("correct horse battery")).await.unwrap());
    }

    #[test]
    fn an_unknown_user_costs_the_same_work_as_a_known_one() {
        let dummy = PasswordHash::new(DUMMY_HASH).unwrap();
        let params = Params::try_from(&dummy).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, ITERATIONS, LANES));
        assert_eq!(dummy.hash.unwrap().len(), 32);
        assert!(argon2().unwrap().verify_password(b"", &dummy).is_err());
    }

    #[tokio::test]
    async fn callers_beyond_the_queue_are_refused_before_any_hashing() {
        let hasher = Hasher::new(1, 1);
        let working = hasher.turn().await.unwrap();
        let waiting = tokio::spawn({
            let hasher = hasher.clone();
            async move { hasher.turn().await.map(drop) }
        });
        while hasher.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(hasher.hash(Secret::new("x")).await, Err(Error::HashingBusy)));
        drop(working);
        waiting.await.unwrap().unwrap();
        assert!(hasher.turn().await.is_ok());
    }

    #[test]
    fn each_rule_refuses_what_it_is_for() {
        let check = |password: &str| check("password", &Secret::new(password), "a.long.login.name");
        assert!(check("fourteen chars").is_err());
        assert!(check("fifteen chars!!").is_ok());
        assert!(check("\u{e4}\u{f6}\u{fc}".repeat(5).as_str()).is_ok());
        assert!(check(&"x".repeat(256)).is_ok());
        assert!(check(&"x".repeat(257)).is_err());
        assert!(check("A.Long.Login.Name").is_err());
    }

    #[test]
    fn generated_passwords_are_long_and_differ() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_eq!(one.reveal().len(), GENERATED_CHARACTERS);
        assert!(one != other);
    }

    proptest! {
        #[test]
        fn a_refusal_never_repeats_the_password(text in "[2-9]{4,14}") {
            let error = check("password", &Secret::new(text.clone()), "somebody").unwrap_err();
            prop_assert!(!error.to_string().contains(&text));
        }
    }
}
