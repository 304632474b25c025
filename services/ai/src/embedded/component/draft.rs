//! A component while it is being built: a flat list of parts that name each other by id, and the data of its inputs.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::slots::Slots;
use crate::language::Language;

/// A component that is being built.
pub(super) struct Draft<'s> {
    slots: &'s Slots,
    language: Language,
    components: Vec<Value>,
    data: Map<String, Value>,
    filled: BTreeSet<&'static str>,
}

/// A component that has been built.
pub(super) struct Built {
    pub(super) components: Vec<Value>,
    pub(super) data: Map<String, Value>,
    pub(super) filled_slots: Vec<&'static str>,
}

impl<'s> Draft<'s> {
    pub(super) fn new(slots: &'s Slots, language: Language) -> Self {
        Self { slots, language, components: Vec::new(), data: Map::new(), filled: BTreeSet::new() }
    }

    pub(super) fn finish(self) -> Built {
        Built {
            components: self.components,
            data: self.data,
            filled_slots: self.filled.into_iter().collect(),
        }
    }

    /// The one of two texts that is in the language of the prompt.
    pub(super) fn say(&self, english: &str, chinese: &str) -> String {
        if self.language == Language::Chinese { chinese } else { english }.to_owned()
    }

    /// The title that the prompt gives, or a placeholder.
    pub(super) fn title(&mut self, english: &str, chinese: &str) -> String {
        let given = self.slots.title.clone();
        self.given("title", given).unwrap_or_else(|| self.say(english, chinese))
    }

    /// The first price that the prompt gives, or a placeholder.
    pub(super) fn price(&mut self) -> String {
        let given = self.slots.prices.first().cloned();
        self.given("price", given).unwrap_or_else(|| self.say("$0.00", "¥0.00"))
    }

    /// The date that the prompt gives, or a placeholder.
    pub(super) fn date(&mut self) -> String {
        let given = self.slots.date.clone();
        self.given("date", given).unwrap_or_else(|| self.say("Date to be announced", "日期待定"))
    }

    /// The e-mail address that the prompt gives, or a placeholder.
    pub(super) fn email(&mut self) -> String {
        let given = self.slots.email.clone();
        self.given("email", given).unwrap_or_else(|| "name@example.com".to_owned())
    }

    /// The items that the prompt enumerates, or placeholders.
    pub(super) fn items(&mut self, placeholders: [(&str, &str); 3]) -> Vec<String> {
        if self.slots.items.is_empty() {
            return placeholders.iter().map(|(english, chinese)| self.say(english, chinese)).collect();
        }
        self.filled.insert("items");
        self.slots.items.clone()
    }

    fn given(&mut self, slot: &'static str, value: Option<String>) -> Option<String> {
        if value.is_some() {
            self.filled.insert(slot);
        }
        value
    }

    /// A text; `variant` is a heading level, "body" or "caption".
    pub(super) fn text(&mut self, id: &str, text: &str, variant: &str) -> String {
        self.add(id, json!({"component": "Text", "text": text, "variant": variant}))
    }

    pub(super) fn column(&mut self, id: &str, children: &[String]) -> String {
        self.add(id, json!({"component": "Column", "children": children}))
    }

    pub(super) fn row(&mut self, id: &str, children: &[String]) -> String {
        self.add(
            id,
            json!({"component": "Row", "children": children, "justify": "spaceBetween", "align": "center"}),
        )
    }

    pub(super) fn list(&mut self, id: &str, children: &[String]) -> String {
        self.add(id, json!({"component": "List", "children": children}))
    }

    pub(super) fn card(&mut self, id: &str, child: &str) -> String {
        self.add(id, json!({"component": "Card", "child": child}))
    }

    pub(super) fn divider(&mut self, id: &str) -> String {
        self.add(id, json!({"component": "Divider"}))
    }

    pub(super) fn icon(&mut self, id: &str, name: &str) -> String {
        self.add(id, json!({"component": "Icon", "name": name}))
    }

    /// A button that sends the event `id` with all of the data model.
    pub(super) fn button(&mut self, id: &str, label: &str) -> String {
        let child = self.text(&format!("{id}-label"), label, "body");
        self.add(
            id,
            json!({"component": "Button", "child": child, "variant": "primary", "action": {"event": {"name": id}}}),
        )
    }

    /// A field for a text; `variant` is "shortText", "longText", "number" or "obscured".
    pub(super) fn field(&mut self, id: &str, label: &str, variant: &str) -> String {
        let value = self.bind(id, json!(""));
        let message = self.say(&format!("{label} is required"), &format!("请填写{label}"));
        let checks =
            json!([{"condition": {"call": "required", "args": {"value": value}}, "message": message}]);
        self.add(
            id,
            json!({"component": "TextField", "label": label, "value": value, "variant": variant, "checks": checks}),
        )
    }

    pub(super) fn check_box(&mut self, id: &str, label: &str) -> String {
        let value = self.bind(id, json!(false));
        self.add(id, json!({"component": "CheckBox", "label": label, "value": value}))
    }

    /// A choice of one of `options`.
    pub(super) fn choice(&mut self, id: &str, label: &str, options: &[String]) -> String {
        let value = self.bind(id, json!([]));
        let options: Vec<Value> = options
            .iter()
            .enumerate()
            .map(|(at, option)| json!({"label": option, "value": format!("option-{}", at + 1)}))
            .collect();
        self.add(
            id,
            json!({"component": "ChoicePicker", "label": label, "options": options, "value": value,
                   "variant": "mutuallyExclusive"}),
        )
    }

    /// Binds an input to `/id` of the data model, with a first value.
    fn bind(&mut self, id: &str, value: Value) -> Value {
        self.data.insert(id.to_owned(), value);
        json!({"path": format!("/{id}")})
    }

    fn add(&mut self, id: &str, mut component: Value) -> String {
        component["id"] = json!(id);
        self.components.push(component);
        id.to_owned()
    }
}
