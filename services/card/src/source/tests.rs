//! Whole sources: what is read, what is refused, and where.

use std::sync::Arc;

use proptest::prelude::*;

use super::{SOURCE_BYTES_MAX, parse};
use crate::parameter::{
    Field, Parameter, Type,
    tests::{field, parameter},
};

/// One parameter of each type.
pub(crate) fn parameters() -> Vec<Parameter> {
    let row: Arc<[Field]> =
        Arc::new([field("label", Type::Text), field("tags", Type::TextList), field("link", Type::Url)]);
    vec![
        parameter("title", Type::Text),
        parameter("price", Type::Number),
        parameter("count", Type::Integer),
        parameter("on", Type::Boolean),
        parameter("link", Type::Url),
        parameter("tags", Type::TextList),
        parameter("rows", Type::ObjectList(row)),
    ]
}

fn refusal(source: &str) -> super::SourceError {
    match parse(source, &parameters()) {
        Ok(nodes) => panic!("{source:?} was taken: {nodes:?}"),
        Err(error) => error,
    }
}

#[test]
fn what_the_contract_describes_is_taken() {
    for source in [
        "<p>{{ title }} costs {{ price | fixed(digits=2) }}</p>",
        "<p class=\"a{% if on %} b{% elif count > 2 %} c{% else %} d{% endif %}\" hidden=\"{{ on }}\">x</p>",
        "{% for row in rows %}<p>{{ loop.index }} {{ row.label | upper | truncate(length=3) }}</p>{% endfor %}",
        "<ul>{%- for tag in tags -%}<li>{{ tag }}</li>{%- endfor -%}</ul>",
        "{% for row in rows %}{% for tag in row.tags %}{{ tag }}{% if not loop.last %}, {% endif %}{% endfor %}{% endfor %}",
        "<a href=\"{{ link }}\">x</a><a href=\"https://a.b/{{ title }}?n={{ count }}\">y</a><a href='/fixed'>z</a>",
        "<img src=\"{{ link }}\" alt=\"{{ title | default(value=\"A picture\") }}\" width=\"40\">",
        "{% if (rows | length) > 2 and (title == \"a\" or not on) %}<b>x</b>{% endif %}",
        "<!-- a comment --><P CLASS='x'>A &amp; B &copy; &#8364; &x=1 & c</P><br/>{# {% nothing %} #}",
        "<progress value=\"{{ price }}\" max=\"5\"></progress><p style=\"color: red; --a: 1px\">x</p>",
        "<table><tbody>\n{% for row in rows %}\n<tr><td>{{ row.label }}</td></tr>\n{% endfor %}\n</tbody></table>",
        "{{ tags | join(sep=\", \") }} {{ title | length }} {{ price | round }} {{ price | round(precision=1) }}",
    ] {
        assert_eq!(parse(source, &parameters()).err(), None, "{source}");
    }
}

