//! Repeated writes get their first answer again.

use std::collections::BTreeSet;

use plexus_proto::auth::v1::{CreateUserRequest, User};
use plexus_runtime::{
    identity::Caller,
    status::{Problem, Reason},
    stores::{
        database::{Database, Error},
        requests::{self, ReplayError, RequestKey},
    },
};
use plexus_testkit::stores::each_engine;

use crate::Notes;

fn request(name: &str) -> CreateUserRequest {
    CreateUserRequest { request_id: "r-1".to_owned(), login_name: name.to_owned(), ..Default::default() }
}

fn key(subject: &str, body: &CreateUserRequest) -> RequestKey {
    let caller = Caller::new(subject, "", BTreeSet::new());
    RequestKey::new(&caller, "CreateUser", &body.request_id, body).unwrap()
}

/// Creates a user whose id is `fresh_id`, unless the request was answered before.
async fn create(database: &Database, key: RequestKey, fresh_id: &'static str) -> Result<User, ReplayError> {
    database
        .write(move |tx| {
            Box::pin(async move {
                if let Some(user) = requests::replay::<User>(tx, &key).await? {
                    return Ok(user);
                }
                // What the write does, and could not do twice.
                let note = sqlx::query("insert into notes (id, body, size) values ($1, '', 0)");
                let name = format!("{key:?}");
                note.bind(name).execute(&mut *tx).await.map_err(Error::from)?;
                let user = User { user_id: fresh_id.to_owned(), ..Default::default() };
                requests::record(tx, &key, &user, 1).await?;
                Ok(user)
            })
        })
        .await
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_and_another_body_is_refused() {
    each_engine::<Notes, _, _>(|database| async move {
        let alice = request("alice");
        assert_eq!(create(&database, key("user:a", &alice), "1").await.unwrap().user_id, "1");
        assert_eq!(create(&database, key("user:a", &alice), "2").await.unwrap().user_id, "1");

        let refused = create(&database, key("user:a", &request("bob")), "3").await.unwrap_err();
        assert_eq!(Problem::from(refused).reason(), Reason::RequestIdReused);
    })
    .await;
}

#[tokio::test]
async fn the_ids_of_one_caller_mean_nothing_to_another() {
    each_engine::<Notes, _, _>(|database| async move {
        let body = request("alice");
        assert_eq!(create(&database, key("user:a", &body), "1").await.unwrap().user_id, "1");
        assert_eq!(create(&database, key("user:b", &body), "2").await.unwrap().user_id, "2");
    })
    .await;
}

#[tokio::test]
async fn many_at_once_get_one_answer_and_have_one_effect() {
    each_engine::<Notes, _, _>(|database| async move {
        let body = request("alice");
        let ids = ["1", "2", "3", "4", "5", "6", "7", "8"];
        let calls = ids.map(|id| create(&database, key("user:a", &body), id));
        let mut answers = BTreeSet::new();
        for outcome in futures_util::future::join_all(calls).await {
            answers.insert(outcome.unwrap().user_id);
        }
        assert_eq!(answers.len(), 1);
    })
    .await;
}

#[test]
fn an_id_that_is_missing_or_too_long_is_refused_by_name() {
    let caller = Caller::new("user:a", "", BTreeSet::new());
    for id in [String::new(), "x".repeat(65)] {
        let problem = RequestKey::new(&caller, "CreateUser", &id, &request("a")).unwrap_err();
        assert!(problem.to_string().starts_with("request_id"));
    }
}
