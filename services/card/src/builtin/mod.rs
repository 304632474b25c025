//! The templates that come with the service.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use crate::{
    parameter::{Field, Parameter, Type},
    template::{About, Content, Kind, Summary, Template, Visibility},
};

/// The same everywhere, so that lists and exports are: 2026-11-01, in epoch microseconds.
const CREATE_TIME_US: i64 = 1_793_491_200_000_000;

static ALL: LazyLock<[Template; 3]> = LazyLock::new(|| [product(), info(), custom()]);

/// All of them, in the order of lists.
pub(crate) fn all() -> &'static [Template] {
    &*ALL
}

/// The one with this id.
pub(crate) fn find(template_id: &str) -> Option<&'static Template> {
    all().iter().find(|template| template.summary.template_id == template_id)
}

fn product() -> Template {
    let parameters = vec![
        required("title", Type::Text, "What is offered"),
        required("price", Type::Number, "What it costs"),
        with_default("currency", Type::Text, "What stands before the price", json!("$")),
        optional("price_before", Type::Number, "What it cost before, shown when it is more"),
        optional("brand", Type::Text, "Who makes it"),
        optional("badge", Type::Text, "A word on the picture, such as New"),
        optional("image", Type::Url, "A picture of it"),
        optional("image_alt", Type::Text, "What the picture shows, for those who do not see it"),
        optional("description", Type::Text, "A few sentences; the first 400 characters are shown"),
        optional("features", Type::TextList, "What speaks for it"),
        optional("rating", Type::Number, "From 0 to 5; 0 shows none"),
        optional("review_count", Type::Integer, "How many rated it"),
        with_default("in_stock", Type::Boolean, "Whether it can be had", json!(true)),
        optional("link", Type::Url, "Where it can be had"),
        with_default("link_label", Type::Text, "What the link says", json!("View details")),
    ];
    let content = Content {
        parameters,
        source: include_str!("product.html").to_owned(),
        stylesheet: include_str!("product.css").to_owned(),
    };
    template(
        Kind::Product,
        ("Product card", "Something that is offered: picture, price, rating, a link to it."),
        content,
    )
}

fn info() -> Template {
    let parameters = vec![
        required("title", Type::Text, "What it is about"),
        optional("topic", Type::Text, "A word above the title"),
        optional("author", Type::Text, "Who wrote it"),
        optional("date", Type::Text, "When, such as 2026-11-21"),
        optional("image", Type::Url, "A picture"),
        optional("image_alt", Type::Text, "What the picture shows, for those who do not see it"),
        optional("summary", Type::Text, "The matter in a few sentences"),
        objects("facts", "Labels and values", vec![needed("label", Type::Text), needed("value", Type::Text)]),
        objects(
            "sections",
            "Paragraphs with headings",
            vec![may("heading", Type::Text), needed("text", Type::Text)],
        ),
        objects("links", "Where to read on", vec![needed("label", Type::Text), needed("url", Type::Url)]),
    ];
    let content = Content {
        parameters,
        source: include_str!("info.html").to_owned(),
        stylesheet: include_str!("info.css").to_owned(),
    };
    template(Kind::Info, ("Info card", "Something to know: a text with facts, sections and links."), content)
}

fn custom() -> Template {
    let metric = vec![
        needed("label", Type::Text),
        needed("value", Type::Text),
        may("share", Type::Number),
        may("note", Type::Text),
    ];
    let block = vec![
        may("heading", Type::Text),
        may("text", Type::Text),
        may("image", Type::Url),
        may("image_alt", Type::Text),
        may("items", Type::TextList),
        may("link", Type::Url),
        may("link_label", Type::Text),
    ];
    let parameters = vec![
        required("title", Type::Text, "What it is about"),
        optional("subtitle", Type::Text, "A line below the title"),
        objects("metrics", "Numbers to see at a glance; share from 0 to 100 draws a bar", metric),
        objects("blocks", "Text, picture, list and link, as many as are given of each", block),
        optional("footnote", Type::Text, "Small print"),
    ];
    let content = Content {
        parameters,
        source: include_str!("custom.html").to_owned(),
        stylesheet: include_str!("custom.css").to_owned(),
    };
    template(
        Kind::Custom,
        ("Custom card", "Metrics and blocks for anything else; a start for templates of one's own."),
        content,
    )
}

fn template(kind: Kind, (display_name, description): (&str, &str), content: Content) -> Template {
    let template_id = match kind {
        Kind::Product => "product",
        Kind::Info => "info",
        Kind::Custom => "custom",
    };
    let summary = Summary {
        template_id: template_id.to_owned(),
        owner_id: String::new(),
        about: About {
            kind,
            display_name: display_name.to_owned(),
            description: description.to_owned(),
            tags: vec!["built-in".to_owned()],
            visibility: Visibility::Shared,
        },
        version: 1,
        create_time_us: CREATE_TIME_US,
        update_time_us: CREATE_TIME_US,
    };
    Template { summary, content }
}

fn required(name: &str, kind: Type, description: &str) -> Parameter {
    Parameter { required: true, ..optional(name, kind, description) }
}

fn with_default(name: &str, kind: Type, description: &str, default: Value) -> Parameter {
    Parameter { default: Some(default), ..optional(name, kind, description) }
}

fn objects(name: &str, description: &str, fields: Vec<Field>) -> Parameter {
    optional(name, Type::ObjectList(Arc::from(fields)), description)
}

fn optional(name: &str, kind: Type, description: &str) -> Parameter {
    Parameter {
        name: name.to_owned(),
        description: description.to_owned(),
        kind,
        required: false,
        default: None,
    }
}

fn needed(name: &str, kind: Type) -> Field {
    Field { required: true, ..may(name, kind) }
}

fn may(name: &str, kind: Type) -> Field {
    Field { name: name.to_owned(), description: String::new(), kind, required: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_the_service_keeps_its_own_rules() {
        for template in all() {
            assert_eq!(template.check(), Ok(()), "{}", template.summary.template_id);
            assert!(template.summary.is_built_in() && template.summary.is_visible_to("user:anybody"));
        }
        assert_eq!(find("info").unwrap().summary.about.kind, Kind::Info);
        assert!(find("nope").is_none());
    }
}
