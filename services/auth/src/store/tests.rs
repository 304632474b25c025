//! The questions to the store, on a fresh SQLite and a fresh PostgreSQL database each.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use plexus_testkit::stores::each_engine;

use super::{
    keys::{self, Purpose},
    sessions::{self, Lifetime, Refreshed},
    users::{self, Credentials, PasswordChange},
    *,
};
use crate::{
    Auth,
    error::Kind,
    refresh_token::RefreshToken,
    role::Role,
    user::{Change, User},
};

const NOW_US: i64 = 1_800_000_000_000_000;
const LIFETIME: Lifetime = Lifetime { idle_us: 100, most_us: 250 };

/// A write of somebody who may do everything.
fn write(request_id: &str, now_us: i64) -> Write {
    let all: BTreeSet<String> = plexus_runtime::identity::permissions().iter().cloned().collect();
    let caller = Caller::new("user:root", "s", all);
    let key = RequestKey::with_body_hash(&caller, "test", request_id, vec![1]).unwrap();
    Write { caller, key, now_us }
}

fn credentials(login_name: &str, roles: &[&str]) -> Credentials {
    let roles = roles.iter().map(ToString::to_string).collect();
    let user = User::new(login_name.to_owned(), "Display".to_owned(), roles, NOW_US);
    Credentials { user, password_hash: "hash".to_owned() }
}

async fn create(database: &Database, login_name: &str, roles: &[&str]) -> User {
    users::create(database, write(login_name, NOW_US), credentials(login_name, roles)).await.unwrap()
}

async fn begin(database: &Database, user: &User) -> RefreshToken {
    let token = RefreshToken::first().unwrap();
    let found = users::credentials(database.reads(), &user.user_id).await.unwrap();
    sessions::begin(database, found, token.clone(), (NOW_US, LIFETIME)).await.unwrap().unwrap();
    token
}

async fn rotate(database: &Database, token: &RefreshToken, now_us: i64) -> (Refreshed, RefreshToken) {
    let next = token.next().unwrap();
    let outcome = sessions::rotate(database, token.clone(), next.clone(), (now_us, LIFETIME)).await.unwrap();
    (outcome, next)
}

#[tokio::test]
async fn of_many_candidates_for_a_key_all_get_the_same_one() {
    each_engine::<Auth, _, _>(|database| async move {
        let offers = (0..8).map(|number| keys::settle(&database, Purpose::Signing, vec![number], NOW_US));
        let settled: BTreeSet<Vec<u8>> = join_all(offers).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(settled.len(), 1);
        let other = keys::settle(&database, Purpose::Derivation, vec![99], NOW_US).await.unwrap();
        assert_eq!(other, [99]);
    })
    .await;
}

