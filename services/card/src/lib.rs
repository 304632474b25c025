//! Templates of cards, rendered as HTML and exported as React components.

mod bounds;
mod builtin;
mod compile;
mod document;
mod filters;
mod number;
mod parameter;
mod render;
mod source;
mod style;
mod template;
mod tsx;
mod url;
mod value;
