//! What Tera makes of what the compiler writes.

use serde_json::{Value, json};

use super::*;
use crate::{source, source::tests::parameters, value};

fn render(source: &str, given: Value) -> Result<String, RenderError> {
    let nodes = source::parse(source, &parameters()).unwrap();
    let values = value::complete(&parameters(), given.as_object().cloned().unwrap()).unwrap();
    Renderer::new().render(&nodes, &values)
}

fn html(source: &str, given: Value) -> String {
    render(source, given).unwrap()
}

#[test]
fn values_tags_and_filters_mean_what_they_mean_in_tera() {
    for (source, given, expected) in [
        ("<p>{{ title }}</p>", json!({"title": "a"}), "<p>a</p>"),
        ("{{ price }} {{ count }}", json!({"price": 10, "count": 3}), "10 3"),
        (
            "{{ price | fixed(digits=2) }} {{ price | round }} {{ price | round(precision=1) }}",
            json!({"price": 2.25}),
            "2.25 2 2.3",
        ),
        ("{{ title | upper }}{{ title | capitalize }}{{ title | length }}", json!({"title": "éa"}), "ÉAÉa2"),
        ("{{ title | truncate(length=2) }}|{{ title | trim }}", json!({"title": " ab"}), " a…|ab"),
        (
            "{{ title | default(value=\"x\") }}{{ tags | join(sep=\"-\") }}{{ tags | length }}",
            json!({"tags": ["a", "b"]}),
            "xa-b2",
        ),
        (
            "{% if price > 1 and not on %}a{% elif on == true %}b{% else %}c{% endif %}",
            json!({"on": true}),
            "b",
        ),
        (
            "{% if price > -1.5 %}a{% endif %}{% if (tags | length) == 0 %}b{% endif %}{% if tags %}c{% endif %}",
            json!({}),
            "ab",
        ),
        (
            "{% if count == 2.0 %}a{% endif %}{% if price == 2 %}b{% endif %}{% if title != 'x\"' %}c{% endif %}",
            json!({"count": 2, "price": 2}),
            "abc",
        ),
        (
            "{% for t in tags %}{{ loop.index }}{{ t }}{% if not loop.last %},{% endif %}{% endfor %}",
            json!({"tags": ["a", "b"]}),
            "1a,2b",
        ),
        (
            "{% for r in rows %}{% for t in r.tags %}{{ r.label }}{{ t }}{{ loop.index0 }}{% endfor %}{% endfor %}",
            json!({"rows": [{"label": "x", "tags": ["a"]}, {"label": "y", "tags": ["b", "c"]}]}),
            "xa0yb0yc1",
        ),
        ("{% if not on == true %}a{% endif %}", json!({}), "a"),
    ] {
        assert_eq!(html(source, given), expected, "{source}");
    }
}

#[test]
fn a_value_never_leaves_its_place() {
    for hostile in [
        "<script>alert(1)</script>",
        "\" onmouseover=\"alert(1)",
        "' onload='x",
        "</p><img src=x onerror=alert(1)>",
        "{{ 7 * 7 }}{% set x = 1 %}",
        "&lt;script&gt;",
        "-->",
        "`${alert(1)}`",
        "]]>",
        "\u{2028}",
        "&#x22;",
        "{# x #}",
    ] {
        let given = json!({"title": hostile, "tags": [hostile]});
        let output = html(
            "<p title=\"{{ title }}\" class='a {{ title | upper }}'>{{ title }}{% for t in tags %}{{ t }}{% endfor %}</p>\
             <a href=\"https://a.b/{{ title }}?q={{ title | trim }}\">x</a>{{ tags | join(sep=\"<\") }}{{ title | truncate(length=4) }}",
            given,
        );
        // Besides the tags of the template there is no sign that could begin or end anything.
        let rest = output
            .replace("<p title=\"", "")
            .replace("\" class=\"a ", "")
            .replace("</p><a href=\"", "")
            .replace("\">x</a>", "")
            .replace("\">", "");
        assert!(!rest.contains(['<', '>', '"', '\'']), "{hostile}: {output}");
    }
}

#[test]
fn fixed_text_cannot_become_a_tag() {
    let source = "&#123;{ title }} &#123;% x %} &lt;b&gt; &quot;";
    assert_eq!(html(source, json!({})), "&#123;&#123; title }} &#123;% x %} &lt;b&gt; &quot;");
}

#[test]
fn urls_that_are_blocked_lead_nowhere() {
    // A default is checked when a template is saved; the filter of the place is there for what is not.
    let nodes = source::parse("<a href=\"{{ link }}\">x</a><img src=\"{{ link }}\" alt=\"\">", &parameters())
        .unwrap();
    let mut values = value::complete(&parameters(), serde_json::Map::new()).unwrap();
    values.insert("link".to_owned(), json!("javascript:alert(1)"));
    let blocked = Renderer::new().render(&nodes, &values).unwrap();
    assert_eq!(
        blocked,
        "<a href=\"about:invalid#blocked\">x</a><img src=\"about:invalid#blocked\" alt=\"\">"
    );
    assert_eq!(html("<img src=\"{{ link }}\" alt=\"\">", json!({})), "<img alt=\"\">");
}

#[test]
fn white_space_is_settled_before_rendering() {
    let source =
        "\n<div>\n  <p>\n a {{ title }}\n  <b>b</b>\n</p>\n {% if on %}\n <p>c</p>\n {% endif %}\n</div>\n";
    assert_eq!(html(source, json!({"title": "x", "on": true})), "<div><p>a x <b>b</b></p><p>c</p></div>");
}

#[test]
fn work_is_counted_before_it_is_done() {
    let nested =
        "{% for a in tags %}{% for b in tags %}{% for c in tags %}x{% endfor %}{% endfor %}{% endfor %}";
    let many: Vec<String> = (0..1000).map(|_| String::new()).collect();
    assert!(matches!(render(nested, json!({"tags": many})), Err(RenderError::Steps)));
    let empty = "{% for a in tags %}{% for b in tags %}{% endfor %}{% endfor %}";
    assert!(matches!(render(empty, json!({"tags": many})), Err(RenderError::Steps)));
    // A filter over a long text in a loop is work even if it shows nothing of it.
    let long = "{% for a in tags %}{% if title | upper | lower == \"\" %}{% endif %}{% endfor %}";
    assert!(matches!(
        render(long, json!({"tags": many, "title": "x".repeat(30_000)})),
        Err(RenderError::Steps)
    ));
    let lists = "{% for a in tags %}{{ tags | length }}{% endfor %}";
    assert!(matches!(
        render(lists, json!({"tags": (0..1000).map(|_| "abcdefgh").collect::<Vec<_>>()})),
        Err(RenderError::Steps)
    ));
    assert_eq!(html("{% for a in tags %}{% endfor %}", json!({"tags": many})), "");
}

#[test]
fn output_ends_at_its_limit() {
    let many: Vec<String> = (0..1000).map(|_| "x".to_owned()).collect();
    // Each "<" of the value becomes four bytes.
    let source = "{% for a in tags %}{{ title }}{% endfor %}";
    let given = json!({"tags": many, "title": "<".repeat(3000)});
    assert!(matches!(render(source, given), Err(RenderError::Output)));
}
