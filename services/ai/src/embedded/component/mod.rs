//! Components from prompts: choose an entry of the catalogue, fill its slots, build the tree, validate it.
//!
//! The result is messages of A2UI v0.9 for its basic catalogue (<https://a2ui.org/specification/v0_9>): data that a
//! client renders with its own widgets. No code is made, so none can be injected.

mod catalog;
mod displays;
mod draft;
mod forms;
mod slots;
mod validate;

use serde_json::{Value, json};

use crate::language::Language;
pub(crate) use catalog::names;
pub(crate) use validate::{Invalid, validate};

/// The version of A2UI that the messages follow.
const VERSION: &str = "v0.9";
/// The catalogue of components that the messages use.
const CATALOG: &str = "https://a2ui.org/specification/v0_9/catalogs/basic/catalog.json";

/// A component that was made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Component {
    /// The entry of the catalogue.
    pub entry: &'static str,
    /// What it is and what of the prompt it shows.
    pub description: String,
    /// The surface that the messages speak of.
    pub surface_id: String,
    /// `createSurface`, `updateComponents`, `updateDataModel`.
    pub messages: Vec<Value>,
    /// The slots whose values come from the prompt, sorted.
    pub filled_slots: Vec<&'static str>,
}

/// Why no component was made.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Error {
    /// No entry of the catalogue fits the prompt.
    #[error("the prompt fits no entry of the catalogue")]
    NoEntry,
    /// The tree that was built breaks a rule: a fault of the entry, not of the prompt.
    #[error("the tree is not valid")]
    Invalid(#[from] Invalid),
}

/// Makes the component that `prompt` describes. The same prompt always makes the same one.
///
/// # Errors
/// When the prompt fits no entry.
pub(crate) fn generate(prompt: &str) -> Result<Component, Error> {
    let entry = catalog::choose(prompt).ok_or(Error::NoEntry)?;
    let language = Language::of(prompt);
    let slots = slots::read(prompt);
    let mut draft = draft::Draft::new(&slots, language);
    let content = (entry.build)(&mut draft);
    draft.card("root", &content);
    let draft::Built { components, data, filled_slots } = draft.finish();
    validate(&components)?;

    let surface_id = entry.name.replace('_', "-");
    let messages = vec![
        json!({"version": VERSION, "createSurface": {
            "surfaceId": surface_id, "catalogId": CATALOG, "sendDataModel": true}}),
        json!({"version": VERSION, "updateComponents": {"surfaceId": surface_id, "components": components}}),
        json!({"version": VERSION, "updateDataModel": {"surfaceId": surface_id, "path": "/", "value": data}}),
    ];
    let description = describe(entry, language, &filled_slots);
    Ok(Component { entry: entry.name, description, surface_id, messages, filled_slots })
}

