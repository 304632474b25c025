//! The first start on an empty database: the keys of the server, and its first administrator.

use plexus_runtime::{
    identity::SigningKey, notices::Notices, service::Dependencies, settings::Secret,
    stores::database::Database,
};

use crate::{
    config::Settings,
    error::Error,
    password::{self, Hasher},
    permissions::ADMIN_ROLE,
    secrets::{DIGEST_BYTES, Derivation, random},
    store::{
        keys::{self, Purpose},
        users::Credentials,
    },
    user::User,
};

/// The key that signs tokens, made if there is none.
///
/// # Errors
/// When the store fails or holds something else.
pub(crate) async fn signing_key(with: &Dependencies) -> Result<SigningKey, Error> {
    let failed = |_| Error::Cryptography("the signing key");
    let candidate = SigningKey::generate().map_err(failed)?.pkcs8().to_vec();
    let settled = keys::settle(&with.database, Purpose::Signing, candidate, with.clock.now_us()).await?;
    SigningKey::from_pkcs8(&settled).map_err(failed)
}

/// What derives values from the secrets of the server, made if there is none.
///
/// # Errors
/// When the store fails.
pub(crate) async fn derivation(with: &Dependencies) -> Result<Derivation, Error> {
    let candidate = random::<DIGEST_BYTES>()?.to_vec();
    let settled = keys::settle(&with.database, Purpose::Derivation, candidate, with.clock.now_us()).await?;
    Ok(Derivation::new(&settled, &with.mesh_secret))
}

/// Makes the first administrator if there is none, and tells whoever started the process a password made here.
///
/// # Errors
/// When the store or hashing fails.
pub(crate) async fn administrator(
    with: &Dependencies,
    settings: &Settings,
    hasher: &Hasher,
) -> Result<(), Error> {
    if keys::is_started(&with.database).await? {
        return Ok(());
    }
    let made = settings.admin_password.is_empty();
    let password = if made { password::generate()? } else { settings.admin_password.clone() };
    let new = credentials(settings, hasher.hash(password.clone()).await?, with.clock.now_us());
    if make(&with.database, new).await? && made {
        announce(&with.notices, &settings.admin_login_name, &password);
    }
    Ok(())
}

async fn make(database: &Database, new: Credentials) -> Result<bool, Error> {
    let first = keys::make_administrator(database, new).await?;
    if first {
        tracing::info!("the first administrator has been made");
    }
    Ok(first)
}

fn credentials(settings: &Settings, password_hash: String, now_us: i64) -> Credentials {
    let (login_name, roles) = (settings.admin_login_name.clone(), vec![ADMIN_ROLE.to_owned()]);
    Credentials { user: User::new(login_name, "Administrator".to_owned(), roles, now_us), password_hash }
}

fn announce(notices: &Notices, login_name: &str, password: &Secret) {
    notices.say(format!(
        "The first administrator is \"{login_name}\" with the password {}\n\
         It is shown this once and kept nowhere; change it after the first login.",
        password.reveal()
    ));
}
