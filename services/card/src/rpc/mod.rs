//! The generated traits: decode, ask the domain or the store, encode. One file per service of the contract.

mod cards;
mod decode;
mod encode;
mod json;
mod templates;

use plexus_proto::card::v1::{
    card_service_server::CardServiceServer, template_service_server::TemplateServiceServer,
};
use plexus_runtime::{clock::Clock, identity::Caller};
use tonic::service::Routes;

use crate::{
    builtin,
    error::Error,
    render::Renderer,
    slots::Slots,
    store::Store,
    template::{Summary, Template},
};

/// The RPCs; clones share everything.
#[derive(Clone)]
pub(crate) struct Rpc {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) slots: Slots,
    pub(crate) renderer: Renderer,
    /// Templates of one user.
    pub(crate) templates_per_owner_max: i64,
}

impl Rpc {
    /// All of them, as routes.
    pub(crate) fn routes(self) -> Routes {
        Routes::new(TemplateServiceServer::new(self.clone())).add_service(CardServiceServer::new(self))
    }

    /// The template in `version` (0: the newest), if `viewer` may use it.
    async fn usable(&self, template_id: &str, version: i64, viewer: &str) -> Result<Template, Error> {
        let not_found = || Error::NotFound { template_id: template_id.to_owned() };
        let no_version = || Error::VersionNotFound { template_id: template_id.to_owned(), version };
        if let Some(template) = builtin::find(template_id) {
            let exists = version == 0 || version == template.summary.version;
            return if exists { Ok(template.clone()) } else { Err(no_version()) };
        }
        if !decode::is_template_id(template_id) {
            return Err(not_found());
        }
        match self.store.template(template_id, version).await? {
            Some(template) if template.summary.is_visible_to(viewer) => Ok(template),
            Some(_) => Err(not_found()),
            None if version != 0 => {
                self.usable_summary(template_id, viewer).await?;
                Err(no_version())
            }
            None => Err(not_found()),
        }
    }

    /// What lists say of the template, if `viewer` may use it.
    async fn usable_summary(&self, template_id: &str, viewer: &str) -> Result<Summary, Error> {
        if let Some(template) = builtin::find(template_id) {
            return Ok(template.summary.clone());
        }
        if !decode::is_template_id(template_id) {
            return Err(Error::NotFound { template_id: template_id.to_owned() });
        }
        match self.store.summary(template_id).await? {
            Some(summary) if summary.is_visible_to(viewer) => Ok(summary),
            _ => Err(Error::NotFound { template_id: template_id.to_owned() }),
        }
    }
}

/// The id under which the caller's own templates are kept; empty for a service, which has none.
fn viewer(caller: &Caller) -> String {
    caller.user_id().unwrap_or_default().to_owned()
}

/// Refuses whoever is not the owner.
fn check_owner(summary: &Summary, viewer: &str) -> Result<(), Error> {
    let template_id = summary.template_id.clone();
    if summary.is_built_in() {
        return Err(Error::BuiltIn { template_id });
    }
    if summary.owner_id != viewer {
        return Err(Error::NotOwner { template_id });
    }
    Ok(())
}
