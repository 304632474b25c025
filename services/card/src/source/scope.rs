//! Which names a place in a template may use, and what they stand for.

use super::{
    error::Fault,
    tree::{Counter, Path, Scope},
};
use crate::parameter::{self, Parameter, Type};

/// Three lists inside each other are a table of groups; the work is their product.
pub(super) const LOOP_DEPTH_MAX: usize = 3;

/// The parameters and the loops around a place.
pub(super) struct Names<'p> {
    parameters: &'p [Parameter],
    loops: Vec<(String, Type, Path)>,
}

impl<'p> Names<'p> {
    pub(super) fn new(parameters: &'p [Parameter]) -> Self {
        Self { parameters, loops: Vec::new() }
    }

    /// Enters the loop in which `variable` stands for the items of `list`.
    pub(super) fn enter(&mut self, variable: &str, list: &Path, offset: usize) -> Result<(), Fault> {
        if self.loops.len() == LOOP_DEPTH_MAX {
            return Err(Fault::new(
                offset,
                format!("at most {LOOP_DEPTH_MAX} loops can stand inside each other"),
            ));
        }
        if !parameter::is_name(variable) {
            return Err(Fault::new(offset, format!("{variable:?} cannot name a loop variable")));
        }
        let taken = self.parameters.iter().any(|parameter| parameter.name == variable)
            || self.loops.iter().any(|(name, ..)| name == variable);
        if taken {
            return Err(Fault::new(
                offset,
                format!("{variable:?} is already the name of something else here"),
            ));
        }
        let Some(item) = list.kind().item() else {
            return Err(Fault::new(offset, "only a list can be looped over"));
        };
        self.loops.push((variable.to_owned(), item, list.clone()));
        Ok(())
    }

    /// Leaves the innermost loop.
    pub(super) fn leave(&mut self) {
        self.loops.pop();
    }

    /// What `name`, or its `field`, stands for here.
    pub(super) fn resolve(&self, name: &str, field: Option<&str>, offset: usize) -> Result<Path, Fault> {
        match field {
            None => self.name(name, offset),
            Some(field) if name == "loop" => self.counter(field, offset),
            Some(field) => self.field(name, field, offset),
        }
    }

    fn name(&self, name: &str, offset: usize) -> Result<Path, Fault> {
        if let Some((_, kind, _)) = self.loops.iter().find(|(variable, ..)| variable == name) {
            return Ok(Path::Name { name: name.to_owned(), kind: kind.clone(), scope: Scope::Variable });
        }
        match self.parameters.iter().find(|parameter| parameter.name == name) {
            Some(parameter) => Ok(Path::Name {
                name: name.to_owned(),
                kind: parameter.kind.clone(),
                scope: Scope::Parameter,
            }),
            None => Err(Fault::new(
                offset,
                format!("{name:?} is neither a declared parameter nor a loop variable"),
            )),
        }
    }

    fn field(&self, name: &str, field: &str, offset: usize) -> Result<Path, Fault> {
        let object = self.name(name, offset)?;
        let Type::Object(fields) = object.kind() else {
            return Err(Fault::new(
                offset,
                format!("{name:?} is {} and has no fields", object.kind().describe()),
            ));
        };
        match fields.iter().find(|declared| declared.name == field) {
            Some(declared) => Ok(Path::Field {
                variable: name.to_owned(),
                field: field.to_owned(),
                kind: declared.kind.clone(),
                required: declared.required,
            }),
            None => Err(Fault::new(offset, format!("{name:?} has no declared field {field:?}"))),
        }
    }

    fn counter(&self, field: &str, offset: usize) -> Result<Path, Fault> {
        let Some((variable, _, list)) = self.loops.last() else {
            return Err(Fault::new(offset, "\"loop\" means something only inside a loop"));
        };
        let counters = [Counter::Index, Counter::Index0, Counter::First, Counter::Last];
        match counters.into_iter().find(|counter| counter.name() == field) {
            Some(counter) => {
                Ok(Path::Counter { counter, variable: variable.clone(), list: Box::new(list.clone()) })
            }
            None => Err(Fault::new(offset, "only index, index0, first and last of a loop can be used")),
        }
    }
}
