//! Templates with values: what is rendered here, in React and in a browser.

use plexus_proto::card::v1::{CardKind, Parameter, ParameterField, ParameterType, Template};
use serde_json::{Value, json};

/// A built-in template with values.
pub(crate) struct Sample {
    pub(crate) template_id: &'static str,
    pub(crate) parameters: Value,
}

/// The built-in templates, with everything and with as little as they take.
pub(crate) fn built_in() -> Vec<Sample> {
    let sample = |template_id, parameters| Sample { template_id, parameters };
    vec![
        sample("product", product()),
        sample(
            "product",
            json!({"title": "A pen", "price": 1.005, "in_stock": false, "badge": "New", "rating": 3, "review_count": 1}),
        ),
        sample("info", info()),
        sample("info", json!({"title": "<b>&amp; \"quotes\" 'n' {braces}</b>", "author": "Ann"})),
        sample("custom", custom()),
        sample("custom", json!({"title": "Nothing else"})),
    ]
}

pub(crate) fn product() -> Value {
    json!({
        "title": "Aurora noise-cancelling headphones", "brand": "Northlight", "price": 249, "price_before": 319.5, "badge": "New",
        "image": "https://images.example/aurora.jpg", "image_alt": "Graphite headphones on a linen cloth",
        "description": "Forty hours of quiet. Aurora listens to the room and takes out what you did not come to hear.",
        "features": ["40 hours on one charge", "Adaptive noise cancelling", "Two devices at once", "Folds flat into its case"],
        "rating": 4.6, "review_count": 1284, "link": "https://shop.example/p/aurora?ref=card&x=1", "link_label": "Add to basket",
    })
}

pub(crate) fn info() -> Value {
    json!({
        "title": "Total lunar eclipse", "topic": "Sky this week", "author": "Dr. Mina Okafor", "date": "2026-11-21",
        "summary": "The Moon passes through the Earth's shadow and turns copper red for 65 minutes. No instrument is needed.",
        "facts": [{"label": "Begins", "value": "02:14 UTC"}, {"label": "Greatest", "value": "03:41 UTC"}, {"label": "Ends", "value": "05:02 UTC"}, {"label": "Magnitude", "value": "1.15"}],
        "sections": [
            {"heading": "Where", "text": "All of Europe and Africa see the whole of it; the Americas see the Moon rise eclipsed."},
            {"heading": "How", "text": "Look east after moonset of the evening before, away from lamps, with the naked eye."},
            {"text": "The next one follows in 2028."}
        ],
        "links": [{"label": "Map", "url": "/maps/eclipse"}, {"label": "Ask us", "url": "mailto:sky@example.org"}],
    })
}

pub(crate) fn custom() -> Value {
    json!({
        "title": "Week 47", "subtitle": "How the team is doing",
        "metrics": [{"label": "Conversations", "value": "18,204", "note": "+12 % on last week"}, {"label": "Answered", "value": "97.2 %", "share": 97.2}, {"label": "Budget used", "value": "61 %", "share": 61}],
        "blocks": [
            {"heading": "Shipped", "items": ["Dark mode", "Faster search", "Exports to React"]},
            {"heading": "Next", "text": "Two pilots begin on Monday.", "link": "https://plan.example/48", "link_label": "The plan"},
            {"heading": "Thanks", "text": "To everybody who stayed late on Thursday.", "link": "/thanks"}
        ],
        "footnote": "Numbers are final on Tuesday.",
    })
}

