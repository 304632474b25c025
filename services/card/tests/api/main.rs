//! The card service from outside: every RPC, over real sockets.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; the lint spares only test functions"
)]

mod cards;
mod display;
mod react;
mod samples;
mod templates;

use plexus_card::Card;
use plexus_client::Channel;
use plexus_proto::card::v1::{
    RenderCardRequest, RenderCardResponse, card_service_client::CardServiceClient,
    template_service_client::TemplateServiceClient,
};
use plexus_testkit::Harness;
use serde_json::Value;
use tonic::Status;

const PERMISSIONS: [&str; 3] = ["card.templates.read", "card.templates.write", "card.cards.render"];

/// A running card service.
struct Mesh(Harness);

impl Mesh {
    async fn start() -> Self {
        Self(Harness::of::<Card>().start().await.unwrap())
    }

    fn channel(&self, user: &str) -> Channel {
        self.0.channel(&format!("user:{user}"), &PERMISSIONS)
    }

    fn templates(&self, user: &str) -> TemplateServiceClient<Channel> {
        TemplateServiceClient::new(self.channel(user))
    }

    fn cards(&self, user: &str) -> CardServiceClient<Channel> {
        CardServiceClient::new(self.channel(user))
    }

    async fn render(
        &self,
        user: &str,
        template_id: &str,
        parameters: &Value,
    ) -> Result<RenderCardResponse, Status> {
        let request = RenderCardRequest {
            template_id: template_id.to_owned(),
            parameters: Some(structure(parameters)),
            ..RenderCardRequest::default()
        };
        self.cards(user).render_card(request).await.map(tonic::Response::into_inner)
    }
}

/// The reason and the metadata of an error.
fn info(status: &Status) -> (String, std::collections::HashMap<String, String>) {
    use tonic_types::StatusExt as _;
    let info = status.get_details_error_info().unwrap();
    (info.reason, info.metadata)
}

fn reason(status: &Status) -> String {
    info(status).0
}

/// The field that an error names.
fn field(status: &Status) -> String {
    use tonic_types::StatusExt as _;
    status.get_details_bad_request().unwrap().field_violations[0].field.clone()
}

fn structure(value: &Value) -> prost_types::Struct {
    match proto(value).kind {
        Some(prost_types::value::Kind::StructValue(fields)) => fields,
        _ => panic!("not an object: {value}"),
    }
}

fn proto(value: &Value) -> prost_types::Value {
    use prost_types::{ListValue, Struct, value::Kind};
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => Kind::ListValue(ListValue { values: items.iter().map(proto).collect() }),
        Value::Object(fields) => Kind::StructValue(Struct {
            fields: fields.iter().map(|(name, field)| (name.clone(), proto(field))).collect(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}
