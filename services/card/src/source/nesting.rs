//! What may stand in what, so that a browser's parser builds exactly the tree that was written.

use super::element::{Content, ElementRule};

/// Elements within elements; a browser's own limit is 512, and Tera does not see them.
pub(super) const ELEMENT_DEPTH_MAX: usize = 32;

/// The open elements around a place.
#[derive(Default)]
pub(super) struct Open(Vec<ElementRule>);

impl Open {
    /// Opens an element; the error says why it may not stand here.
    pub(super) fn enter(&mut self, element: ElementRule) -> Result<(), String> {
        let name = element.name;
        if self.0.len() == ELEMENT_DEPTH_MAX {
            return Err(format!("elements can be at most {ELEMENT_DEPTH_MAX} deep"));
        }
        let parent = self.0.last();
        if !element.parents.is_empty() && !parent.is_some_and(|parent| element.parents.contains(&parent.name))
        {
            return Err(format!("<{name}> can stand only in <{}>", element.parents.join("> or <")));
        }
        if let Some(ElementRule { name: parent, content: Content::Only(names), .. }) = parent
            && !names.contains(&name)
        {
            return Err(format!("<{parent}> can hold only <{}>", names.join("> and <")));
        }
        // A link is as transparent as its surroundings: a block in a link in a paragraph would end the paragraph.
        let text = self.0.iter().find(|open| matches!(open.content, Content::Phrasing));
        if let Some(text) = text.filter(|_| !element.inline) {
            return Err(format!("<{name}> cannot stand in <{}>, which holds text", text.name));
        }
        if name == "a" && self.0.iter().any(|open| open.name == "a") {
            return Err("a link cannot stand in a link".to_owned());
        }
        self.0.push(element);
        Ok(())
    }

    /// Closes the innermost element.
    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// Whether text may stand here; otherwise the name of the element that holds none.
    pub(super) fn text(&self) -> Result<(), &'static str> {
        match self.0.last() {
            Some(ElementRule { name, content: Content::Only(_), .. }) => Err(name),
            _ => Ok(()),
        }
    }
}
