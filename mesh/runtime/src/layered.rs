//! Settings from four layers, each over the one before: defaults, a TOML file, the environment, flags.
//!
//! `PLEXUS_AUTH__TOKEN_SECONDS=600` and `--set auth.token_seconds=600` both set `token_seconds` in `[auth]`.
//! A key that nobody knows is an error in every layer: a misspelt limit must not silently be the default.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::settings::Settings;

/// The prefix of environment variables that are settings.
const PREFIX: &str = "PLEXUS_";
/// What separates a section from its key in an environment variable.
const SEPARATOR: &str = "__";
/// Variables with the prefix that are not settings: where the file is.
const NOT_SETTINGS: [&str; 1] = ["PLEXUS_CONFIG"];

/// The layers above the defaults; without `Debug`, since they hold secrets.
#[derive(Clone, Default)]
pub struct Layers {
    /// The text of the TOML file, and its path for messages.
    pub file: Option<(String, String)>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// `key=value` flags, such as `auth.token_seconds=600`.
    pub flags: Vec<String>,
}

/// Settings, and which layer each key that is not a default came from.
#[derive(Clone, Debug)]
pub struct Effective<T> {
    /// The settings.
    pub settings: T,
    /// Path of the key to where it came from, such as `environment`.
    pub origins: BTreeMap<String, String>,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayeredError {
    /// The file is not TOML.
    #[error("{path} is not valid TOML: {message}")]
    File {
        /// The file.
        path: String,
        /// Where and why.
        message: String,
    },
    /// Nothing has this key.
    #[error("{origin} sets {key}, which is not a setting{hint}")]
    Unknown {
        /// The layer.
        origin: String,
        /// The key.
        key: String,
        /// The nearest key that exists.
        hint: String,
    },
    /// The value is of the wrong kind.
    #[error("{origin} sets {key} to something that is not {expected}")]
    Kind {
        /// The layer.
        origin: String,
        /// The key.
        key: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A flag is not `key=value`.
    #[error("--set {0} must be of the form section.key=value")]
    Flag(String),
    /// The values do not fit together or make no sense.
    #[error("{0}")]
    Value(String),
}

impl Layers {
    /// Reads `T` from all layers.
    ///
    /// # Errors
    /// The first key that is unknown, of the wrong kind, or refused by the settings' own check.
    pub fn read<T: Settings>(&self) -> Result<Effective<T>, LayeredError> {
        let defaults =
            Table::try_from(T::default()).map_err(|error| LayeredError::Value(error.to_string()))?;
        let mut merged = Merged { values: defaults.clone(), defaults, origins: BTreeMap::new() };
        if let Some((path, text)) = &self.file {
            let table: Table = text.parse().map_err(|error: toml::de::Error| LayeredError::File {
                path: path.clone(),
                message: without_text(&error, text),
            })?;
            merged.overlay(&[], table, path)?;
        }
        for (name, value) in &self.environment {
            if let Some(key) = name.strip_prefix(PREFIX)
                && !NOT_SETTINGS.contains(&name.as_str())
            {
                let path: Vec<String> = key.split(SEPARATOR).map(str::to_lowercase).collect();
                merged.set_text(&path, value, &format!("the environment variable {name}"))?;
            }
        }
        for flag in &self.flags {
            let (key, value) = flag.split_once('=').ok_or_else(|| LayeredError::Flag(flag.clone()))?;
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            merged.set_text(&path, value, &format!("the flag --set {key}"))?;
        }
        let settings: T = merged
            .values
            .try_into()
            .map_err(|error: toml::de::Error| LayeredError::Value(error.to_string()))?;
        settings.check().map_err(|error| LayeredError::Value(error.to_string()))?;
        Ok(Effective { settings, origins: merged.origins })
    }
}

struct Merged {
    defaults: Table,
    values: Table,
    origins: BTreeMap<String, String>,
}

impl Merged {
    /// Lays `table`, which stands at `path`, over what is there.
    fn overlay(&mut self, path: &[String], table: Table, origin: &str) -> Result<(), LayeredError> {
        for (key, value) in table {
            let mut path = path.to_vec();
            path.push(key);
            match (self.default_at(&path), value) {
                (Some(Value::Table(known)), Value::Table(inner)) if !known.is_empty() => {
                    self.overlay(&path, inner, origin)?;
                }
                (Some(known), value) => {
                    let value = same_kind(&known, value).ok_or_else(|| LayeredError::Kind {
                        origin: origin.to_owned(),
                        key: path.join("."),
                        expected: kind(&known),
                    })?;
                    self.put(&path, value, origin);
                }
                (None, _) => return Err(self.unknown(&path, origin)),
            }
        }
        Ok(())
    }

    /// Sets the key at `path` from text, read as the kind that its default has.
    fn set_text(&mut self, path: &[String], text: &str, origin: &str) -> Result<(), LayeredError> {
        let known = self.default_at(path).ok_or_else(|| self.unknown(path, origin))?;
        let value = parse(&known, text).ok_or_else(|| LayeredError::Kind {
            origin: origin.to_owned(),
            key: path.join("."),
            expected: kind(&known),
        })?;
        self.put(path, value, origin);
        Ok(())
    }

    /// The default at `path`; a map that is empty by default takes any key, as a list of texts.
    fn default_at(&self, path: &[String]) -> Option<Value> {
        let (last, sections) = path.split_last()?;
        let mut table = &self.defaults;
        for section in sections {
            table = table.get(section)?.as_table()?;
        }
        if table.is_empty() {
            return Some(Value::Array(Vec::new()));
        }
        table.get(last).cloned()
    }

    fn put(&mut self, path: &[String], value: Value, origin: &str) {
        let Some((last, sections)) = path.split_last() else { return };
        let mut table = &mut self.values;
        for section in sections {
            let entry = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = entry else { return };
            table = inner;
        }
        table.insert(last.clone(), value);
        self.origins.insert(path.join("."), origin.to_owned());
    }

    fn unknown(&self, path: &[String], origin: &str) -> LayeredError {
        let key = path.join(".");
        let mut known = Vec::new();
        list_keys("", &self.defaults, &mut known);
        let near = known.into_iter().filter(|candidate| distance(candidate, &key) <= 3);
        let near = near.min_by_key(|candidate| distance(candidate, &key));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        LayeredError::Unknown { origin: origin.to_owned(), key, hint }
    }
}

/// What is wrong and where, without the text of the line: it may hold a secret.
fn without_text(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let (line, column) =
        (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1);
    format!("line {line}, column {column}: {}", error.message())
}

fn parse(known: &Value, text: &str) -> Option<Value> {
    match known {
        Value::String(_) => Some(Value::String(text.to_owned())),
        Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
        Value::Float(_) => text.trim().parse().ok().map(Value::Float),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        Value::Array(_) if text.trim_start().starts_with('[') => literal(text),
        Value::Array(_) => Some(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| item.to_owned().into())
                .collect(),
        )),
        Value::Table(_) => literal(text).filter(Value::is_table),
        Value::Datetime(_) => literal(text),
    }
}