#[test]
fn what_can_run_scripts_or_leave_its_place_is_refused() {
    for source in [
        "<script>alert(1)</script>",
        "<SCRIPT>x</SCRIPT>",
        "<p onclick=\"x\">a</p>",
        "<p ONCLICK='x'>a</p>",
        "<iframe></iframe>",
        "<object></object>",
        "<embed>",
        "<base href='/'>",
        "<meta http-equiv='refresh'>",
        "<style>a{}</style>",
        "<svg></svg>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<a href=\" javascript:alert(1)\">x</a>",
        "<a href=\"java&#115;cript:alert(1)\">x</a>",
        "<a href=\"data:text/html,x\">x</a>",
        "<a href=\"{{ title }}\">x</a>",
        "<a href=\"{{ link | trim }}\">x</a>",
        "<a href=\"{{ link }}{{ link }}\">x</a>",
        "<a href=\"https://{{ title }}\">x</a>",
        "<a href=\"//{{ title }}/\">x</a>",
        "<a href=\"{{ title }}:x\">x</a>",
        "<a href=\"/{{ title }}/{{ title }}\">x</a>",
        "<a href=\"x{% if on %}y{% endif %}\">x</a>",
        "<p class={{ title }}>x</p>",
        "<p {{ title }}=\"x\">a</p>",
        "<p {% if on %}hidden{% endif %}>a</p>",
        "<{{ title }}>x</{{ title }}>",
        "<p data-{{ title }}=\"a\">x</p>",
        "<!-- {{ title }} -->",
        "<!DOCTYPE html>",
        "<?php ?>",
        "<![CDATA[x]]>",
        "<p style=\"color:{{ title }}\">x</p>",
        "<p style=\"background:url(x)\">x</p>",
        "{{ title | safe }}",
        "<p id=\"x\">a</p>",
        "<a href='/' target='_blank'>x</a>",
        "<a href='/' target='_top'>x</a>",
        "<img src=\"{{ link }}\">",
        "<p class=\"a\"class=\"b\">x</p>",
        "<p class=\"a\" class=\"b\">x</p>",
        "<a href=\"/x\"title=\"y\">z</a>",
        "<p title=\"a>x</p>",
        "<p/class=\"a\">x</p>",
        "<math></math>",
        "<template></template>",
    ] {
        refusal(source);
    }
}

#[test]
fn what_could_grow_without_bound_is_refused() {
    for source in [
        "{% set s = title %}",
        "{% set s = s ~ s %}",
        "{{ title ~ title }}",
        "{{ range(end=100000) }}",
        "{% for i in range(end=100000) %}x{% endfor %}",
        "{{ [x for x in tags] }}",
        "{% for x in [1,2] %}x{% endfor %}",
        "{{ title | replace(from=\"a\", to=\"aaaa\") }}",
        "{% include \"x\" %}",
        "{% extends \"x\" %}",
        "{% block a %}{% endblock %}",
        "{% component c() %}x{% endcomponent %}",
        "{{<c/>}}",
        "{% filter upper %}x{% endfilter %}",
        "{% raw %}x{% endraw %}",
        "{{ count + 1 }}",
        "{{ count * 9 }}",
        "{{ tags[0] }}",
        "{{ title[::-1] }}",
        "{{ rows.0 }}",
        "{{ title if on else title }}",
        "{% for a in tags %}{% for b in tags %}{% for c in tags %}{% for d in tags %}x{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
        "{{ now() }}",
        "{{ get_env(name=\"HOME\") }}",
        "{{ {\"a\": 1} }}",
        "{{ __tera_context }}",
        "{% if not not not title is defined %}x{% endif %}",
    ] {
        refusal(source);
    }
    refusal(&format!("{{% if {} on %}}x{{% endif %}}", "not ".repeat(8000)));
    refusal(&format!("{{% if {}on{} %}}x{{% endif %}}", "(".repeat(8000), ")".repeat(8000)));
    refusal(&("{% if on %}".repeat(40) + "x" + &"{% endif %}".repeat(40)));
    refusal(&("<div>".repeat(40) + &"</div>".repeat(40)));
    refusal(&format!("{{{{ title{} }}}}", " | trim".repeat(9)));
    refusal(&"a".repeat(SOURCE_BYTES_MAX + 1));
}

