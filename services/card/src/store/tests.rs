//! The suite of the store: the same questions on SQLite and on PostgreSQL.

use plexus_runtime::{identity::Caller, stores::requests::RequestKey};
use plexus_testkit::stores::each_engine;

use super::*;
use crate::{
    Card,
    template::{About, Change, Content, Kind, Visibility},
};

const NOW_US: i64 = 1_795_236_845_500_000;

/// The answer that the suite keeps: any message will do.
type Answer = prost_types::Duration;

fn key(request_id: &str, body: i64) -> RequestKey {
    let caller = Caller::new("user:alice", "", std::collections::BTreeSet::new());
    RequestKey::new(&caller, "Test", request_id, &answer(body)).unwrap()
}

fn answer(seconds: i64) -> Answer {
    Answer { seconds, nanos: 0 }
}

fn template(template_id: &str, owner_id: &str, display_name: &str) -> Template {
    let about = About {
        kind: Kind::Info,
        display_name: display_name.to_owned(),
        description: "100% of Ärger_frei!".to_owned(),
        tags: vec!["Blue".to_owned()],
        visibility: Visibility::Private,
    };
    let summary = Summary {
        template_id: template_id.to_owned(),
        owner_id: owner_id.to_owned(),
        about,
        version: 1,
        create_time_us: NOW_US,
        update_time_us: NOW_US,
    };
    let content =
        Content { parameters: Vec::new(), source: "<p>1</p>".to_owned(), stylesheet: String::new() };
    Template { summary, content }
}

async fn create(store: &Store, template: &Template) {
    let key = key(&template.summary.template_id, 0);
    store.create(key, template.clone(), answer(1), 100).await.unwrap();
}

fn next(template: &Template, source: &str) -> Template {
    let mut next = template.clone();
    next.apply(Change {
        source: Some(source.to_owned()),
        display_name: Some(source.to_owned()),
        ..Change::default()
    });
    next.summary.version += 1;
    next.summary.update_time_us += 1;
    next
}

async fn ids(store: &Store, filter: Filter, page: Page) -> Vec<String> {
    let found = store.templates(&filter, page).await.unwrap();
    found.into_iter().map(|summary| summary.template_id).collect()
}

fn all(size: i64) -> Page {
    Page { after: String::new(), size }
}

