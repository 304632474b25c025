//! How much work a card is, known before it is rendered: the steps of its tree with its values.
//!
//! Tera counts nothing while it renders, and a thread cannot be stopped. So the work is counted here, by walking
//! the tree as rendering would; the walk itself ends at the limit. Memory follows: no tag keeps what it made.

use serde_json::Value;

use crate::{
    source::tree::{AttributeValue, Choice, Condition, Expression, Filter, Node, Operand, Part, Path},
    value::Values,
};

/// A fraction of a second of one core, and far more than a card of a thousand rows takes.
pub(crate) const STEPS_MAX: u64 = 200_000;
/// The bytes that a filter handles in one step.
const STEP_BYTES: usize = 64;

/// The work is more than [`STEPS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMuchWork;

/// The number of steps that rendering `nodes` with `values` takes at most.
pub(crate) fn steps(nodes: &[Node], values: &Values) -> Result<u64, TooMuchWork> {
    let mut walk = Walk { values, items: Vec::new(), steps: 0 };
    walk.nodes(nodes)?;
    Ok(walk.steps)
}

struct Walk<'v> {
    values: &'v Values,
    items: Vec<(&'v str, &'v Value)>,
    steps: u64,
}

impl<'v> Walk<'v> {
    fn nodes(&mut self, nodes: &'v [Node]) -> Result<(), TooMuchWork> {
        for node in nodes {
            self.step(1)?;
            match node {
                Node::Text(text) => self.bytes(text.len())?,
                Node::Output(value) => self.expression(value)?,
                Node::Element(element) => {
                    for attribute in &element.attributes {
                        self.attribute(&attribute.value)?;
                    }
                    self.nodes(&element.children)?;
                }
                Node::Choice(choice) => self.choice(choice, Self::nodes)?,
                Node::Loop(each) => {
                    let Some(Value::Array(items)) = self.value(&each.list) else { continue };
                    for item in items {
                        self.step(1)?;
                        self.items.push((&each.variable, item));
                        self.nodes(&each.body)?;
                        self.items.pop();
                    }
                }
            }
        }
        Ok(())
    }

    fn attribute(&mut self, value: &'v AttributeValue) -> Result<(), TooMuchWork> {
        self.step(1)?;
        match value {
            AttributeValue::Parts(parts) | AttributeValue::UrlParts(parts) => self.parts(parts),
            // The condition and the value are two uses of the same expression.
            AttributeValue::When(value) | AttributeValue::Numeric(value) => self.expression(value),
            AttributeValue::Url(value) => self.expression(value).and_then(|()| self.expression(value)),
            AttributeValue::Present | AttributeValue::Number(_) | AttributeValue::Style(_) => Ok(()),
        }
    }

    fn parts(&mut self, parts: &'v [Part]) -> Result<(), TooMuchWork> {
        for part in parts {
            self.step(1)?;
            match part {
                Part::Text(text) => self.bytes(text.len())?,
                Part::Output(value) => self.expression(value)?,
                Part::Choice(choice) => self.choice(choice, Self::parts)?,
            }
        }
        Ok(())
    }

    /// All branches count, which is at most a factor of what the source says and spares evaluating conditions.
    fn choice<T>(
        &mut self,
        choice: &'v Choice<T>,
        branch: fn(&mut Self, &'v [T]) -> Result<(), TooMuchWork>,
    ) -> Result<(), TooMuchWork> {
        for (condition, content) in &choice.branches {
            self.condition(condition)?;
            branch(self, content)?;
        }
        branch(self, &choice.otherwise)
    }

    fn condition(&mut self, condition: &'v Condition) -> Result<(), TooMuchWork> {
        self.step(1)?;
        match condition {
            Condition::Holds(value) => self.expression(value),
            Condition::Constant(_) => Ok(()),
            Condition::Not(inner) => self.condition(inner),
            Condition::And(left, right) | Condition::Or(left, right) => {
                self.condition(left)?;
                self.condition(right)
            }
            Condition::Compare(left, _, right) => {
                for operand in [left, right] {
                    if let Operand::Expression(value) = operand {
                        self.expression(value)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// The value itself and each of its filters handle the bytes of the value once.
    fn expression(&mut self, expression: &'v Expression) -> Result<(), TooMuchWork> {
        let mut bytes = self.value(&expression.path).map_or(8, |value| size(value, 0));
        self.bytes(bytes)?;
        for filter in &expression.filters {
            bytes = match filter {
                Filter::Join { separator } => {
                    size(self.value(&expression.path).unwrap_or(&Value::Null), separator.len())
                }
                Filter::Default { value } => bytes.max(value.len()),
                _ => bytes,
            };
            self.bytes(bytes)?;
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: usize) -> Result<(), TooMuchWork> {
        self.step((bytes / STEP_BYTES) as u64 + 1)
    }

    fn step(&mut self, steps: u64) -> Result<(), TooMuchWork> {
        self.steps += steps;
        if self.steps > STEPS_MAX { Err(TooMuchWork) } else { Ok(()) }
    }

    fn value(&self, path: &Path) -> Option<&'v Value> {
        match path {
            Path::Name { name, .. } => self.item(name).or_else(|| self.values.get(name)),
            Path::Field { variable, field, .. } => self.item(variable)?.get(field),
            Path::Counter { .. } => None,
        }
    }

    fn item(&self, name: &str) -> Option<&'v Value> {
        self.items.iter().find(|(variable, _)| *variable == name).map(|(_, item)| *item)
    }
}

/// The bytes of a text, or of all items of a list with `between` bytes after each.
fn size(value: &Value, between: usize) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| size(item, 0) + between + 8).sum(),
        _ => 8,
    }
}
