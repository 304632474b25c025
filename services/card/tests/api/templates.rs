//! Templates: created, found, changed and deleted by those who may.

use plexus_card::Card;
use plexus_card::Settings;
use plexus_proto::card::v1::{
    CardKind, CreateTemplateRequest, DeleteTemplateRequest, GetTemplateRequest, ListTemplateVersionsRequest,
    ListTemplatesRequest, Parameter, ParameterType, SearchTemplatesRequest, Template, UpdateTemplateRequest,
    Visibility,
};
use plexus_testkit::Harness;
use serde_json::json;
use tonic::Code;

use crate::{Mesh, PERMISSIONS, field, info, reason};

/// Calls at once, and how often, so that some of them look while another has just written.
const TWINS: usize = 8;
const ROUNDS: usize = 40;

/// A small template of one's own.
pub(crate) fn greeting() -> Template {
    Template {
        kind: CardKind::Custom.into(),
        display_name: "Greeting".to_owned(),
        description: "Says hello.".to_owned(),
        tags: vec!["Hello".to_owned()],
        parameters: vec![Parameter {
            name: "name".to_owned(),
            r#type: ParameterType::String.into(),
            required: true,
            ..Parameter::default()
        }],
        source: "<p>Hello {{ name }}</p>".to_owned(),
        stylesheet: "p { color: teal; }".to_owned(),
        ..Template::default()
    }
}

pub(crate) async fn create(
    mesh: &Mesh,
    user: &str,
    request_id: &str,
    template: Template,
) -> Result<Template, tonic::Status> {
    let request = CreateTemplateRequest { request_id: request_id.to_owned(), template: Some(template) };
    mesh.templates(user).create_template(request).await.map(tonic::Response::into_inner)
}

async fn update(
    mesh: &Mesh,
    user: &str,
    template: Template,
    paths: &[&str],
) -> Result<Template, tonic::Status> {
    let request = UpdateTemplateRequest {
        request_id: format!("{}{}{}", user, paths.join("+"), template.source.len()),
        template: Some(template),
        update_mask: Some(prost_types::FieldMask { paths: paths.iter().map(ToString::to_string).collect() }),
    };
    mesh.templates(user).update_template(request).await.map(tonic::Response::into_inner)
}

