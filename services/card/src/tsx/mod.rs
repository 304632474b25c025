//! A template as a React component in TypeScript, made from the same tree as its HTML.
//!
//! React escapes every value by itself; URLs go through a function in the exported file with the same allow-list.
//! The same template gives the same bytes.

mod attribute;
mod expression;
mod jsx;
mod name;
mod parts;
mod props;

pub(crate) use name::{component_name, is_component_name};

use crate::{parameter::Parameter, source::tree::Node};

/// What is exported.
pub(crate) struct Export<'t> {
    pub(crate) template_id: &'t str,
    pub(crate) version: i64,
    pub(crate) component_name: &'t str,
    pub(crate) description: &'t str,
    pub(crate) parameters: &'t [Parameter],
    pub(crate) nodes: &'t [Node],
}

/// The file of the component.
pub(crate) fn export(export: &Export<'_>) -> String {
    let body = jsx::lines(export.nodes);
    let name = export.component_name;
    let code = body.join("\n");
    let mut file = format!(
        "// Exported from the card template \"{}\", version {}. Its style sheet is {name}.css.\n",
        export.template_id, export.version
    );
    file.push_str(&parts::imports(&code));
    file.push('\n');
    file.push_str(&props::interface(name, export.parameters));
    file.push('\n');
    file.push_str(&parts::functions(&code));
    if !export.description.is_empty() {
        file.push_str(&props::comment("", export.description));
    }
    let taken = props::destructured(export.parameters, export.nodes);
    file.push_str(&format!("export function {name}({taken}: {name}Props): ReactElement {{\n  return (\n"));
    file.push_str(&format!("    <div className=\"plexus-card\" data-template=\"{}\">\n", export.template_id));
    file.push_str("      <div className=\"plexus-card-body\">\n");
    for line in body {
        file.push_str("        ");
        file.push_str(&line);
        file.push('\n');
    }
    file.push_str("      </div>\n    </div>\n  );\n}\n");
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parameter::Type, parameter::tests::parameter, source};

    #[test]
    fn a_component_reads_as_a_person_would_write_it() {
        let mut title = parameter("title", Type::Text);
        title.required = true;
        let parameters = [title, parameter("photo", Type::Url), parameter("tags", Type::TextList)];
        let source = "<h2>{{ title }}: {{ tags | length }}</h2><img src=\"{{ photo }}\" alt=\"\">\
                      {% if tags %}<ul>{% for tag in tags %}<li>{{ tag }}</li>{% endfor %}</ul>{% endif %}";
        let nodes = source::parse(source, &parameters).unwrap();
        let exported = export(&Export {
            template_id: "t-1",
            version: 3,
            component_name: "TagCard",
            description: "Tags.",
            parameters: &parameters,
            nodes: &nodes,
        });
        assert_eq!(exported, include_str!("expected.tsx"));
    }
}