#[tokio::test]
async fn of_many_first_starts_one_makes_the_administrator() {
    each_engine::<Auth, _, _>(|database| async move {
        assert!(!keys::is_started(&database).await.unwrap());
        let starts = (0..8).map(|_| keys::make_administrator(&database, credentials("admin", &["admin"])));
        let made = join_all(starts).await.into_iter().filter(|made| *made.as_ref().unwrap()).count();
        assert_eq!(made, 1);
        assert!(keys::is_started(&database).await.unwrap());
        assert_eq!(users::list(&database, "", 10).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_user_comes_back_as_it_was_written() {
    each_engine::<Auth, _, _>(|database| async move {
        let user = create(&database, "Alice", &["admin", "user"]).await;
        assert_eq!(users::find(database.reads(), &user.user_id).await.unwrap(), user);
        let found = users::by_login_name(&database, "aLICE").await.unwrap().unwrap();
        assert_eq!((found.user, found.password_hash), (user.clone(), "hash".to_owned()));
        assert!(users::by_login_name(&database, "bob").await.unwrap().is_none());

        let change = Change { display_name: Some("Other".to_owned()), roles: Some(vec!["user".to_owned()]) };
        let changed =
            users::update(&database, write("u", NOW_US + 1), user.user_id.clone(), change).await.unwrap();
        let roles = vec!["user".to_owned()];
        let expected = User { display_name: "Other".to_owned(), roles, update_time_us: NOW_US + 1, ..user };
        assert_eq!(changed, expected);
    })
    .await;
}

#[tokio::test]
async fn a_refused_write_leaves_nothing_behind() {
    each_engine::<Auth, _, _>(|database| async move {
        let unknown = credentials("alice", &["unheard-of"]);
        let refused = users::create(&database, write("r", NOW_US), unknown).await.unwrap_err();
        assert!(matches!(refused, Error::NotFound { kind: Kind::Role, .. }), "{refused:?}");
        assert!(users::by_login_name(&database, "alice").await.unwrap().is_none());
        // Nor does the request id count as used.
        users::create(&database, write("r", NOW_US), credentials("alice", &[])).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_role_is_versioned_and_deleted_only_when_nobody_holds_it() {
    each_engine::<Auth, _, _>(|database| async move {
        let before = roles::version(&database).await.unwrap();
        let role = Role::new("clerk".to_owned(), vec!["auth.users.read".to_owned()]).unwrap();
        roles::set(&database, write("r1", NOW_US), role.clone()).await.unwrap();
        assert_eq!(roles::find(database.reads(), "clerk").await.unwrap(), Some(role));
        let after = roles::version(&database).await.unwrap();
        assert!(after > before);

        let user = create(&database, "alice", &["clerk"]).await;
        let held = roles::delete(&database, write("r2", NOW_US), "clerk".to_owned()).await;
        assert!(matches!(held, Err(Error::WrongState(_))), "{held:?}");
        assert_eq!(roles::version(&database).await.unwrap(), after);
        let change = Change { display_name: None, roles: Some(Vec::new()) };
        users::update(&database, write("r3", NOW_US), user.user_id, change).await.unwrap();
        roles::delete(&database, write("r4", NOW_US), "clerk".to_owned()).await.unwrap();
        let names: Vec<String> =
            roles::list(&database, "", 9).await.unwrap().into_iter().map(|role| role.name).collect();
        assert_eq!(names, ["admin", "user"]);
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_works_once_and_within_its_times() {
    each_engine::<Auth, _, _>(|database| async move {
        let user = create(&database, "alice", &[]).await;
        let first = begin(&database, &user).await;
        let (outcome, second) = rotate(&database, &first, NOW_US + 99).await;
        assert!(matches!(outcome, Refreshed::Rotated(_, until) if until == NOW_US + 199), "{outcome:?}");
        let (outcome, third) = rotate(&database, &second, NOW_US + 198).await;
        assert!(matches!(outcome, Refreshed::Rotated(_, until) if until == NOW_US + 250), "{outcome:?}");
        let (outcome, _) = rotate(&database, &third, NOW_US + 250).await;
        assert!(matches!(outcome, Refreshed::Over), "{outcome:?}");

        let first = begin(&database, &user).await;
        let (_, second) = rotate(&database, &first, NOW_US).await;
        assert!(matches!(rotate(&database, &first, NOW_US).await.0, Refreshed::Reused));
        assert!(matches!(rotate(&database, &first, NOW_US).await.0, Refreshed::Over));
        assert!(matches!(rotate(&database, &second, NOW_US).await.0, Refreshed::Over));
    })
    .await;
}

#[tokio::test]
async fn a_session_does_not_begin_on_a_password_that_has_just_changed() {
    each_engine::<Auth, _, _>(|database| async move {
        let user = create(&database, "alice", &[]).await;
        let (kept, other) = (begin(&database, &user).await, begin(&database, &user).await);
        let checked = users::credentials(database.reads(), &user.user_id).await.unwrap();
        let change = |new: &str| PasswordChange {
            user_id: user.user_id.clone(),
            session_id: kept.session_id(),
            old_hash: "hash".to_owned(),
            new_hash: new.to_owned(),
        };
        users::change_password(&database, write("c1", NOW_US), change("new")).await.unwrap();
        let late = users::change_password(&database, write("c2", NOW_US), change("newer")).await;
        assert!(matches!(late, Err(Error::WrongCredentials)), "{late:?}");

        let token = RefreshToken::first().unwrap();
        assert_eq!(sessions::begin(&database, checked, token, (NOW_US, LIFETIME)).await.unwrap(), None);
        assert!(matches!(rotate(&database, &other, NOW_US).await.0, Refreshed::Over));
        assert!(matches!(rotate(&database, &kept, NOW_US).await.0, Refreshed::Rotated(..)));
    })
    .await;
}

#[tokio::test]
async fn what_is_over_is_forgotten_after_a_day_and_nothing_sooner() {
    each_engine::<Auth, _, _>(|database| async move {
        let user = create(&database, "alice", &[]).await;
        let ended = begin(&database, &user).await;
        sessions::end(&database, ended.clone(), NOW_US).await.unwrap();
        begin(&database, &user).await;
        assert_eq!(sessions::forget(&database, NOW_US + KEPT_US).await.unwrap(), 0);
        assert_eq!(forget_requests(&database, NOW_US + KEPT_US).await.unwrap(), 0);
        // One has ended, the other idles since a little later.
        assert_eq!(sessions::forget(&database, NOW_US + KEPT_US + 1).await.unwrap(), 1);
        assert_eq!(sessions::forget(&database, NOW_US + KEPT_US + 101).await.unwrap(), 1);
        assert_eq!(forget_requests(&database, NOW_US + KEPT_US + 1).await.unwrap(), 1);
    })
    .await;
}