#[tokio::test]
async fn what_is_kept_is_read_again_in_each_version() {
    each_engine::<Card, _, _>(|database| async move {
        let store = Store::new(database);
        let first = template("t-1", "alice", "First");
        create(&store, &first).await;
        assert_eq!(store.template("t-1", 0).await.unwrap(), Some(first.clone()));
        let second = next(&first, "<p>2</p>");
        store.update(key("update", 0), second.clone(), answer(2)).await.unwrap();
        assert_eq!(store.template("t-1", 0).await.unwrap(), Some(second.clone()));
        assert_eq!(store.template("t-1", 1).await.unwrap(), Some(first.clone()));
        assert_eq!(store.template("t-1", 3).await.unwrap(), None);
        assert_eq!(store.summary("t-1").await.unwrap(), Some(second.summary.clone()));
        assert_eq!(store.versions("t-1", 0, 10).await.unwrap(), [(2, NOW_US + 1), (1, NOW_US)]);
        assert_eq!(store.versions("t-1", 2, 10).await.unwrap(), [(1, NOW_US)]);
        assert_eq!(store.template("t-2", 0).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn of_two_updates_from_the_same_version_one_is_kept() {
    each_engine::<Card, _, _>(|database| async move {
        let store = Store::new(database);
        let first = template("t-1", "alice", "First");
        create(&store, &first).await;
        let update = |name: &'static str| store.update(key(name, 0), next(&first, name), answer(0));
        let (one, two) = futures_util::future::join(update("one"), update("two")).await;
        let kept = if one.is_ok() { "one" } else { "two" };
        assert!(matches!(
            (one, two),
            (Ok(_), Err(Error::Changed { .. })) | (Err(Error::Changed { .. }), Ok(_))
        ));
        assert_eq!(store.template("t-1", 0).await.unwrap().unwrap().content.source, kept);
        assert_eq!(store.versions("t-1", 0, 10).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_write_is_answered_as_the_first_time() {
    each_engine::<Card, _, _>(|database| async move {
        let store = Store::new(database);
        let first = template("t-1", "alice", "First");
        assert_eq!(store.create(key("a", 0), first.clone(), answer(1), 100).await.unwrap(), answer(1));
        assert_eq!(
            store.create(key("a", 0), template("t-2", "alice", "x"), answer(2), 100).await.unwrap(),
            answer(1)
        );
        assert_eq!(store.replay::<Answer>(&key("a", 0)).await.unwrap(), Some(answer(1)));
        assert_eq!(store.replay::<Answer>(&key("b", 0)).await.unwrap(), None);
        assert!(matches!(store.replay::<Answer>(&key("a", 1)).await, Err(Error::Replay(_))));
        assert_eq!(store.template("t-2", 0).await.unwrap(), None);
        assert_eq!(store.prune(NOW_US).await.unwrap(), 0);
        assert_eq!(store.prune(NOW_US + 1).await.unwrap(), 1);
        assert_eq!(store.replay::<Answer>(&key("a", 0)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn old_versions_make_room_and_deleted_templates_leave_nothing() {
    each_engine::<Card, _, _>(|database| async move {
        let store = Store::new(database.clone());
        let mut newest = template("t-1", "alice", "First");
        create(&store, &newest).await;
        for number in 0..VERSIONS_MAX + 2 {
            newest = next(&newest, "<p>x</p>");
            store.update(key(&format!("u{number}"), 0), newest.clone(), answer(0)).await.unwrap();
        }
        let versions = store.versions("t-1", 0, 1000).await.unwrap();
        assert_eq!(versions.len(), usize::try_from(VERSIONS_MAX).unwrap());
        assert_eq!(versions[0].0, VERSIONS_MAX + 3);
        store.delete(key("d", 0), "t-1".to_owned(), NOW_US, answer(0)).await.unwrap();
        assert_eq!(store.summary("t-1").await.unwrap(), None);
        let left = sqlx::query("select count(*) from versions").fetch_one(database.reads()).await.unwrap();
        assert_eq!(left.get::<i64, _>(0), 0);
        let again = store.delete(key("e", 0), "t-1".to_owned(), NOW_US, answer(0)).await;
        assert!(matches!(again, Err(Error::NotFound { .. })));
    })
    .await;
}

#[tokio::test]
async fn lists_hold_what_the_viewer_may_use() {
    each_engine::<Card, _, _>(|database| async move {
        let store = Store::new(database);
        let mut shared = template("t-2", "bob", "Of Bob");
        shared.summary.about.visibility = Visibility::Shared;
        shared.summary.about.kind = Kind::Product;
        for template in [
            &template("t-1", "alice", "Of Alice"),
            &shared,
            &template("t-3", "bob", "Secret"),
            &template("t-4", "alice", "New"),
        ] {
            create(&store, template).await;
        }
        let alice = Filter { viewer_id: "alice".to_owned(), ..Filter::default() };
        assert_eq!(ids(&store, alice.clone(), all(10)).await, ["t-4", "t-2", "t-1"]);
        assert_eq!(ids(&store, alice.clone(), all(2)).await, ["t-4", "t-2"]);
        assert_eq!(ids(&store, alice.clone(), Page { after: "t-2".to_owned(), size: 2 }).await, ["t-1"]);
        assert_eq!(ids(&store, Filter { owned: true, ..alice.clone() }, all(10)).await, ["t-4", "t-1"]);
        assert_eq!(
            ids(&store, Filter { kind: Some(Kind::Product), ..alice.clone() }, all(10)).await,
            ["t-2"]
        );
        assert_eq!(ids(&store, Filter::default(), all(10)).await, ["t-2"]);
    })
    .await;
}

#[tokio::test]
async fn a_search_finds_all_words_in_any_case_and_no_pattern() {
    each_engine::<Card, _, _>(|database| async move {
        let store = Store::new(database);
        create(&store, &template("t-1", "alice", "Über Mond")).await;
        create(&store, &template("t-2", "alice", "Sonne")).await;
        for (query, found) in [
            ("ÜBER", vec!["t-1"]),
            ("mond blue", vec!["t-1"]),
            ("mond sonne", vec![]),
            ("ärger", vec!["t-2", "t-1"]),
            ("100%", vec!["t-2", "t-1"]),
            ("r_f", vec!["t-2", "t-1"]),
            ("s_nne", vec![]),
            ("m%d", vec![]),
            ("frei!", vec!["t-2", "t-1"]),
            ("'; drop table templates", vec![]),
        ] {
            let words = query.split(' ').map(str::to_owned).collect();
            let filter = Filter { viewer_id: "alice".to_owned(), words, ..Filter::default() };
            assert_eq!(ids(&store, filter, all(10)).await, found, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_owner_has_as_many_templates_as_allowed() {
    each_engine::<Card, _, _>(|database| async move {
        let store = Store::new(database);
        create(&store, &template("t-1", "alice", "One")).await;
        let second = store.create(key("b", 0), template("t-2", "alice", "Two"), answer(0), 1).await;
        assert!(matches!(second, Err(Error::TooManyTemplates { max: 1, .. })));
        store.create(key("c", 0), template("t-3", "bob", "Three"), answer(0), 1).await.unwrap();
    })
    .await;
}
