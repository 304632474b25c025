//! Rendering cards and exporting components.

use plexus_proto::card::v1::{
    ExportCardRequest, ExportCardResponse, RenderCardRequest, RenderCardResponse,
    card_service_server::CardService,
};
use plexus_runtime::{identity::Caller, status::Problem};
use prost::Message as _;
use tonic::{Request, Response, Status};

use super::{Rpc, decode, encode, json, viewer};
use crate::{
    document::{self, Device},
    error::Error,
    render::Renderer,
    template::Template,
    tsx,
    value::{self, Values},
};

/// Enough for a thousand rows.
const VALUES_BYTES_MAX: usize = 256 * 1024;

#[tonic::async_trait]
impl CardService for Rpc {
    async fn render_card(
        &self,
        request: Request<RenderCardRequest>,
    ) -> Result<Response<RenderCardResponse>, Status> {
        let viewer = viewer(&Caller::of(&request)?);
        let request = request.into_inner();
        let (device, version) = (decode::device(request.device)?, decode::version(request.version)?);
        let parameters = request.parameters.unwrap_or_default();
        if parameters.encoded_len() > VALUES_BYTES_MAX {
            return Err(Problem::from(Error::ValuesTooLarge { max: VALUES_BYTES_MAX }).into());
        }
        let given = json::object(parameters);
        let template = self.usable(&request.template_id, version, &viewer).await.map_err(Problem::from)?;
        let renderer = self.renderer.clone();
        let rendered = self.slots.run(move || render(&renderer, &template, given, device)).await;
        Ok(Response::new(rendered.map_err(Problem::from)?))
    }

    async fn export_card(
        &self,
        request: Request<ExportCardRequest>,
    ) -> Result<Response<ExportCardResponse>, Status> {
        let viewer = viewer(&Caller::of(&request)?);
        let request = request.into_inner();
        let name = request.component_name;
        if !name.is_empty() && !tsx::is_component_name(&name) {
            let rule = "must be 1 to 64 letters and digits, beginning with a capital letter, and not a name of React's";
            return Err(Problem::invalid("component_name", rule).into());
        }
        let version = decode::version(request.version)?;
        let template = self.usable(&request.template_id, version, &viewer).await.map_err(Problem::from)?;
        let exported = self.slots.run(move || export(&template, name)).await;
        Ok(Response::new(exported.map_err(Problem::from)?))
    }
}

fn render(
    renderer: &Renderer,
    template: &Template,
    given: Values,
    device: Device,
) -> Result<RenderCardResponse, Error> {
    let Template { summary, content } = template;
    let values = value::complete(&content.parameters, given)?;
    let card = renderer.render(&content.tree()?, &values)?;
    let fragment = document::fragment(&summary.template_id, device, &card);
    let stylesheet = document::stylesheet(&summary.template_id, &content.stylesheet);
    Ok(RenderCardResponse {
        html: document::page(&summary.about.display_name, &stylesheet, &fragment),
        fragment,
        stylesheet,
        template_id: summary.template_id.clone(),
        kind: encode::kind(summary.about.kind).into(),
        version: summary.version,
    })
}

fn export(template: &Template, component_name: String) -> Result<ExportCardResponse, Error> {
    let Template { summary, content } = template;
    let component_name = if component_name.is_empty() {
        tsx::component_name(&summary.about.display_name)
    } else {
        component_name
    };
    let tsx = tsx::export(&tsx::Export {
        template_id: &summary.template_id,
        version: summary.version,
        component_name: &component_name,
        description: &summary.about.description,
        parameters: &content.parameters,
        nodes: &content.tree()?,
    });
    Ok(ExportCardResponse {
        file_name: format!("{component_name}.tsx"),
        component_name,
        tsx,
        stylesheet: document::stylesheet(&summary.template_id, &content.stylesheet),
        template_id: summary.template_id.clone(),
        version: summary.version,
    })
}