fn describe(entry: &catalog::Entry, language: Language, filled: &[&str]) -> String {
    match (language, filled.is_empty()) {
        (Language::English, true) => format!("{}. All values are placeholders.", entry.title.0),
        (Language::English, false) => {
            format!(
                "{}. From the prompt: {}; all other values are placeholders.",
                entry.title.0,
                filled.join(", ")
            )
        }
        (Language::Chinese, true) => format!("{}。所有内容都是占位内容。", entry.title.1),
        (Language::Chinese, false) => {
            format!("{}。来自提示的内容：{}；其余是占位内容。", entry.title.1, filled.join("、"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Prompts, the entry that each should get, and a text that has to be in the component.
    const PROMPTS: [(&str, &str, &str); 30] = [
        ("a login form", "login_form", "Sign in"),
        ("Build me a sign in page titled \"Members only\"", "login_form", "Members only"),
        ("sign up form for new users", "sign_up_form", "Create account"),
        ("contact us form", "contact_form", "Send"),
        ("product card for \"Trail Shoe\" at $89.90", "product_card", "$89.90"),
        ("a pricing table with Basic $9, Pro $29 and Team $99", "pricing", "Team"),
        ("dashboard stats: Revenue $12k, Users 340, Churn 2%", "stats", "340"),
        ("a table with columns Name, Role, City", "table", "City"),
        ("todo list with milk, bread and eggs", "list", "bread"),
        ("shopping list: apples, pears", "list", "pears"),
        ("user profile of \"Ada Lovelace\" ada@example.org", "profile", "ada@example.org"),
        ("event invitation \"Summer fair\" on 2027-06-12", "event", "2027-06-12"),
        ("checkout page total $59", "checkout", "$59"),
        ("settings page with dark mode, notifications", "settings", "dark mode"),
        ("feedback form with a rating", "feedback_form", "Send feedback"),
        ("a search box with filters", "search", "Search"),
        ("登录表单", "login_form", "登录"),
        ("做一个注册页面", "sign_up_form", "注册"),
        ("联系我们的表单", "contact_form", "发送"),
        ("商品卡片“登山鞋” ¥399", "product_card", "¥399"),
        ("价格方案：基础版 9元、专业版 29元", "pricing", "专业版"),
        ("数据统计：收入 12万、用户 340", "stats", "用户"),
        ("表格，列：姓名、职位、城市", "table", "城市"),
        ("购物清单：苹果、梨", "list", "苹果"),
        ("个人资料卡“李雷”", "profile", "李雷"),
        ("活动邀请“夏日集市”", "event", "夏日集市"),
        ("结账页面", "checkout", "支付"),
        ("设置页面：深色模式、通知", "settings", "深色模式"),
        ("意见反馈表", "feedback_form", "提交"),
        ("搜索框", "search", "搜索"),
    ];

    fn components(component: &Component) -> Vec<Value> {
        component.messages[1]["updateComponents"]["components"].as_array().unwrap().clone()
    }

    #[test]
    fn each_prompt_gets_its_entry_with_what_it_says_and_every_entry_is_reached() {
        let mut reached = std::collections::BTreeSet::new();
        for (prompt, entry, text) in PROMPTS {
            let component = generate(prompt).unwrap_or_else(|error| panic!("{prompt}: {error}"));
            assert_eq!(component.entry, entry, "{prompt}");
            let shown = Value::from(component.messages.clone()).to_string();
            assert!(shown.contains(text), "{prompt}: {shown}");
            reached.insert(component.entry);
        }
        assert_eq!(reached.into_iter().collect::<Vec<_>>(), {
            let mut all: Vec<_> = names().collect();
            all.sort_unstable();
            all
        });
    }

    #[test]
    fn what_the_prompt_gave_is_named_and_the_rest_is_called_a_placeholder() {
        let component = generate("product card for \"Trail Shoe\" at $89.90").unwrap();
        assert_eq!(component.filled_slots, ["price", "title"]);
        assert!(component.description.contains("placeholders"));
        assert!(generate("a login form").unwrap().filled_slots.is_empty());
    }

    #[test]
    fn a_prompt_about_something_else_gets_nothing() {
        assert_eq!(generate("the weather in Paris"), Err(Error::NoEntry));
        assert_eq!(generate(""), Err(Error::NoEntry));
    }

    #[test]
    fn every_input_is_bound_to_a_value_of_the_data_model() {
        for (prompt, ..) in PROMPTS {
            let component = generate(prompt).unwrap();
            let data = &component.messages[2]["updateDataModel"]["value"];
            for input in components(&component) {
                if let Some(path) = input.pointer("/value/path").and_then(Value::as_str) {
                    assert!(data.pointer(path).is_some(), "{prompt}: {path}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_prompt_makes_a_valid_tree_or_none(
            kind in prop::sample::select(PROMPTS.map(|(prompt, ..)| prompt).to_vec()),
            rest in "([\"“”:,、$¥ ]|with|\\PC|[a-z]{1,9} [0-9]{1,4}){0,400}",
        ) {
            let component = generate(&format!("{kind} {rest}"));
            prop_assert!(!matches!(component, Err(Error::Invalid(_))), "{component:?}");
            prop_assert_eq!(component, generate(&format!("{kind} {rest}")));
        }
    }
}
