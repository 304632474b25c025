//! What a template is made of, once its source has been read: the one form from which HTML and TSX are made.

use crate::parameter::Type;

/// A part of the content of a card.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// Fixed text, its entities decoded.
    Text(String),
    /// A value as text.
    Output(Expression),
    Element(Element),
    Choice(Choice<Node>),
    Loop(Loop),
}

/// An element of HTML.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Element {
    pub(crate) name: &'static str,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) children: Vec<Node>,
}

/// An attribute of an element.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attribute {
    /// As in HTML.
    pub(crate) name: String,
    pub(crate) value: AttributeValue,
}

/// The value of an attribute, by what may stand in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AttributeValue {
    /// There, without a value.
    Present,
    /// There when the expression holds.
    When(Expression),
    /// Text.
    Parts(Vec<Part>),
    /// A fixed number.
    Number(String),
    /// A number.
    Numeric(Expression),
    /// A whole URL, whose scheme is looked at.
    Url(Expression),
    /// A fixed beginning and parts, each encoded so that it stays where it is.
    UrlParts(Vec<Part>),
    /// Fixed declarations: property and value.
    Style(Vec<(String, String)>),
}

/// A part of the text of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Output(Expression),
    Choice(Choice<Part>),
}

/// `{% if %}`: the first branch whose condition holds, else the last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Choice<T> {
    /// At least one.
    pub(crate) branches: Vec<(Condition, Vec<T>)>,
    pub(crate) otherwise: Vec<T>,
}

/// `{% for %}`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Loop {
    pub(crate) variable: String,
    pub(crate) list: Path,
    pub(crate) body: Vec<Node>,
}

/// A value and the filters it goes through.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expression {
    pub(crate) path: Path,
    pub(crate) filters: Vec<Filter>,
    /// What it is after the last filter.
    pub(crate) kind: Type,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Path {
    /// A parameter or a loop variable.
    Name { name: String, kind: Type, scope: Scope },
    /// A field of a loop variable.
    Field { variable: String, field: String, kind: Type, required: bool },
    /// `loop.…` of the innermost loop.
    Counter { counter: Counter, variable: String, list: Box<Path> },
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Parameter,
    Variable,
}

/// What a loop says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    /// From 1.
    Index,
    /// From 0.
    Index0,
    First,
    Last,
}

/// A filter with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Upper,
    Lower,
    Capitalize,
    Trim,
    Truncate { length: u32 },
    Default { value: String },
    Length,
    Join { separator: String },
    Round { precision: u8 },
    Fixed { digits: u8 },
}

/// What `{% if %}` asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// The value is neither empty, nor 0, nor false.
    Holds(Expression),
    Constant(bool),
    Compare(Operand, Comparison, Operand),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Expression(Expression),
    Text(String),
    Number(f64),
    Boolean(bool),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Path {
    /// What the value is.
    pub(crate) fn kind(&self) -> Type {
        match self {
            Self::Name { kind, .. } | Self::Field { kind, .. } => kind.clone(),
            Self::Counter { counter: Counter::Index | Counter::Index0, .. } => Type::Integer,
            Self::Counter { .. } => Type::Boolean,
        }
    }
}

impl Counter {
    /// As Tera calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Index0 => "index0",
            Self::First => "first",
            Self::Last => "last",
        }
    }
}

impl Comparison {
    /// As Tera writes it.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}
