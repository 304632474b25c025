//! The route table: a tree over the segments of all templates, searched by precedence with backtracking.
//!
//! At each segment a literal goes before `*`, and `*` before `**`; a custom verb goes before a last segment
//! that happens to hold a colon. The most specific template *that takes the HTTP method* wins, so siblings
//! that differ only late do not hide each other. A node lies at one depth, so a search visits each node at
//! most once however the templates are made.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use http::Method;
use prost_reflect::{DescriptorPool, ServiceDescriptor};

use super::{Operation, RuleError, Segment, percent};

/// Paths with more segments are not found: the recursion of the search is bounded by it, and no
/// template of a contract is near it.
const SEGMENTS_MAX: usize = 64;

/// The contract cannot be served as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A rule of a method is wrong.
    #[error("the HTTP rule of {method} cannot be served")]
    Rule {
        /// The full name of the method.
        method: String,
        /// What is wrong.
        #[source]
        source: RuleError,
    },
    /// Two methods claim the same requests.
    #[error("{first} and {second} both claim {route}")]
    Conflict {
        /// The full name of the method that came first.
        first: String,
        /// The full name of the other.
        second: String,
        /// The HTTP method and the path template of the other.
        route: String,
    },
}

/// What a request leads to.
#[derive(Debug, Clone)]
pub enum Found {
    /// An operation, with the decoded value of each variable of its template.
    Operation(Arc<Operation>, Vec<String>),
    /// The path exists, with other methods: these, as an `Allow` header lists them.
    WrongMethod(String),
    /// The path does not exist.
    Missing,
    /// The path holds a `%` without two hexadecimal digits, or bytes that are not UTF-8.
    Malformed,
}

/// All operations of a contract by HTTP method and path.
#[derive(Debug, Default)]
pub struct Table {
    root: Node,
    operations: Vec<Arc<Operation>>,
}

#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    one: Option<Box<Node>>,
    end: Leaf,
    rest: Leaf,
}

/// Operations that share a path, by verb; the empty verb is none.
type Leaf = BTreeMap<String, Vec<Arc<Operation>>>;

impl Table {
    /// The table of all methods of the services that `served` chooses; `reserved` are paths that the bridge
    /// answers itself.
    ///
    /// # Errors
    /// The first rule that is wrong, or that claims the same requests as another.
    pub fn build(
        descriptors: &DescriptorPool,
        served: impl Fn(&ServiceDescriptor) -> bool,
        reserved: &[&str],
    ) -> Result<Self, TableError> {
        let mut table = Self::default();
        for service in descriptors.services().filter(served) {
            for method in service.methods() {
                let wrong = |source| TableError::Rule { method: method.full_name().to_owned(), source };
                for operation in Operation::of(&method).map_err(wrong)? {
                    let path = operation.template.to_string();
                    if reserved.contains(&path.as_str()) {
                        return Err(wrong(RuleError::Reserved(path)));
                    }
                    table.insert(Arc::new(operation))?;
                }
            }
        }
        Ok(table)
    }

    /// All operations, in the order of the contract.
    pub fn operations(&self) -> &[Arc<Operation>] {
        &self.operations
    }

    /// What `method` on `path` (percent-encoded, without the query) leads to.
    pub fn find(&self, method: &Method, path: &str) -> Found {
        let Some(path) = path.strip_prefix('/') else { return Found::Missing };
        let raw: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
        if raw.len() > SEGMENTS_MAX || raw.iter().any(|segment| segment.is_empty()) {
            return Found::Missing;
        }
        let mut search = Search { method, allowed: Vec::new(), found: None };
        if let Some((last, front)) = raw.split_last()
            && let Some((stem, verb)) = last.rsplit_once(':')
            && !stem.is_empty()
        {
            let mut stems = front.to_vec();
            stems.push(stem);
            let Ok(verb) = percent::decode(verb) else { return Found::Malformed };
            if let Some(found) = search.run(&self.root, &stems, &verb) {
                return found;
            }
        }
        search.run(&self.root, &raw, "").unwrap_or_else(|| search.nothing())
    }

