//! The props of a component: the declared parameters of its template.

use std::collections::BTreeSet;

use super::expression::empty;
use crate::{
    parameter::{Field, Parameter, Type},
    source::tree::{AttributeValue, Choice, Condition, Expression, Node, Operand, Part, Path, Scope},
};

/// The interface `<component>Props`.
pub(super) fn interface(component: &str, parameters: &[Parameter]) -> String {
    let mut code = format!("export interface {component}Props {{\n");
    for parameter in parameters {
        if !parameter.description.is_empty() {
            code.push_str(&comment("  ", &parameter.description));
        }
        let optional = if parameter.required { "" } else { "?" };
        code.push_str(&format!("  {}{optional}: {};\n", parameter.name, kind(&parameter.kind)));
    }
    code.push_str("}\n");
    code
}

/// The first parameter of the component: the props that `nodes` use, with what they are when they are not given.
pub(super) fn destructured(parameters: &[Parameter], nodes: &[Node]) -> String {
    let mut used = Used::default();
    used.nodes(nodes);
    let taken: Vec<String> = parameters
        .iter()
        .filter(|parameter| used.0.contains(&parameter.name))
        .map(|parameter| match (&parameter.default, parameter.required) {
            (_, true) => parameter.name.clone(),
            (Some(default), _) => format!("{} = {default}", parameter.name),
            (None, _) => format!("{} = {}", parameter.name, empty(&parameter.kind)),
        })
        .collect();
    if taken.is_empty() { "_props".to_owned() } else { format!("{{ {} }}", taken.join(", ")) }
}

/// A comment for tools that read TypeScript.
pub(super) fn comment(indent: &str, text: &str) -> String {
    format!("{indent}/** {} */\n", text.replace("*/", "*\\/").replace(['\n', '\r'], " "))
}

fn kind(kind: &Type) -> String {
    match kind {
        Type::Text | Type::Url => "string".to_owned(),
        Type::Number | Type::Integer => "number".to_owned(),
        Type::Boolean => "boolean".to_owned(),
        Type::TextList => "readonly string[]".to_owned(),
        Type::Object(fields) => object(fields),
        Type::ObjectList(fields) => format!("readonly {}[]", object(fields)),
    }
}

fn object(fields: &[Field]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|field| {
            format!("{}{}: {}", field.name, if field.required { "" } else { "?" }, kind(&field.kind))
        })
        .collect();
    format!("{{ {} }}", fields.join("; "))
}

/// The names of the parameters that a tree uses.
#[derive(Default)]
struct Used(BTreeSet<String>);

impl Used {
    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Text(_) => {}
                Node::Output(value) => self.expression(value),
                Node::Element(element) => {
                    element.attributes.iter().for_each(|attribute| self.attribute(&attribute.value));
                    self.nodes(&element.children);
                }
                Node::Choice(choice) => self.choice(choice, Self::nodes),
                Node::Loop(each) => {
                    self.path(&each.list);
                    self.nodes(&each.body);
                }
            }
        }
    }

    fn attribute(&mut self, value: &AttributeValue) {
        match value {
            AttributeValue::When(value) | AttributeValue::Numeric(value) | AttributeValue::Url(value) => {
                self.expression(value);
            }
            AttributeValue::Parts(parts) | AttributeValue::UrlParts(parts) => self.parts(parts),
            AttributeValue::Present | AttributeValue::Number(_) | AttributeValue::Style(_) => {}
        }
    }

    fn parts(&mut self, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Text(_) => {}
                Part::Output(value) => self.expression(value),
                Part::Choice(choice) => self.choice(choice, Self::parts),
            }
        }
    }

    fn choice<T>(&mut self, choice: &Choice<T>, content: fn(&mut Self, &[T])) {
        for (condition, branch) in &choice.branches {
            self.condition(condition);
            content(self, branch);
        }
        content(self, &choice.otherwise);
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Holds(value) => self.expression(value),
            Condition::Constant(_) => {}
            Condition::Not(inner) => self.condition(inner),
            Condition::And(left, right) | Condition::Or(left, right) => {
                self.condition(left);
                self.condition(right);
            }
            Condition::Compare(left, _, right) => {
                for operand in [left, right] {
                    if let Operand::Expression(value) = operand {
                        self.expression(value);
                    }
                }
            }
        }
    }

    fn expression(&mut self, value: &Expression) {
        self.path(&value.path);
    }

    fn path(&mut self, path: &Path) {
        match path {
            Path::Name { name, scope: Scope::Parameter, .. } => {
                self.0.insert(name.clone());
            }
            Path::Name { .. } | Path::Field { .. } => {}
            Path::Counter { list, .. } => self.path(list),
        }
    }
}
