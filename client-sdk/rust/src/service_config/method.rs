//! Which settings a method has: by its own name, by its service, or the defaults.

use std::{collections::HashMap, time::Duration};

use super::{
    ServiceConfigError,
    attempts::{AttemptPolicy, attempt_policy},
    json::{Field, Object},
};
use crate::methods::service_of;

/// The most names in one config. Each costs about a hundred bytes for as long as the channel lives;
/// a service with more methods gives its settings by service.
pub const METHOD_NAMES_MAX: usize = 4096;

/// The settings of some methods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MethodConfig {
    /// Whether calls wait for a ready replica until their deadline; the caller's choice goes first.
    pub wait_for_ready: Option<bool>,
    /// The longest that a call lasts; the caller's deadline counts when it is earlier.
    pub timeout: Option<Duration>,
    /// How often a call may be sent.
    pub attempts: AttemptPolicy,
}

/// Settings by `/pkg.Service/Method`, by `/pkg.Service/` and, for all, by the empty text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Methods {
    configs: Vec<MethodConfig>,
    by_name: HashMap<Box<str>, usize>,
}

impl Methods {
    pub(super) fn get(&self, path: &str) -> Option<&MethodConfig> {
        let index = self
            .by_name
            .get(path)
            .or_else(|| self.by_name.get(service_of(path)?))
            .or_else(|| self.by_name.get(""))?;
        self.configs.get(*index)
    }
}

pub(super) fn methods(
    root: &mut Object<'_>,
    ignored: &mut Vec<String>,
) -> Result<Methods, ServiceConfigError> {
    let mut methods = Methods::default();
    let Some(list) = root.optional("methodConfig") else { return Ok(methods) };
    for item in list.list("a list of method configs")? {
        let mut fields = item.object("an object: a method config")?;
        let names = match fields.optional("name") {
            Some(names) => names.list("a list of names such as [{\"service\": \"pkg.Service\"}]")?,
            None => Vec::new(),
        };
        let timeout = fields.optional("timeout").map(|field| field.positive_duration()).transpose()?;
        let config = MethodConfig {
            wait_for_ready: fields.optional("waitForReady").map(|field| field.truth()).transpose()?,
            // 0 is refused: it means no time at all to clients in some languages, and no limit in others.
            timeout,
            attempts: attempt_policy(&mut fields, ignored)?,
        };
        fields.finish(ignored);
        if names.is_empty() {
            ignored.push(item.path);
            continue;
        }
        let index = methods.configs.len();
        methods.configs.push(config);
        for name in &names {
            let key = key(name, ignored)?;
            if methods.by_name.len() >= METHOD_NAMES_MAX {
                return Err(name.expected(&format!("at most {METHOD_NAMES_MAX} names in all")));
            }
            if methods.by_name.insert(key, index).is_some() {
                return Err(name.expected("a name that no entry before it has"));
            }
        }
    }
    Ok(methods)
}

fn key(name: &Field<'_>, ignored: &mut Vec<String>) -> Result<Box<str>, ServiceConfigError> {
    const WHAT: &str = "an object such as {\"service\": \"pkg.Service\", \"method\": \"Get\"}";
    let mut fields = name.object(WHAT)?;
    let service = part(&mut fields, "service")?;
    let method = part(&mut fields, "method")?;
    let key = match (service, method) {
        ("", "") => String::new(),
        ("", _) => {
            return Err(
                fields.wrong("service", "is missing beside method: expected a name such as pkg.Service")
            );
        }
        (service, method) => format!("/{service}/{method}"),
    };
    fields.finish(ignored);
    Ok(key.into_boxed_str())
}

fn part<'a>(fields: &mut Object<'a>, name: &'static str) -> Result<&'a str, ServiceConfigError> {
    const WHAT: &str = "a name without a slash, such as pkg.Service or Get";
    let Some(field) = fields.optional(name) else { return Ok("") };
    let text = field.text(WHAT)?;
    if text.contains('/') { Err(field.expected(WHAT)) } else { Ok(text) }
}
