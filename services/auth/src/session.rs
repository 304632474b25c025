//! Logging in, refreshing and logging out; every refusal of credentials looks and takes the same.

use plexus_runtime::settings::Secret;

use crate::{
    Parts,
    access_token::{AccessToken, Subject},
    api_key::KeySecret,
    error::Error,
    password,
    refresh_token::RefreshToken,
    secrets,
    store::{
        api_keys,
        sessions::{self, Refreshed},
        users,
    },
    user::User,
};

/// The names of services are short words.
const SERVICE_NAME_CHARACTERS_MAX: usize = 32;

/// An access token and the refresh token that follows it.
#[derive(Clone, Debug)]
pub(crate) struct TokenPair {
    pub(crate) access: AccessToken,
    pub(crate) refresh: Secret,
    /// In epoch microseconds.
    pub(crate) refresh_expire_time_us: i64,
}

/// Logs a user in by name and password.
pub(crate) async fn login(
    parts: &Parts,
    login_name: &str,
    password: Secret,
) -> Result<(TokenPair, User), Error> {
    if !password::is_plausible(&password) {
        return Err(Error::invalid("password", "must be 1 to 256 characters"));
    }
    let found = users::by_login_name(&parts.database, login_name).await?;
    let stored = found.as_ref().map(|found| found.password_hash.clone());
    let matches = parts.hasher.verify(password, stored).await?;
    let Some(found) = found.filter(|found| matches && !found.user.disabled) else {
        return Err(Error::WrongCredentials);
    };
    let (user, token, now_us) = (found.user.clone(), RefreshToken::first()?, parts.clock.now_us());
    let begun = sessions::begin(&parts.database, found, token.clone(), (now_us, parts.lifetime)).await?;
    let expire_time_us = begun.ok_or(Error::WrongCredentials)?;
    Ok((pair(parts, &user, &token, (now_us, expire_time_us))?, user))
}

/// Exchanges a refresh token for a new pair.
pub(crate) async fn refresh(parts: &Parts, token: &Secret) -> Result<TokenPair, Error> {
    let token = RefreshToken::parse(token.reveal()).ok_or(Error::SessionOver)?;
    let (next, now_us) = (token.next()?, parts.clock.now_us());
    let session_id = token.session_id();
    match sessions::rotate(&parts.database, token, next.clone(), (now_us, parts.lifetime)).await? {
        Refreshed::Rotated(user, expire_time_us) => pair(parts, &user, &next, (now_us, expire_time_us)),
        Refreshed::Over => Err(Error::SessionOver),
        Refreshed::Reused => {
            tracing::warn!(session_id, "a refresh token was used twice; its session has been ended");
            Err(Error::RefreshTokenReused)
        }
    }
}

/// Ends the session of a refresh token; one that is over or unknown is no error.
pub(crate) async fn logout(parts: &Parts, token: &Secret) -> Result<(), Error> {
    match RefreshToken::parse(token.reveal()) {
        Some(token) => sessions::end(&parts.database, token, parts.clock.now_us()).await,
        None => Ok(()),
    }
}

/// Exchanges the secret of an API key for an access token of its owner.
pub(crate) async fn login_with_api_key(parts: &Parts, secret: &Secret) -> Result<AccessToken, Error> {
    let secret = KeySecret::parse(secret.reveal()).ok_or(Error::WrongCredentials)?;
    let now_us = parts.clock.now_us();
    let owner = api_keys::owner(&parts.database, &secret, now_us).await?.ok_or(Error::WrongCredentials)?;
    parts.signer.issue(Subject::user(&owner.user_id, "", &owner.roles), now_us)
}

/// Exchanges the secret of the mesh for a token of the service `name`.
pub(crate) fn login_service(parts: &Parts, name: &str, mesh_secret: &Secret) -> Result<AccessToken, Error> {
    let is_name = (1..=SERVICE_NAME_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase());
    if !is_name {
        return Err(Error::invalid("service", "must be 1 to 32 characters a-z"));
    }
    // A mesh without a secret trusts nobody, rather than everybody who sends none.
    let known = &parts.mesh_secret;
    if known.is_empty() || !secrets::equal(known.reveal().as_bytes(), mesh_secret.reveal().as_bytes()) {
        return Err(Error::WrongCredentials);
    }
    parts.signer.issue(Subject::service(name), parts.clock.now_us())
}

fn pair(parts: &Parts, user: &User, token: &RefreshToken, times: (i64, i64)) -> Result<TokenPair, Error> {
    let (now_us, refresh_expire_time_us) = times;
    let subject = Subject::user(&user.user_id, &token.session_id(), &user.roles);
    Ok(TokenPair {
        access: parts.signer.issue(subject, now_us)?,
        refresh: token.reveal(),
        refresh_expire_time_us,
    })
}
