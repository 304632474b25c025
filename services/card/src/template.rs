//! A template: what it holds, who may use it, and what an update makes of it.

use serde_json::Value;

use crate::{
    parameter::{self, Parameter},
    source::{self, SourceError, tree::Node},
    style::{self, StyleError},
    value,
};

/// A title, not a text.
const DISPLAY_NAME_CHARACTERS_MAX: usize = 128;
/// A paragraph.
const DESCRIPTION_CHARACTERS_MAX: usize = 1024;
/// More tags find nothing better.
const TAGS_MAX: usize = 16;
/// A word or two.
const TAG_CHARACTERS_MAX: usize = 32;
/// Together with the source below the size of a message.
const PARAMETERS_BYTES_MAX: usize = 256 * 1024;

/// What a card is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Product,
    Info,
    Custom,
}

/// Who may use a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visibility {
    Private,
    Shared,
}

/// What people see of a template in a list, and all but its kind may change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct About {
    pub(crate) kind: Kind,
    pub(crate) display_name: String,
    pub(crate) description: String,
    pub(crate) tags: Vec<String>,
    pub(crate) visibility: Visibility,
}

/// What a card is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) source: String,
    pub(crate) stylesheet: String,
}

/// A template without its content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) template_id: String,
    /// The subject it belongs to; empty for a built-in one.
    pub(crate) owner_id: String,
    pub(crate) about: About,
    pub(crate) version: i64,
    pub(crate) create_time_us: i64,
    pub(crate) update_time_us: i64,
}

/// A template in one of its versions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    pub(crate) summary: Summary,
    pub(crate) content: Content,
}

/// What an update changes: `None` leaves a part as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) display_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) visibility: Option<Visibility>,
    pub(crate) parameters: Option<Vec<Parameter>>,
    pub(crate) source: Option<String>,
    pub(crate) stylesheet: Option<String>,
}

/// Why a template cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    /// A field breaks a rule.
    #[error("{path}: {message}")]
    Field { path: String, message: String },
    /// The source breaks a rule.
    #[error("the source is refused")]
    Source(#[from] SourceError),
    /// The style sheet breaks a rule.
    #[error("the style sheet is refused")]
    Style(#[from] StyleError),
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Product, Self::Info, Self::Custom];
}

impl Summary {
    /// Whether it comes with the service.
    pub(crate) fn is_built_in(&self) -> bool {
        self.owner_id.is_empty()
    }

    /// Whether `subject` may use it.
    pub(crate) fn is_visible_to(&self, subject: &str) -> bool {
        self.is_built_in() || self.owner_id == subject || self.about.visibility == Visibility::Shared
    }
}

impl About {
    /// Checks the texts.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        let length = self.display_name.chars().count();
        if length == 0 || length > DISPLAY_NAME_CHARACTERS_MAX || self.display_name.contains(char::is_control)
        {
            return Err(field(
                "display_name",
                format!("must be 1 to {DISPLAY_NAME_CHARACTERS_MAX} characters on one line"),
            ));
        }
        let stray = |character: char| character.is_control() && !"\n\t".contains(character);
        if self.description.chars().count() > DESCRIPTION_CHARACTERS_MAX || self.description.contains(stray) {
            return Err(field(
                "description",
                format!("must be at most {DESCRIPTION_CHARACTERS_MAX} characters of text"),
            ));
        }
        if self.tags.len() > TAGS_MAX {
            return Err(field("tags", format!("must be at most {TAGS_MAX}")));
        }
        let fits = |tag: &String| {
            (1..=TAG_CHARACTERS_MAX).contains(&tag.chars().count()) && !tag.contains(char::is_control)
        };
        match self.tags.iter().position(|tag| !fits(tag)) {
            Some(index) => {
                Err(field(format!("tags[{index}]"), format!("must be 1 to {TAG_CHARACTERS_MAX} characters")))
            }
            None => Ok(()),
        }
    }
}

impl Content {
    /// Checks all of it, and gives the tree of its source.
    pub(crate) fn check(&self) -> Result<Vec<Node>, Invalid> {
        parameter::check(&self.parameters).map_err(|error| field(error.path, error.message))?;
        let mut bytes = 0;
        for (index, parameter) in self.parameters.iter().enumerate() {
            let Some(default) = &parameter.default else { continue };
            bytes += default.to_string().len();
            let path = format!("parameters[{index}].default_value");
            value::check(&path, &parameter.kind, default.clone())
                .map_err(|error| field(error.path, error.message))?;
        }
        if bytes > PARAMETERS_BYTES_MAX {
            return Err(field(
                "parameters",
                format!("the defaults must be at most {PARAMETERS_BYTES_MAX} bytes together"),
            ));
        }
        style::check(&self.stylesheet)?;
        self.tree()
    }

    /// The tree of its source.
    pub(crate) fn tree(&self) -> Result<Vec<Node>, Invalid> {
        Ok(source::parse(&self.source, &self.parameters)?)
    }
}

impl Template {
    /// Makes of it what `change` says, without checking it.
    pub(crate) fn apply(&mut self, change: Change) {
        let Change { display_name, description, tags, visibility, parameters, source, stylesheet } = change;
        let (about, content) = (&mut self.summary.about, &mut self.content);
        replace(&mut about.display_name, display_name);
        replace(&mut about.description, description);
        replace(&mut about.tags, tags);
        replace(&mut about.visibility, visibility);
        replace(&mut content.parameters, parameters);
        replace(&mut content.source, source);
        replace(&mut content.stylesheet, stylesheet);
    }

    /// Checks all of it.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        self.summary.about.check()?;
        self.content.check().map(drop)
    }
}

/// The defaults as they are kept: whole numbers as whole numbers. What does not fit is left for the check to find.
pub(crate) fn normal_default(parameter: &Parameter, default: Value) -> Value {
    value::check("", &parameter.kind, default.clone()).unwrap_or(default)
}

fn replace<T>(part: &mut T, by: Option<T>) {
    if let Some(by) = by {
        *part = by;
    }
}

fn field(path: impl Into<String>, message: String) -> Invalid {
    Invalid::Field { path: path.into(), message }
}
