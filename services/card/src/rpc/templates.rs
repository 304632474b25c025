//! Creating, getting, listing, searching, updating and deleting templates.

use plexus_proto::card::v1::{
    CreateTemplateRequest, DeleteTemplateRequest, DeleteTemplateResponse, GetTemplateRequest,
    ListTemplateVersionsRequest, ListTemplateVersionsResponse, ListTemplatesRequest, ListTemplatesResponse,
    SearchTemplatesRequest, SearchTemplatesResponse, Template, TemplateVersion, UpdateTemplateRequest,
    template_service_server::TemplateService,
};
use plexus_runtime::{clock, identity::Caller, page, status::Problem, stores::requests::RequestKey};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Rpc, check_owner, decode, encode, viewer};
use crate::{
    builtin,
    error::Error,
    store::{Filter, Page, WORDS_MAX},
    template::{self, About, Content, Summary},
};

/// What a person types.
const QUERY_CHARACTERS_MAX: usize = 256;

#[tonic::async_trait]
impl TemplateService for Rpc {
    async fn create_template(
        &self,
        request: Request<CreateTemplateRequest>,
    ) -> Result<Response<Template>, Status> {
        let caller = Caller::of(&request)?;
        let key =
            RequestKey::new(&caller, "CreateTemplate", &request.get_ref().request_id, request.get_ref())?;
        let owner_id = caller.user_id()?.to_owned();
        let given = request.into_inner().template.unwrap_or_default();
        let now_us = self.clock.now_us();
        let created = template::Template {
            summary: Summary {
                template_id: Uuid::now_v7().to_string(),
                owner_id,
                about: About {
                    kind: decode::kind(given.kind)?,
                    display_name: given.display_name,
                    description: given.description,
                    tags: given.tags,
                    visibility: decode::visibility(given.visibility)?,
                },
                version: 1,
                create_time_us: now_us,
                update_time_us: now_us,
            },
            content: Content {
                parameters: decode::parameters(given.parameters)?,
                source: given.source,
                stylesheet: given.stylesheet,
            },
        };
        let created = self.checked(created).await.map_err(Problem::from)?;
        let answer = encode::template(&created);
        let max = self.templates_per_owner_max;
        let answer = self.store.create(key, created, answer, max).await.map_err(Problem::from)?;
        Ok(Response::new(answer))
    }

    async fn get_template(&self, request: Request<GetTemplateRequest>) -> Result<Response<Template>, Status> {
        let viewer = viewer(&Caller::of(&request)?);
        let request = request.into_inner();
        let version = decode::version(request.version)?;
        let template = self.usable(&request.template_id, version, &viewer).await.map_err(Problem::from)?;
        Ok(Response::new(encode::template(&template)))
    }

    async fn list_templates(
        &self,
        request: Request<ListTemplatesRequest>,
    ) -> Result<Response<ListTemplatesResponse>, Status> {
        let viewer_id = viewer(&Caller::of(&request)?);
        let request = request.into_inner();
        let kind = decode::kind_filter(request.kind)?;
        let filter = Filter { viewer_id, owned: request.owned, kind, words: Vec::new() };
        let page = decode::templates_page(request.page_size, &request.page_token)?;
        let (templates, next_page_token) = self.page(&filter, page).await.map_err(Problem::from)?;
        Ok(Response::new(ListTemplatesResponse { templates, next_page_token }))
    }

    async fn search_templates(
        &self,
        request: Request<SearchTemplatesRequest>,
    ) -> Result<Response<SearchTemplatesResponse>, Status> {
        let viewer_id = viewer(&Caller::of(&request)?);
        let request = request.into_inner();
        let words: Vec<String> = request.query.split_whitespace().map(str::to_owned).collect();
        let too_long = request.query.chars().count() > QUERY_CHARACTERS_MAX;
        if words.is_empty() || words.len() > WORDS_MAX || too_long || request.query.contains('\0') {
            let rule = format!(
                "must be 1 to {WORDS_MAX} words of together at most {QUERY_CHARACTERS_MAX} characters"
            );
            return Err(Problem::invalid("query", rule).into());
        }
        let filter = Filter { viewer_id, owned: false, kind: decode::kind_filter(request.kind)?, words };
        let page = decode::templates_page(request.page_size, &request.page_token)?;
        let (templates, next_page_token) = self.page(&filter, page).await.map_err(Problem::from)?;
        Ok(Response::new(SearchTemplatesResponse { templates, next_page_token }))
    }

