//! `plexus call` and `plexus login`: any method of the contract from the command line, through its descriptors.

use std::{collections::BTreeMap, io::Read as _, time::SystemTime};

use anyhow::{Context as _, Result, bail};
use plexus_client::{Channel, StaticToken};
use plexus_proto::auth::v1::{
    LoginRequest, RefreshRequest, TokenPair, session_service_client::SessionServiceClient,
};
use plexus_runtime::peers;
use prost_reflect::{
    DescriptorPool, DynamicMessage, MethodDescriptor, ReflectMessage as _, SerializeOptions, Value,
};
use tonic::{Status, client::Grpc};

use crate::{
    credentials::{self, Credentials},
    dynamic::DynamicCodec,
    output,
    roles::RoleName,
    settings::Settings,
};

/// A password is read up to here.
const PASSWORD_BYTES_MAX: u64 = 1024;
/// A token that runs out within so many seconds is refreshed first.
const REFRESH_AHEAD_SECONDS: i64 = 30;

/// Logs in with a password from standard input and remembers the tokens.
pub(crate) async fn login(settings: &Settings, login_name: &str) -> Result<()> {
    let mut password = String::new();
    std::io::stdin().take(PASSWORD_BYTES_MAX).read_to_string(&mut password)?;
    let request = LoginRequest {
        login_name: login_name.to_owned(),
        password: password.trim_end_matches(['\r', '\n']).to_owned(),
    };
    let mut sessions = SessionServiceClient::new(channel(settings, RoleName::Auth.name(), None)?);
    let answer = sessions.login(request).await.map_err(|status| explain(&status))?.into_inner();
    remember(answer.tokens.context("auth gave no tokens")?)?;
    output::line(&format!("logged in as {login_name}"))?;
    Ok(())
}

/// What to call, and what to print of the answer.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) json: String,
    pub(crate) field: Option<String>,
}

/// Calls a method and prints the answer as JSON, one line per message of a stream, or one field of it.
pub(crate) async fn call(settings: &Settings, asked: &Request) -> Result<()> {
    let pool = DescriptorPool::decode(plexus_proto::DESCRIPTORS)?;
    let method = find(&pool, &asked.method)?;
    if method.is_client_streaming() {
        bail!("{} takes a stream of requests, which this command cannot send", method.full_name());
    }
    let mut deserializer = serde_json::Deserializer::from_str(&asked.json);
    let request = DynamicMessage::deserialize(method.input(), &mut deserializer)
        .with_context(|| format!("the request does not fit {}", method.input().full_name()))?;
    deserializer.end().context("something follows the JSON of the request")?;

    let token = access_token(settings).await;
    let mut grpc = Grpc::new(channel(settings, service_of(&method)?, token)?);
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name()).parse()?;
    grpc.ready().await.map_err(|error| anyhow::anyhow!(error))?;
    let answer =
        grpc.server_streaming(tonic::Request::new(request), path, DynamicCodec::new(method.output()));
    let mut messages = answer.await.map_err(|status| explain(&status))?.into_inner();
    while let Some(message) = messages.message().await.map_err(|status| explain(&status))? {
        match &asked.field {
            Some(field) => output::line(&print_field(&message, field)?)?,
            None => output::line(&print(&message, method.is_server_streaming())?)?,
        }
    }
    Ok(())
}

/// The field called `name` (as in the contract or as in JSON): a text as it is, anything else as JSON.
fn print_field(message: &DynamicMessage, name: &str) -> Result<String> {
    let kind = message.descriptor();
    let field = kind.get_field_by_name(name).or_else(|| kind.get_field_by_json_name(name));
    let field = field.with_context(|| format!("{} has no field {name}", kind.full_name()))?;
    if let Value::String(text) = message.get_field(&field).as_ref() {
        return Ok(text.clone());
    }
    let json: serde_json::Value = serde_json::from_str(&print(message, true)?)?;
    Ok(json[field.json_name()].to_string())
}

fn print(message: &DynamicMessage, one_line: bool) -> Result<String> {
    let mut text = Vec::new();
    let options = SerializeOptions::new().skip_default_fields(false);
    if one_line {
        message.serialize_with_options(&mut serde_json::Serializer::new(&mut text), &options)?;
    } else {
        message.serialize_with_options(&mut serde_json::Serializer::pretty(&mut text), &options)?;
    }
    Ok(String::from_utf8(text)?)
}

/// The method that `name` means: `SERVICE/METHOD` as in `ai/Chat`, or its full name with the package.
fn find(pool: &DescriptorPool, name: &str) -> Result<MethodDescriptor> {
    let (service, method) =
        name.split_once('/').context("name the method as SERVICE/METHOD, such as ai/Chat")?;
    let package = format!("plexus.{service}.v1");
    let methods = pool
        .services()
        .filter(|candidate| candidate.full_name() == service || candidate.package_name() == package)
        .flat_map(|candidate| candidate.methods().collect::<Vec<_>>());
    let by_name: BTreeMap<String, MethodDescriptor> =
        methods.map(|method| (method.name().to_owned(), method)).collect();
    by_name.get(method).cloned().with_context(|| {
        if by_name.is_empty() {
            return format!(
                "there is no service {service}; the services are auth, quota, ai, card, analytics"
            );
        }
        format!(
            "{service} has no method {method}; it has {}",
            by_name.keys().cloned().collect::<Vec<_>>().join(", ")
        )
    })
}

fn service_of(method: &MethodDescriptor) -> Result<&'static str> {
    let package = method.parent_service().package_name().to_owned();
    let service = RoleName::SERVICES.into_iter().find(|role| package == format!("plexus.{}.v1", role.name()));
    Ok(service.with_context(|| format!("no service of this mesh serves {package}"))?.name())
}

fn channel(settings: &Settings, service: &str, token: Option<String>) -> Result<Channel> {
    let role: RoleName = service.parse().map_err(anyhow::Error::msg)?;
    let addresses = match settings.peer_addresses()?.remove(service) {
        Some(addresses) => addresses,
        None => vec![format!("127.0.0.1:{}", role.port(settings)).parse()?],
    };
    let mut builder = peers::builder(service).endpoints(addresses);
    if let Some(token) = token {
        builder = builder.token(StaticToken::new(&token)?);
    }
    Ok(builder.build())
}

/// The remembered access token, refreshed when it is about to run out; `None` without a login that still holds.
async fn access_token(settings: &Settings) -> Option<String> {
    let credentials = credentials::load()?;
    if credentials.expire_seconds > now_seconds() + REFRESH_AHEAD_SECONDS {
        return Some(credentials.access_token);
    }
    let mut sessions = SessionServiceClient::new(channel(settings, RoleName::Auth.name(), None).ok()?);
    let request = RefreshRequest { refresh_token: credentials.refresh_token };
    let tokens = sessions.refresh(request).await.ok()?.into_inner().tokens?;
    let access_token = tokens.access_token.clone();
    remember(tokens).ok()?;
    Some(access_token)
}

fn remember(tokens: TokenPair) -> Result<()> {
    credentials::save(&Credentials {
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token,
        expire_seconds: tokens.access_token_expire_time.map(|time| time.seconds).unwrap_or_default(),
    })
}

fn now_seconds() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

fn explain(status: &Status) -> anyhow::Error {
    let hint = match status.code() {
        tonic::Code::Unauthenticated => "; log in with: plexus login NAME",
        _ => "",
    };
    anyhow::anyhow!("{}: {}{hint}", plexus_runtime::telemetry::code_name(status.code()), status.message())
}
