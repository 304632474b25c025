//! Reads what stands inside a tag: values with filters, and conditions.

use super::{
    error::Fault,
    filter,
    scope::Names,
    token::{Token, tokens},
    tree::{Comparison, Condition, Expression, Operand, Path},
};
use crate::parameter::Type;

/// More parts than any condition that a person can read; far below the depth that Tera's own parser takes.
const CONDITION_PARTS_MAX: usize = 32;

/// Reads the tokens of one tag from left to right.
pub(super) struct Reader<'n, 'p> {
    tokens: Vec<(Token, usize)>,
    next: usize,
    end: usize,
    parts: usize,
    names: &'n Names<'p>,
}

impl<'n, 'p> Reader<'n, 'p> {
    pub(super) fn new(text: &str, offset: usize, names: &'n Names<'p>) -> Result<Self, Fault> {
        Ok(Self { tokens: tokens(text, offset)?, next: 0, end: offset + text.len(), parts: 0, names })
    }

    /// The next token is a word: takes it.
    pub(super) fn word(&mut self) -> Result<String, Fault> {
        match self.tokens.get(self.next) {
            Some((Token::Word(word), _)) => {
                self.next += 1;
                Ok(word.clone())
            }
            _ => Err(self.fault("a name is expected here")),
        }
    }

    /// The rest is a value with filters.
    pub(super) fn whole_expression(mut self) -> Result<Expression, Fault> {
        let expression = self.expression()?;
        self.finish()?;
        Ok(expression)
    }

    /// The rest is a condition.
    pub(super) fn whole_condition(mut self) -> Result<Condition, Fault> {
        let condition = self.either()?;
        self.finish()?;
        Ok(condition)
    }

    /// The rest is `VARIABLE in LIST`.
    pub(super) fn whole_loop(mut self) -> Result<(String, Path), Fault> {
        let variable = self.word()?;
        if self.word()? != "in" {
            return Err(self.fault("\"in\" is expected here"));
        }
        let list = self.path()?;
        self.finish()?;
        Ok((variable, list))
    }

    /// Nothing is left.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        if self.next == self.tokens.len() { Ok(()) } else { Err(self.fault("this is not expected here")) }
    }

    /// Where the next token stands.
    pub(super) fn offset(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(_, offset)| *offset)
    }

    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.offset(), message)
    }

    pub(super) fn is_at_sign(&self, sign: &str) -> bool {
        matches!(self.tokens.get(self.next), Some((Token::Sign(next), _)) if *next == sign)
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_at_sign(sign);
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Result<(), Fault> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.fault(format!("{sign:?} is expected here"))) }
    }

    pub(super) fn literal(&mut self) -> Result<Token, Fault> {
        match self.tokens.get(self.next) {
            Some((token @ (Token::Text(_) | Token::Number(_)), _)) => {
                self.next += 1;
                Ok(token.clone())
            }
            _ => Err(self.fault("a string or a number is expected here")),
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.next), Some((Token::Word(next), _)) if next == word);
        self.next += usize::from(found);
        found
    }

    fn expression(&mut self) -> Result<Expression, Fault> {
        let path = self.path()?;
        let mut expression = Expression { kind: path.kind(), path, filters: Vec::new() };
        while self.take_sign("|") {
            filter::read(self, &mut expression)?;
        }
        Ok(expression)
    }

    fn path(&mut self) -> Result<Path, Fault> {
        let offset = self.offset();
        let name = self.word()?;
        let field = if self.take_sign(".") { Some(self.word()?) } else { None };
        self.names.resolve(&name, field.as_deref(), offset)
    }

    fn either(&mut self) -> Result<Condition, Fault> {
        let mut condition = self.both()?;
        while self.take_word("or") {
            condition = Condition::Or(Box::new(condition), Box::new(self.both()?));
        }
        Ok(condition)
    }

    fn both(&mut self) -> Result<Condition, Fault> {
        let mut condition = self.negation()?;
        while self.take_word("and") {
            condition = Condition::And(Box::new(condition), Box::new(self.negation()?));
        }
        Ok(condition)
    }

    fn negation(&mut self) -> Result<Condition, Fault> {
        self.parts += 1;
        if self.parts > CONDITION_PARTS_MAX {
            return Err(self.fault(format!("a condition has at most {CONDITION_PARTS_MAX} parts")));
        }
        if self.take_word("not") {
            return Ok(Condition::Not(Box::new(self.negation()?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, Fault> {
        let offset = self.offset();
        let left = if self.take_sign("(") {
            let inner = self.either()?;
            self.expect_sign(")")?;
            match inner {
                // In parentheses for the sake of a comparison: (list | length) > 2.
                Condition::Holds(expression) => Operand::Expression(expression),
                condition => return Ok(condition),
            }
        } else {
            self.operand()?
        };
        let Some(comparison) = self.take_comparison() else {
            return match left {
                Operand::Expression(expression) => Ok(Condition::Holds(expression)),
                Operand::Boolean(value) => Ok(Condition::Constant(value)),
                Operand::Text(_) | Operand::Number(_) => Err(Fault::new(offset, "this is not a condition")),
            };
        };
        let right = self.operand()?;
        if !comparable(&left, comparison, &right) {
            return Err(Fault::new(offset, "these values cannot be compared in this way"));
        }
        Ok(Condition::Compare(left, comparison, right))
    }

    fn operand(&mut self) -> Result<Operand, Fault> {
        if self.take_word("true") {
            return Ok(Operand::Boolean(true));
        }
        if self.take_word("false") {
            return Ok(Operand::Boolean(false));
        }
        match self.tokens.get(self.next).cloned() {
            Some((Token::Text(text), _)) => {
                self.next += 1;
                Ok(Operand::Text(text))
            }
            Some((Token::Number(value), _)) => {
                self.next += 1;
                Ok(Operand::Number(value))
            }
            _ => Ok(Operand::Expression(self.expression()?)),
        }
    }

    fn take_comparison(&mut self) -> Option<Comparison> {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        [Equal, NotEqual, LessOrEqual, GreaterOrEqual, Less, Greater]
            .into_iter()
            .find(|comparison| self.take_sign(comparison.symbol()))
    }
}

/// Text and truth are equal or not; only numbers have an order that is the same everywhere.
fn comparable(left: &Operand, comparison: Comparison, right: &Operand) -> bool {
    if ![left, right].iter().any(|side| matches!(side, Operand::Expression(_))) {
        return false;
    }
    match (class(left), class(right)) {
        (Some(Class::Number), Some(Class::Number)) => true,
        (Some(left), Some(right)) => {
            left == right && matches!(comparison, Comparison::Equal | Comparison::NotEqual)
        }
        _ => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Text,
    Number,
    Boolean,
}

fn class(operand: &Operand) -> Option<Class> {
    match operand {
        Operand::Text(_) => Some(Class::Text),
        Operand::Number(_) => Some(Class::Number),
        Operand::Boolean(_) => Some(Class::Boolean),
        Operand::Expression(expression) => match &expression.kind {
            Type::Text | Type::Url => Some(Class::Text),
            Type::Number | Type::Integer => Some(Class::Number),
            Type::Boolean => Some(Class::Boolean),
            Type::TextList | Type::Object(_) | Type::ObjectList(_) => None,
        },
    }
}