    async fn update_template(
        &self,
        request: Request<UpdateTemplateRequest>,
    ) -> Result<Response<Template>, Status> {
        let caller = Caller::of(&request)?;
        let key =
            RequestKey::new(&caller, "UpdateTemplate", &request.get_ref().request_id, request.get_ref())?;
        let viewer = viewer(&caller);
        let UpdateTemplateRequest { template, update_mask, .. } = request.into_inner();
        let given = template.unwrap_or_default();
        let (template_id, expected) = (given.template_id.clone(), decode::version(given.version)?);
        let newest = self.usable(&template_id, 0, &viewer).await;
        // The template may have changed or gone since the first time, or while it was read here.
        if let Some(answer) = self.store.replay(&key).await.map_err(Problem::from)? {
            return Ok(Response::new(answer));
        }
        let mut updated = newest.map_err(Problem::from)?;
        check_owner(&updated.summary, &viewer).map_err(Problem::from)?;
        if expected != 0 && expected != updated.summary.version {
            return Err(Problem::from(Error::Changed { template_id }).into());
        }
        updated.apply(decode::change(given, update_mask)?);
        updated.summary.version += 1;
        updated.summary.update_time_us = self.clock.now_us();
        let updated = self.checked(updated).await.map_err(Problem::from)?;
        let answer = encode::template(&updated);
        Ok(Response::new(self.store.update(key, updated, answer).await.map_err(Problem::from)?))
    }

    async fn list_template_versions(
        &self,
        request: Request<ListTemplateVersionsRequest>,
    ) -> Result<Response<ListTemplateVersionsResponse>, Status> {
        let viewer = viewer(&Caller::of(&request)?);
        let request = request.into_inner();
        let size = page::size(request.page_size)?;
        let before = match page::decode(&request.page_token)? {
            None => 0,
            Some(key) => key.parse().map_err(|_| {
                Problem::invalid("page_token", "must be a next_page_token of the answer before")
            })?,
        };
        let summary = self.usable_summary(&request.template_id, &viewer).await.map_err(Problem::from)?;
        let mut versions = if summary.is_built_in() {
            vec![(summary.version, summary.update_time_us)]
        } else {
            self.store.versions(&request.template_id, before, size + 1).await.map_err(Problem::from)?
        };
        let next_page_token = encode::cut_page(&mut versions, size, |(version, _)| version.to_string());
        let encode =
            |(version, time_us)| TemplateVersion { version, create_time: Some(clock::timestamp(time_us)) };
        let versions = versions.into_iter().map(encode).collect();
        Ok(Response::new(ListTemplateVersionsResponse { versions, next_page_token }))
    }

    async fn delete_template(
        &self,
        request: Request<DeleteTemplateRequest>,
    ) -> Result<Response<DeleteTemplateResponse>, Status> {
        let caller = Caller::of(&request)?;
        let key =
            RequestKey::new(&caller, "DeleteTemplate", &request.get_ref().request_id, request.get_ref())?;
        let viewer = viewer(&caller);
        let template_id = request.into_inner().template_id;
        let summary = self.usable_summary(&template_id, &viewer).await;
        // It may have gone the first time, or while it was read here.
        if let Some(answer) = self.store.replay(&key).await.map_err(Problem::from)? {
            return Ok(Response::new(answer));
        }
        let summary = summary.map_err(Problem::from)?;
        check_owner(&summary, &viewer).map_err(Problem::from)?;
        let deleted =
            self.store.delete(key, template_id, self.clock.now_us(), DeleteTemplateResponse {}).await;
        Ok(Response::new(deleted.map_err(Problem::from)?))
    }
}

impl Rpc {
    /// The template, once its rules have been checked where that keeps nobody else waiting.
    async fn checked(&self, template: template::Template) -> Result<template::Template, Error> {
        self.slots
            .run(move || {
                template.check()?;
                Ok(template)
            })
            .await
    }

    /// One page of the built-in templates, then those of the store, and the token of the next.
    async fn page(&self, filter: &Filter, page: Page) -> Result<(Vec<Template>, String), Error> {
        let all: Vec<&Summary> = builtin::all().iter().map(|built_in| &built_in.summary).collect();
        let mut skip = all.len();
        let mut after = page.after.clone();
        if after.is_empty() {
            skip = 0;
        } else if let Some(index) = all.iter().position(|built_in| built_in.template_id == after) {
            (skip, after) = (index + 1, String::new());
        }
        let mut found: Vec<Summary> =
            all.into_iter().skip(skip).filter(|summary| filter.takes(summary)).cloned().collect();
        // One more than the page holds says whether there is a next one.
        let size = page.size + 1;
        found.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        let missing = size - i64::try_from(found.len()).unwrap_or(size);
        if missing > 0 {
            found.extend(self.store.templates(filter, Page { after, size: missing }).await?);
        }
        let next_page_token = encode::cut_page(&mut found, page.size, |summary| summary.template_id.clone());
        Ok((found.iter().map(encode::summary).collect(), next_page_token))
    }
}
