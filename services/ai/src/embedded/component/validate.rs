//! What a tree of components has to hold before it leaves the service.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// More components than a screen can show; it bounds the work of a renderer.
pub(crate) const COMPONENTS_MAX: usize = 200;
/// Deeper trees are not made by any entry, and some renderers recurse.
pub(crate) const DEPTH_MAX: usize = 12;
/// The longest text of a component, in characters.
const TEXT_CHARACTERS_MAX: usize = 2000;
/// The id of the component on top.
const ROOT: &str = "root";

/// Each kind of component of A2UI's basic catalogue that is used here, with the properties it cannot do without.
const KINDS: [(&str, &[&str]); 11] = [
    ("Text", &["text"]),
    ("Icon", &["name"]),
    ("Row", &["children"]),
    ("Column", &["children"]),
    ("List", &["children"]),
    ("Card", &["child"]),
    ("Divider", &[]),
    ("Button", &["child", "action"]),
    ("TextField", &["label", "value"]),
    ("CheckBox", &["label", "value"]),
    ("ChoicePicker", &["options", "value"]),
];

/// The rule that a tree breaks.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// There are more components than allowed.
    #[error("the tree has more than {COMPONENTS_MAX} components")]
    TooMany,
    /// A component has no id, or its kind is unknown.
    #[error("component {0} has no id or is of no known kind")]
    Unknown(usize),
    /// Two components have the same id.
    #[error("the id {0} is used twice")]
    Duplicate(String),
    /// A component lacks a property.
    #[error("the component {0} has no {1}")]
    Lacking(String, &'static str),
    /// A component names one that does not exist.
    #[error("the component {0} names {1}, which does not exist")]
    Dangling(String, String),
    /// A component is named twice, or names one above it.
    #[error("the component {0} has more than one place in the tree")]
    Shared(String),
    /// A component hangs on nothing.
    #[error("the component {0} is not part of the tree")]
    Unreachable(String),
    /// The tree is deeper than allowed.
    #[error("the tree is deeper than {DEPTH_MAX}")]
    TooDeep,
    /// A text is longer than allowed.
    #[error("a text of the component {0} is longer than {TEXT_CHARACTERS_MAX} characters")]
    TooLong(String),
}

/// Checks that `components` are one tree with the id `root` on top, within all limits.
///
/// # Errors
/// The first rule that is broken.
pub(crate) fn validate(components: &[Value]) -> Result<(), Invalid> {
    if components.len() > COMPONENTS_MAX {
        return Err(Invalid::TooMany);
    }
    let mut by_id = HashMap::new();
    for (at, component) in components.iter().enumerate() {
        let id = check(at, component)?;
        if by_id.insert(id, component).is_some() {
            return Err(Invalid::Duplicate(id.to_owned()));
        }
    }
    let mut seen = HashSet::new();
    if by_id.contains_key(ROOT) {
        walk(ROOT, 1, &by_id, &mut seen)?;
    }
    match by_id.keys().find(|id| !seen.contains(**id)) {
        Some(id) => Err(Invalid::Unreachable((*id).to_owned())),
        None if seen.is_empty() => Err(Invalid::Dangling(String::new(), ROOT.to_owned())),
        None => Ok(()),
    }
}

/// The id of a component that has all that its kind needs.
fn check(at: usize, component: &Value) -> Result<&str, Invalid> {
    let text = |key: &str| component.get(key).and_then(Value::as_str);
    let (Some(id), Some(kind)) = (text("id"), text("component")) else { return Err(Invalid::Unknown(at)) };
    let Some((_, needed)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        return Err(Invalid::Unknown(at));
    };
    if let Some(lacking) = needed.iter().find(|key| component.get(**key).is_none()) {
        return Err(Invalid::Lacking(id.to_owned(), lacking));
    }
    let texts = ["id", "text", "label"].into_iter().filter_map(text);
    if texts.into_iter().any(|text| text.chars().count() > TEXT_CHARACTERS_MAX) {
        return Err(Invalid::TooLong(id.to_owned()));
    }
    Ok(id)
}

fn walk<'c>(
    id: &'c str,
    depth: usize,
    by_id: &HashMap<&'c str, &'c Value>,
    seen: &mut HashSet<&'c str>,
) -> Result<(), Invalid> {
    if depth > DEPTH_MAX {
        return Err(Invalid::TooDeep);
    }
    if !seen.insert(id) {
        return Err(Invalid::Shared(id.to_owned()));
    }
    let Some(component) = by_id.get(id) else { return Ok(()) };
    let child = component.get("child").into_iter();
    let children = component.get("children").and_then(Value::as_array).into_iter().flatten();
    for child in child.chain(children) {
        let child = child.as_str().unwrap_or_default();
        if !by_id.contains_key(child) {
            return Err(Invalid::Dangling(id.to_owned(), child.to_owned()));
        }
        walk(child, depth + 1, by_id, seen)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(id: &str) -> Value {
        json!({"id": id, "component": "Text", "text": "x"})
    }

    fn column(id: &str, children: &[&str]) -> Value {
        json!({"id": id, "component": "Column", "children": children})
    }

    #[test]
    fn a_tree_is_accepted() {
        assert_eq!(validate(&[column("root", &["a", "b"]), text("a"), text("b")]), Ok(()));
    }

    #[test]
    fn what_is_not_one_tree_is_refused() {
        let refused = |components: &[Value]| validate(components).unwrap_err();
        assert_eq!(refused(&[]), Invalid::Dangling(String::new(), "root".into()));
        assert_eq!(refused(&[text("a")]), Invalid::Unreachable("a".into()));
        assert_eq!(refused(&[column("root", &["a"])]), Invalid::Dangling("root".into(), "a".into()));
        assert_eq!(refused(&[column("root", &["root"])]), Invalid::Shared("root".into()));
        assert_eq!(refused(&[column("root", &["a", "a"]), text("a")]), Invalid::Shared("a".into()));
        assert_eq!(refused(&[text("root"), text("root")]), Invalid::Duplicate("root".into()));
        assert_eq!(refused(&[text("root"), text("b")]), Invalid::Unreachable("b".into()));
        assert_eq!(refused(&[json!({"id": "root", "component": "Script"})]), Invalid::Unknown(0));
        assert_eq!(
            refused(&[json!({"id": "root", "component": "Text"})]),
            Invalid::Lacking("root".into(), "text")
        );
    }

    #[test]
    fn limits_hold_for_number_depth_and_text() {
        let many: Vec<Value> = (0..=COMPONENTS_MAX).map(|at| text(&at.to_string())).collect();
        assert_eq!(validate(&many), Err(Invalid::TooMany));
        let chain = |length: usize| -> Vec<Value> {
            let id = |at: usize| if at == 0 { ROOT.to_owned() } else { at.to_string() };
            let card = |at: usize| json!({"id": id(at), "component": "Card", "child": id(at + 1)});
            (0..length - 1).map(card).chain([text(&id(length - 1))]).collect()
        };
        assert_eq!(validate(&chain(DEPTH_MAX)), Ok(()));
        assert_eq!(validate(&chain(DEPTH_MAX + 1)), Err(Invalid::TooDeep));
        let long = json!({"id": "root", "component": "Text", "text": "x".repeat(TEXT_CHARACTERS_MAX + 1)});
        assert_eq!(validate(&[long]), Err(Invalid::TooLong("root".into())));
    }
}
