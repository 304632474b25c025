//! From an HTTP method and a path to an RPC: templates, the operations they lead to, and the table of all.

mod operation;
mod percent;
mod rules;
mod table;
mod template;

pub use operation::{Access, Body, Operation};
pub use rules::RuleError;
pub use table::{Found, Table, TableError};
pub use template::{Segment, Template, TemplateError, Variable};

pub(crate) use percent::decode;
