//! Components from prompts.

use plexus_proto::ai::v1::{self as proto, component_service_server::ComponentService};
use plexus_runtime::identity::Caller;
use tonic::{Request, Response, Status};

use super::{Rpc, decode, encode, once};
use crate::{embedded::component, tokens};

#[tonic::async_trait]
impl ComponentService for Rpc {
    async fn generate_component(
        &self,
        request: Request<proto::GenerateComponentRequest>,
    ) -> Result<Response<proto::GenerateComponentResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let prompt = decode::prompt(&request.prompt)?;
        let key = once::key(&caller, "GenerateComponent", &request.request_id, &request)?;
        if let Some(answer) = self.kept(key.as_ref()).await? {
            return Ok(Response::new(answer));
        }
        let (component, usage) = self
            .metered(&caller, prompt, || {
                let component = component::generate(prompt)?;
                let texts = component.messages.iter().map(ToString::to_string);
                let output_tokens = texts.map(|text| tokens::estimate(&text)).sum();
                Ok((component, output_tokens))
            })
            .await?;
        let answer = proto::GenerateComponentResponse {
            entry: component.entry.to_owned(),
            description: component.description,
            surface_id: component.surface_id,
            messages: component.messages.into_iter().map(encode::object).collect(),
            filled_slots: component.filled_slots.iter().map(ToString::to_string).collect(),
            usage: Some(usage),
        };
        self.keep(key, &answer).await;
        Ok(Response::new(answer))
    }
}