    fn insert(&mut self, operation: Arc<Operation>) -> Result<(), TableError> {
        let mut node = &mut self.root;
        let mut rest = false;
        for segment in operation.template.segments() {
            match segment {
                Segment::Literal(text) => node = node.literals.entry(text.clone()).or_default(),
                Segment::One => node = node.one.get_or_insert_default(),
                Segment::Rest => rest = true,
            }
        }
        let leaf = if rest { &mut node.rest } else { &mut node.end };
        let same = leaf.entry(operation.template.verb().unwrap_or_default().to_owned()).or_default();
        if let Some(first) = same.iter().find(|other| other.http_method == operation.http_method) {
            return Err(TableError::Conflict {
                first: first.method.full_name().to_owned(),
                second: operation.method.full_name().to_owned(),
                route: format!("{} {}", operation.http_method_name(), operation.template),
            });
        }
        same.push(Arc::clone(&operation));
        self.operations.push(operation);
        Ok(())
    }
}

struct Search<'r> {
    method: &'r Method,
    allowed: Vec<String>,
    found: Option<Arc<Operation>>,
}

impl Search<'_> {
    /// Searches once with the last segment as it is given; `None` leads on to the next way to read it.
    fn run(&mut self, root: &Node, raw: &[&str], verb: &str) -> Option<Found> {
        let decoded: Result<Vec<_>, _> = raw
            .iter()
            .map(|segment| match segment.contains('%') {
                true => percent::decode(segment).map(Cow::Owned),
                false => Ok(Cow::Borrowed(*segment)),
            })
            .collect();
        let Ok(decoded) = decoded else { return Some(Found::Malformed) };
        if !self.descend(root, &decoded, verb) {
            return None;
        }
        let operation = self.found.take()?;
        let template = &operation.template;
        let values = template.variables().iter().map(|variable| template.capture(variable, raw)).collect();
        Some(match values {
            Ok(values) => Found::Operation(operation, values),
            Err(percent::Malformed) => Found::Malformed,
        })
    }

    fn descend(&mut self, node: &Node, segments: &[Cow<'_, str>], verb: &str) -> bool {
        let Some((first, tail)) = segments.split_first() else {
            return self.take(&node.end, verb) || self.take(&node.rest, verb);
        };
        node.literals.get(first.as_ref()).is_some_and(|child| self.descend(child, tail, verb))
            || node.one.as_deref().is_some_and(|child| self.descend(child, tail, verb))
            || self.take(&node.rest, verb)
    }

    /// Takes the operation of a leaf that fits the method, or notes which methods it has.
    fn take(&mut self, leaf: &Leaf, verb: &str) -> bool {
        let Some(operations) = leaf.get(verb) else { return false };
        let of = |wanted: Option<&Method>| operations.iter().find(|one| one.http_method.as_ref() == wanted);
        let head = (*self.method == Method::HEAD).then_some(&Method::GET);
        let fitting =
            of(Some(self.method)).or_else(|| head.and_then(|get| of(Some(get)))).or_else(|| of(None));
        if let Some(operation) = fitting {
            self.found = Some(Arc::clone(operation));
            return true;
        }
        self.allowed.extend(operations.iter().map(|operation| operation.http_method_name().to_owned()));
        false
    }

    fn nothing(&mut self) -> Found {
        if self.allowed.is_empty() {
            return Found::Missing;
        }
        if self.allowed.iter().any(|method| method == "GET") {
            self.allowed.push("HEAD".to_owned());
        }
        self.allowed.push("OPTIONS".to_owned());
        self.allowed.sort_unstable();
        self.allowed.dedup();
        Found::WrongMethod(self.allowed.join(", "))
    }
}