fn literal(text: &str) -> Option<Value> {
    let mut table: Table = format!("value = {text}").parse().ok()?;
    table.remove("value")
}

fn same_kind(known: &Value, value: Value) -> Option<Value> {
    match (known, value) {
        // A whole number is a fine value for a fraction.
        #[expect(clippy::cast_precision_loss, reason = "a setting of 2^53 or more is not meant exactly")]
        (Value::Float(_), Value::Integer(whole)) => Some(Value::Float(whole as f64)),
        (known, value) => known.same_type(&value).then_some(value),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

fn list_keys(prefix: &str, table: &Table, keys: &mut Vec<String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => list_keys(&path, inner, keys),
            _ => keys.push(path),
        }
    }
}

/// The Levenshtein distance of two keys.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::settings::{Secret, SettingError};

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Root {
        data_dir: String,
        auth: Auth,
        peers: BTreeMap<String, Vec<String>>,
    }

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Auth {
        token_seconds: i64,
        ratio: f64,
        admin_password: Secret,
        origins: Vec<String>,
    }

    impl Settings for Root {
        fn check(&self) -> Result<(), SettingError> {
            if self.auth.token_seconds < 0 {
                return Err(SettingError::new("auth.token_seconds", "must not be negative"));
            }
            Ok(())
        }
    }

    fn layers(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> Layers {
        Layers {
            file: Some(("plexus.toml".to_owned(), file.to_owned())),
            environment: environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            flags: flags.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn each_layer_goes_over_the_one_before() {
        let file = "data_dir = 'a'\n[auth]\ntoken_seconds = 1\nratio = 1\n[peers]\nquota = ['x:1']";
        let read = layers(
            file,
            &[("PLEXUS_AUTH__TOKEN_SECONDS", "2"), ("PLEXUS_AUTH__ADMIN_PASSWORD", "12345"), ("HOME", "/")],
            &["auth.token_seconds=3", "peers.auth=y:1,z:2"],
        )
        .read::<Root>()
        .unwrap();
        assert_eq!(read.settings.data_dir, "a");
        assert_eq!(read.settings.auth.token_seconds, 3);
        assert_eq!(read.settings.auth.admin_password.reveal(), "12345");
        assert_eq!(read.settings.peers["quota"], ["x:1"]);
        assert_eq!(read.settings.peers["auth"], ["y:1", "z:2"]);
        assert_eq!(read.origins["auth.token_seconds"], "the flag --set auth.token_seconds");
        assert_eq!(read.origins["data_dir"], "plexus.toml");
    }

    #[test]
    fn a_key_that_nobody_knows_is_an_error_that_names_its_layer_and_the_nearest_key() {
        let message = |layers: Layers| layers.read::<Root>().unwrap_err().to_string();
        assert_eq!(
            message(layers("[auth]\ntoken_second = 1", &[], &[])),
            "plexus.toml sets auth.token_second, which is not a setting; did you mean auth.token_seconds?"
        );
        assert!(message(layers("", &[("PLEXUS_AUHT__X", "1")], &[])).contains("PLEXUS_AUHT__X"));
        assert!(message(layers("", &[], &["zzzzzzzzz=1"])).contains("zzzzzzzzz, which is not a setting"));
    }

    #[test]
    fn a_value_of_the_wrong_kind_or_one_that_makes_no_sense_is_refused() {
        let message = |layers: Layers| layers.read::<Root>().unwrap_err().to_string();
        assert!(
            message(layers("", &[("PLEXUS_AUTH__TOKEN_SECONDS", "soon")], &[])).contains("a whole number")
        );
        assert!(message(layers("data_dir = 3", &[], &[])).contains("text"));
        assert!(message(layers("", &[], &["auth.token_seconds=-1"])).contains("must not be negative"));
        let broken = message(layers("data_dir = 'a'\n[auth]\nadmin_password = \"hunter2", &[], &[]));
        assert!(broken.contains("plexus.toml is not valid TOML: line 3"), "{broken}");
        assert!(!broken.contains("hunter2"), "{broken}");
    }

    #[test]
    fn secrets_do_not_show_in_the_effective_settings() {
        let read = layers("", &[("PLEXUS_AUTH__ADMIN_PASSWORD", "hunter2")], &[]).read::<Root>().unwrap();
        let shown = toml::to_string(&read.settings).unwrap();
        assert!(!shown.contains("hunter2") && shown.contains("***"));
        assert!(!format!("{read:?}").contains("hunter2"));
    }
}
