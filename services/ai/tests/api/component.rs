//! Components from prompts.

use std::collections::BTreeSet;

use plexus_proto::ai::v1::{
    GenerateComponentRequest, GenerateComponentResponse, component_service_client::ComponentServiceClient,
};
use prost_types::{Struct, Value, value::Kind};
use tonic::Code;

use crate::{
    PLENTY, alice,
    fake_quota::{Asked, FakeQuota},
    metadata, reason, start,
};

fn field<'s>(object: &'s Struct, name: &str) -> &'s Kind {
    object.fields[name].kind.as_ref().unwrap()
}

fn inner<'s>(object: &'s Struct, name: &str) -> &'s Struct {
    let Kind::StructValue(inner) = field(object, name) else { panic!("{name} is no object") };
    inner
}

fn text(value: &Value) -> String {
    let Some(Kind::StringValue(text)) = &value.kind else { panic!("{value:?} is no text") };
    text.clone()
}

fn components(answer: &GenerateComponentResponse) -> Vec<Struct> {
    let Kind::ListValue(list) = field(inner(&answer.messages[1], "updateComponents"), "components") else {
        panic!("no components")
    };
    let object = |value: &Value| match &value.kind {
        Some(Kind::StructValue(object)) => object.clone(),
        _ => panic!("{value:?} is no component"),
    };
    list.values.iter().map(object).collect()
}

#[tokio::test]
async fn a_component_is_a_flat_tree_whose_names_all_exist() {
    let quota = FakeQuota::granting(PLENTY);
    let mesh = start(plexus_ai::Settings::default(), &quota).await;
    let mut client = ComponentServiceClient::new(alice(&mesh));
    let prompt = "a pricing table with Basic $9, Pro $29 and Team $99";
    let request = GenerateComponentRequest { request_id: String::new(), prompt: prompt.to_owned() };
    let answer = client.generate_component(request).await.unwrap().into_inner();
    assert_eq!(
        (answer.entry.as_str(), answer.filled_slots.as_slice()),
        ("pricing", &["items".to_owned()][..])
    );
    assert!(answer.description.contains("placeholders"));
    assert_eq!(answer.messages.len(), 3);
    assert_eq!(
        field(inner(&answer.messages[0], "createSurface"), "surfaceId"),
        &Kind::StringValue("pricing".into())
    );

    let components = components(&answer);
    let ids: BTreeSet<String> = components.iter().map(|component| text(&component.fields["id"])).collect();
    assert_eq!(ids.len(), components.len());
    let mut named = BTreeSet::from(["root".to_owned()]);
    for component in &components {
        named.extend(component.fields.get("child").map(text));
        if let Some(Kind::ListValue(children)) =
            component.fields.get("children").and_then(|value| value.kind.as_ref())
        {
            named.extend(children.values.iter().map(text));
        }
    }
    assert_eq!(named, ids);
    let usage = answer.usage.unwrap();
    let tokens = usage.input_tokens + usage.output_tokens;
    assert_eq!((quota.next().await, quota.next().await), (Asked::Reserve(tokens), Asked::Commit(tokens)));
}

#[tokio::test]
async fn a_prompt_that_fits_nothing_is_refused_and_charged_nothing() {
    let quota = FakeQuota::granting(PLENTY);
    let mesh = start(plexus_ai::Settings::default(), &quota).await;
    let mut client = ComponentServiceClient::new(alice(&mesh));
    let request =
        GenerateComponentRequest { request_id: String::new(), prompt: "the weather in Paris".to_owned() };
    let status = client.generate_component(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "NOT_FOUND"));
    assert!(metadata(&status, "entries").contains("login_form"));
    assert_eq!(quota.pending().await, None);
}