/// A template that uses all of the language, and values that lie at its edges.
pub(crate) fn everything() -> (Template, Value) {
    let parameter = |name: &str, kind: ParameterType| Parameter {
        name: name.to_owned(),
        r#type: kind.into(),
        ..Parameter::default()
    };
    let field = |name: &str, kind: ParameterType| ParameterField {
        name: name.to_owned(),
        r#type: kind.into(),
        ..ParameterField::default()
    };
    let mut rows = parameter("rows", ParameterType::ObjectList);
    rows.description = "A comment that ends with */ early".to_owned();
    rows.fields = vec![
        field("label", ParameterType::String),
        field("tags", ParameterType::StringList),
        field("link", ParameterType::Url),
        field("amount", ParameterType::Number),
        field("open", ParameterType::Boolean),
        field("count", ParameterType::Integer),
    ];
    let mut colour = parameter("colour", ParameterType::String);
    colour.default_value = Some(crate::proto(&json!("a \"b\" \\ `c` ${d}")));
    let template = Template {
        kind: CardKind::Custom.into(),
        display_name: "Everything".to_owned(),
        description: "All of the language. */".to_owned(),
        parameters: vec![
            parameter("title", ParameterType::String),
            parameter("price", ParameterType::Number),
            parameter("count", ParameterType::Integer),
            parameter("on", ParameterType::Boolean),
            parameter("link", ParameterType::Url),
            parameter("empty_link", ParameterType::Url),
            parameter("tags", ParameterType::StringList),
            rows,
            colour,
            parameter("unused", ParameterType::String),
        ],
        source: include_str!("everything.html").to_owned(),
        stylesheet: ".a > .b { color: teal; }".to_owned(),
        ..Template::default()
    };
    let values = json!({
        "title": "  <i>ΟΔΥΣΣΕΥΣ & straße</i> \"q\" 'a' {x} `y` ${z} \u{a0}😀 ", "price": -0.125, "count": 3, "on": true, "link": "https://a.example/?a=1&b=2",
        "tags": ["eins", "zwei & drei", "<vier>"],
        "rows": [
            {"label": "first", "tags": ["x", "y"], "link": "/a?b#c", "amount": 1e21, "open": true, "count": 2},
            {"label": "second", "amount": 1e-7}, {"tags": ["only"], "amount": 0.1, "count": -1},
        ],
    });
    (template, values)
}

/// Every filter over many numbers and texts, to be shown alike by Rust and by JavaScript.
pub(crate) fn many_values() -> (Template, Value) {
    let field = |name: &str, kind: ParameterType| ParameterField {
        name: name.to_owned(),
        r#type: kind.into(),
        required: true,
        ..ParameterField::default()
    };
    let rows = Parameter {
        name: "rows".to_owned(),
        r#type: ParameterType::ObjectList.into(),
        fields: vec![field("number", ParameterType::Number), field("text", ParameterType::String)],
        required: true,
        ..Parameter::default()
    };
    let source = "{% for row in rows %}<p title=\"{{ row.text }}\">{{ row.number }}|{{ row.number | fixed(digits=0) }}|\
        {{ row.number | fixed(digits=2) }}|{{ row.number | round }}|{{ row.number | round(precision=3) }}</p>\
        <a href=\"/q?{{ row.text }}\">{{ row.text | upper }}|{{ row.text | lower }}|{{ row.text | capitalize }}|\
        {{ row.text | trim }}|{{ row.text | truncate(length=3) }}|{{ row.text | length }}</a>{% endfor %}";
    let template = Template {
        kind: CardKind::Custom.into(),
        display_name: "Many".to_owned(),
        parameters: vec![rows],
        source: source.to_owned(),
        ..Template::default()
    };
    // A multiplicative generator (Lehmer), so that a difference comes again.
    let mut state: u64 = 20_261_121;
    let mut next = |below: u64| {
        state = state * 48_271 % 0x7fff_ffff;
        state % below
    };
    let rows: Vec<Value> = (0..600)
        .map(|index| {
            let sign = if next(2) == 0 { 1.0 } else { -1.0 };
            let digits = next(100_000) as f64;
            // Ties such as 2.5 and 0.125 first, then numbers of every size.
            let number = if index < 200 { digits / 8.0 } else { digits * 10f64.powi(next(60) as i32 - 30) };
            // Letters with odd cases are below U+2000; white space of all kinds lies up to U+3000.
            let character = |code: u64| match code {
                0x1c89 | 0x1c8a => None,
                code => char::from_u32(code as u32).filter(|character| !character.is_control()),
            };
            let mut text: String = (0..next(6)).filter_map(|_| character(next(0x2000))).collect();
            text.extend(character(0x2000 + next(0x40)));
            text.insert_str(0, ["", "\u{feff}", "\u{85}", "Σ", "aΣ", "ǆ", "\u{3000}"][next(7) as usize]);
            json!({"number": sign * number, "text": text})
        })
        .collect();
    (template, json!({ "rows": rows }))
}