async fn get(mesh: &Mesh, user: &str, template_id: &str, version: i64) -> Result<Template, tonic::Status> {
    let request = GetTemplateRequest { template_id: template_id.to_owned(), version };
    mesh.templates(user).get_template(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_template_lives_from_its_creation_to_its_deletion() {
    let mesh = Mesh::start().await;
    let created = create(&mesh, "alice", "c", greeting()).await.unwrap();
    assert_eq!((created.version, created.owner_id.as_str(), created.built_in), (1, "alice", false));
    assert_eq!(created.visibility(), Visibility::Private);
    assert_eq!(get(&mesh, "alice", &created.template_id, 0).await.unwrap(), created);

    let changed = Template { source: "<p>Goodbye {{ name }}</p>".to_owned(), version: 1, ..created.clone() };
    let updated = update(&mesh, "alice", changed, &["source"]).await.unwrap();
    assert_eq!((updated.version, updated.display_name.as_str()), (2, "Greeting"));
    assert_eq!(get(&mesh, "alice", &created.template_id, 1).await.unwrap().source, created.source);
    assert_eq!(get(&mesh, "alice", &created.template_id, 3).await.unwrap_err().code(), Code::NotFound);
    let new = mesh.render("alice", &created.template_id, &json!({"name": "Bob"})).await.unwrap();
    assert!(new.fragment.contains("<p>Goodbye Bob</p>") && new.version == 2);

    let request = ListTemplateVersionsRequest {
        template_id: created.template_id.clone(),
        page_size: 1,
        page_token: String::new(),
    };
    let versions =
        mesh.templates("alice").list_template_versions(request.clone()).await.unwrap().into_inner();
    assert_eq!(versions.versions[0].version, 2);
    let request = ListTemplateVersionsRequest { page_token: versions.next_page_token, ..request };
    let versions = mesh.templates("alice").list_template_versions(request).await.unwrap().into_inner();
    assert_eq!((versions.versions[0].version, versions.next_page_token.as_str()), (1, ""));

    let request =
        DeleteTemplateRequest { request_id: "d".to_owned(), template_id: created.template_id.clone() };
    mesh.templates("alice").delete_template(request.clone()).await.unwrap();
    mesh.templates("alice").delete_template(request).await.unwrap();
    assert_eq!(get(&mesh, "alice", &created.template_id, 0).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn writes_may_be_repeated_and_changes_are_not_lost() {
    let mesh = Mesh::start().await;
    let created = create(&mesh, "alice", "c", greeting()).await.unwrap();
    assert_eq!(create(&mesh, "alice", "c", greeting()).await.unwrap(), created);
    let other = Template { display_name: "Other".to_owned(), ..greeting() };
    assert_eq!(reason(&create(&mesh, "alice", "c", other).await.unwrap_err()), "REQUEST_ID_REUSED");

    let changed = Template { description: "New.".to_owned(), version: 1, ..created.clone() };
    let updated = update(&mesh, "alice", changed.clone(), &["description"]).await.unwrap();
    assert_eq!(update(&mesh, "alice", changed.clone(), &["description"]).await.unwrap(), updated);
    let stale = update(&mesh, "alice", changed, &["tags"]).await.unwrap_err();
    assert_eq!((stale.code(), reason(&stale).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
}

/// The answers to `TWINS` calls at once, which differ in nothing.
async fn at_once<T, F>(call: impl Fn() -> F) -> Vec<Result<T, tonic::Code>>
where
    T: Send + 'static,
    F: Future<Output = Result<tonic::Response<T>, tonic::Status>> + Send + 'static,
{
    let calls: Vec<_> = (0..TWINS).map(|_| tokio::spawn(call())).collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap().map(tonic::Response::into_inner).map_err(|status| status.code()));
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_that_arrive_several_times_at_once_are_answered_alike() {
    let mesh = Mesh::start().await;
    let client = mesh.templates("alice");
    for round in 0..ROUNDS {
        let created = create(&mesh, "alice", &format!("c{round}"), greeting()).await.unwrap();
        let template_id = created.template_id.clone();
        let update = UpdateTemplateRequest {
            request_id: format!("u{round}"),
            template: Some(Template { description: "New.".to_owned(), ..created }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["description".to_owned()] }),
        };
        let updated = at_once(|| {
            let (mut client, update) = (client.clone(), update.clone());
            async move { client.update_template(update).await }
        });
        let updated = updated.await;
        assert!(updated[0].is_ok() && updated.iter().all(|answer| *answer == updated[0]), "{updated:?}");
        let deleted = at_once(|| {
            let (mut client, template_id) = (client.clone(), template_id.clone());
            let request = DeleteTemplateRequest { request_id: format!("d{round}"), template_id };
            async move { client.delete_template(request).await }
        });
        let deleted = deleted.await;
        assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
    }
}

#[tokio::test]
async fn others_see_only_what_is_shared_and_change_nothing() {
    let mesh = Mesh::start().await;
    let created = create(&mesh, "alice", "c", greeting()).await.unwrap();
    let id = created.template_id.clone();
    assert_eq!(get(&mesh, "bob", &id, 0).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(mesh.render("bob", &id, &json!({"name": "x"})).await.unwrap_err().code(), Code::NotFound);
    let hidden = update(&mesh, "bob", created.clone(), &["source"]).await.unwrap_err();
    assert_eq!(hidden.code(), Code::NotFound);

    let shared = Template { visibility: Visibility::Shared.into(), ..created.clone() };
    update(&mesh, "alice", shared, &["visibility"]).await.unwrap();
    assert_eq!(get(&mesh, "bob", &id, 0).await.unwrap().owner_id, "alice");
    mesh.render("bob", &id, &json!({"name": "x"})).await.unwrap();
    let denied = update(&mesh, "bob", created, &["source"]).await.unwrap_err();
    assert_eq!(reason(&denied), "PERMISSION_DENIED");
    let request = DeleteTemplateRequest { request_id: "d".to_owned(), template_id: id };
    assert_eq!(
        reason(&mesh.templates("bob").delete_template(request).await.unwrap_err()),
        "PERMISSION_DENIED"
    );

    let service = plexus_proto::card::v1::template_service_client::TemplateServiceClient::new(
        mesh.0.channel("service:ai", &PERMISSIONS),
    );
    let request = CreateTemplateRequest { request_id: "s".to_owned(), template: Some(greeting()) };
    assert_eq!(service.clone().create_template(request).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn built_in_templates_are_there_for_everybody_and_change_for_nobody() {
    let mesh = Mesh::start().await;
    for id in ["product", "info", "custom"] {
        let template = get(&mesh, "alice", id, 0).await.unwrap();
        assert!(template.built_in && template.owner_id.is_empty() && !template.source.is_empty());
        let refused = update(&mesh, "alice", template, &["source"]).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "WRONG_STATE"));
        let request = DeleteTemplateRequest { request_id: id.to_owned(), template_id: id.to_owned() };
        assert_eq!(
            reason(&mesh.templates("alice").delete_template(request).await.unwrap_err()),
            "WRONG_STATE"
        );
        let request = ListTemplateVersionsRequest {
            template_id: id.to_owned(),
            ..ListTemplateVersionsRequest::default()
        };
        let versions =
            mesh.templates("alice").list_template_versions(request).await.unwrap().into_inner().versions;
        assert_eq!(versions.iter().map(|version| version.version).collect::<Vec<_>>(), [1]);
    }
}

#[tokio::test]
async fn lists_go_on_page_by_page_without_the_sources() {
    let mesh = Mesh::start().await;
    let mut own = Vec::new();
    for index in 0..3 {
        own.insert(0, create(&mesh, "alice", &format!("c{index}"), greeting()).await.unwrap().template_id);
    }
    let mut expected: Vec<String> = ["product", "info", "custom"].map(str::to_owned).to_vec();
    expected.extend(own.clone());
    for page_size in [1, 2, 3, 4, 200] {
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListTemplatesRequest { page_size, page_token, ..ListTemplatesRequest::default() };
            let answer = mesh.templates("alice").list_templates(request).await.unwrap().into_inner();
            assert!(
                answer
                    .templates
                    .iter()
                    .all(|template| template.source.is_empty() && template.parameters.is_empty())
            );
            found.extend(answer.templates.into_iter().map(|template| template.template_id));
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(found, expected, "{page_size}");
    }
    let request = ListTemplatesRequest {
        owned: true,
        kind: CardKind::Custom.into(),
        ..ListTemplatesRequest::default()
    };
    let answer = mesh.templates("alice").list_templates(request).await.unwrap().into_inner();
    assert_eq!(answer.templates.into_iter().map(|template| template.template_id).collect::<Vec<_>>(), own);
    let request = ListTemplatesRequest { page_token: "AAAA".to_owned(), ..ListTemplatesRequest::default() };
    assert_eq!(field(&mesh.templates("alice").list_templates(request).await.unwrap_err()), "page_token");
}

#[tokio::test]
async fn a_search_finds_own_shared_and_built_in_templates() {
    let mesh = Mesh::start().await;
    let created = create(&mesh, "alice", "c", greeting()).await.unwrap();
    for (user, query, expected) in [
        ("alice", "HELLO", vec![created.template_id.as_str()]),
        ("bob", "hello", vec![]),
        ("bob", "price RATING", vec!["product"]),
        ("alice", "card", vec!["product", "info", "custom"]),
        ("alice", "hello nothing", vec![]),
    ] {
        let request = SearchTemplatesRequest { query: query.to_owned(), ..SearchTemplatesRequest::default() };
        let answer = mesh.templates(user).search_templates(request).await.unwrap().into_inner();
        assert_eq!(
            answer.templates.iter().map(|template| template.template_id.as_str()).collect::<Vec<_>>(),
            expected,
            "{query}"
        );
    }
    let request =
        SearchTemplatesRequest { query: "a b c d e f g h i".to_owned(), ..SearchTemplatesRequest::default() };
    assert_eq!(field(&mesh.templates("alice").search_templates(request).await.unwrap_err()), "query");
}

#[tokio::test]
async fn a_template_that_breaks_a_rule_is_refused_where_it_does() {
    let mesh = Mesh::start().await;
    let script = Template { source: "<p>ok</p>\n<script>alert(1)</script>".to_owned(), ..greeting() };
    let refused = create(&mesh, "alice", "1", script).await.unwrap_err();
    let (reason, metadata) = info(&refused);
    assert_eq!((refused.code(), reason.as_str()), (Code::InvalidArgument, "TEMPLATE_INVALID"));
    assert_eq!((metadata["line"].as_str(), metadata["column"].as_str()), ("2", "1"));
    assert_eq!(field(&refused), "template.source");

    let style =
        Template { stylesheet: "p{}\n.a{background:url(https://evil.example)}".to_owned(), ..greeting() };
    let refused = create(&mesh, "alice", "2", style).await.unwrap_err();
    assert_eq!((info(&refused).1["line"].as_str(), field(&refused).as_str()), ("2", "template.stylesheet"));

    let mut twice = greeting();
    twice.parameters.push(twice.parameters[0].clone());
    let mut default = greeting();
    default.parameters[0].required = false;
    default.parameters[0].default_value = Some(crate::proto(&json!(1)));
    for (index, (template, path)) in [
        (Template { kind: 0, ..greeting() }, "template.kind"),
        (Template { kind: 9, ..greeting() }, "kind"),
        (Template { display_name: String::new(), ..greeting() }, "template.display_name"),
        (Template { tags: vec![String::new()], ..greeting() }, "template.tags[0]"),
        (Template { visibility: 9, ..greeting() }, "template.visibility"),
        (twice, "template.parameters[1].name"),
        (default, "template.parameters[0].default_value"),
        (Template { description: "x".repeat(1025), ..greeting() }, "template.description"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(field(&create(&mesh, "alice", &format!("w{index}"), template).await.unwrap_err()), path);
    }
    let created = create(&mesh, "alice", "c", greeting()).await.unwrap();
    assert_eq!(field(&update(&mesh, "alice", created.clone(), &["kind"]).await.unwrap_err()), "update_mask");
    assert_eq!(field(&update(&mesh, "alice", created.clone(), &[]).await.unwrap_err()), "update_mask");
    // A source whose parameters go away is no longer right.
    let without = Template { parameters: Vec::new(), ..created };
    assert_eq!(
        crate::reason(&update(&mesh, "alice", without, &["parameters"]).await.unwrap_err()),
        "TEMPLATE_INVALID"
    );
}

#[tokio::test]
async fn a_user_has_as_many_templates_as_the_settings_say() {
    let settings = Settings { templates_per_owner_max: 1, ..Settings::default() };
    let mesh = Mesh(Harness::of::<Card>().settings(settings).start().await.unwrap());
    create(&mesh, "alice", "1", greeting()).await.unwrap();
    let refused = create(&mesh, "alice", "2", greeting()).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "LIMIT_EXCEEDED"));
    create(&mesh, "bob", "2", greeting()).await.unwrap();
}

#[tokio::test]
async fn each_permission_opens_its_own_methods() {
    let mesh = Mesh::start().await;
    let mut nobody = plexus_proto::card::v1::template_service_client::TemplateServiceClient::new(
        mesh.0.channel("user:a", &["card.cards.render"]),
    );
    let refused = nobody
        .get_template(GetTemplateRequest { template_id: "info".to_owned(), version: 0 })
        .await
        .unwrap_err();
    assert_eq!(info(&refused).1["permission"], "card.templates.read");
    let refused = nobody.create_template(CreateTemplateRequest::default()).await.unwrap_err();
    assert_eq!(info(&refused).1["permission"], "card.templates.write");
    let mut reader = plexus_proto::card::v1::card_service_client::CardServiceClient::new(
        mesh.0.channel("user:a", &["card.templates.read"]),
    );
    let refused = reader.render_card(plexus_proto::card::v1::RenderCardRequest::default()).await.unwrap_err();
    assert_eq!(info(&refused).1["permission"], "card.cards.render");
}