#[test]
fn types_are_held() {
    for source in [
        "{{ unknown }}",
        "{{ rows }}",
        "{{ tags }}",
        "{{ on }}",
        "{{ row.label }}",
        "{{ loop.index }}",
        "{{ title.x }}",
        "{% for r in rows %}{{ r }}{% endfor %}",
        "{% for r in rows %}{{ r.nope }}{% endfor %}",
        "{% for c in title %}{{ c }}{% endfor %}",
        "{% for title in tags %}x{% endfor %}",
        "{% for loop in tags %}x{% endfor %}",
        "{% for r in rows %}{% for r in rows %}x{% endfor %}{% endfor %}",
        "{{ price | upper }}",
        "{{ title | round }}",
        "{{ rows | join(sep=\",\") }}",
        "{% if title > 1 %}x{% endif %}",
        "{% if title > \"a\" %}x{% endif %}",
        "{% if on == 1 %}x{% endif %}",
        "{% if \"a\" %}x{% endif %}",
        "<p hidden=\"{{ title }}\">x</p>",
        "<p hidden=\"yes\">x</p>",
        "<p class=\"{{ tags }}\">x</p>",
        "<progress value=\"{{ title }}\"></progress>",
        "<td colspan=\"a\">x</td>",
        "{% if a.b.c %}x{% endif %}",
        "{{ title | truncate(length=-1) }}",
        "{{ title | truncate }}",
        "{{ price | fixed(digits=9) }}",
        "{{ title | upper(x=1) }}",
        "{{ 1 }}",
        "{{ }}",
    ] {
        refusal(source);
    }
}

#[test]
fn what_a_browser_would_build_otherwise_is_refused() {
    for source in [
        "<p>a",
        "a</p>",
        "<p><b>a</p></b>",
        "<p><div>x</div></p>",
        "<p><a href='/'><div>x</div></a></p>",
        "<h1><h2>x</h2></h1>",
        "<a href='/'>x<b><a href='/'>y</a></b></a>",
        "<li>x</li>",
        "<ul>x</ul>",
        "<ul>{{ title }}</ul>",
        "<ul><p>x</p></ul>",
        "<table><tr></tr></table>",
        "<table><tbody>x</tbody></table>",
        "<td>x</td>",
        "<dl><div></div></dl>",
        "<div/>",
        "<br></br>",
        "a < b",
        "<",
        "</",
        "<>",
        "<p>&nope;</p>",
        "{% if on %}<p>{% endif %}</p>",
        "{% if on %}x",
        "{% endif %}",
        "{% else %}",
        "{% for t in tags %}x{% endif %}",
        "{% for t in tags %}x{% else %}y{% endfor %}",
        "{% if on %}x{% else %}y{% else %}z{% endif %}",
        "{% if on %}x{% endif x %}",
        "<p class=\"{% if on %}\">{% endif %}</p>",
        "{{ title",
        "{% if on",
        "{#",
        "",
        "  ",
        "a\u{0}b",
    ] {
        refusal(source);
    }
}

#[test]
fn an_error_says_where_it_is() {
    for (source, line, column) in [
        ("<p>\n  <script>", 2, 3),
        ("<p>é{{ nope }}</p>", 1, 8),
        ("<p>\n</div>", 2, 1),
        ("<p class=\"a\"\n  onclick=\"x\">", 2, 3),
        ("ok\n{% set a = 1 %}", 2, 3),
        ("<p>x", 1, 1),
        ("{{ title ~ title }}", 1, 10),
    ] {
        let error = refusal(source);
        assert_eq!((error.line, error.column), (line, column), "{source:?}: {error}");
    }
}

proptest! {
    #[test]
    fn any_source_is_read_or_refused(pieces in prop::collection::vec(prop::sample::select(vec![
        "<p>", "</p>", "<a href=\"", "\">", "</a>", "{{ title }}", "{{ ", " }}", "{% if on %}", "{% endif %}", "{% for t in tags %}", "{{ t }}",
        "{% endfor %}", "text", " ", "&amp;", "&#", "<!--", "-->", "<ul>", "<li>", "</li>", "</ul>", "'", "\"", "<", ">", "é", "{% else %}", "{{- title -}}",
        "<img src=\"/x\" alt=\"\">", "class=\"", "{", "}", "%", "=", "/", "\n", "<b>", "</b>",
    ]), 0..24)) {
        let source = pieces.concat();
        match parse(&source, &parameters()) {
            Ok(_) => {}
            Err(error) => prop_assert!(error.line >= 1 && error.column >= 1),
        }
    }
}
