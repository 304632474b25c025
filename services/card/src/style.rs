//! Style sheets that belong to a template: CSS that can neither load, nor run, nor leave the card.

/// As much as a design system's card needs, many times over.
pub(crate) const STYLESHEET_BYTES_MAX: usize = 32 * 1024;
/// Nothing nests deeper by hand.
const DEPTH_MAX: usize = 16;
/// More declarations belong into the style sheet.
const DECLARATIONS_MAX: usize = 32;

/// Functions that only compute; `url()` and its like are not among them.
const FUNCTIONS: &[&str] = &[
    "var",
    "env",
    "calc",
    "min",
    "max",
    "clamp",
    "round",
    "abs",
    "sign",
    "rgb",
    "rgba",
    "hsl",
    "hsla",
    "hwb",
    "lab",
    "lch",
    "oklab",
    "oklch",
    "color",
    "color-mix",
    "light-dark",
    "linear-gradient",
    "radial-gradient",
    "conic-gradient",
    "repeating-linear-gradient",
    "repeating-radial-gradient",
    "repeating-conic-gradient",
    "repeat",
    "minmax",
    "fit-content",
    "translate",
    "translatex",
    "translatey",
    "scale",
    "scalex",
    "scaley",
    "rotate",
    "skew",
    "skewx",
    "skewy",
    "matrix",
    "cubic-bezier",
    "steps",
    "blur",
    "brightness",
    "contrast",
    "drop-shadow",
    "grayscale",
    "hue-rotate",
    "invert",
    "opacity",
    "saturate",
    "sepia",
    "inset",
    "circle",
    "ellipse",
    "polygon",
    "not",
    "is",
    "where",
    "has",
    "nth-child",
    "nth-last-child",
    "nth-of-type",
    "nth-last-of-type",
    "lang",
    "dir",
    "and",
    "or",
    "style",
    "selector",
];

/// What is wrong in a style sheet, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub(crate) struct StyleError {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// Checks a style sheet that is to be nested in the rule of one card.
pub(crate) fn check(css: &str) -> Result<(), StyleError> {
    if css.len() > STYLESHEET_BYTES_MAX {
        return Err(StyleError {
            line: 1,
            message: format!("a style sheet has at most {STYLESHEET_BYTES_MAX} bytes"),
        });
    }
    if css.contains(|character: char| character.is_control() && !"\t\n\r".contains(character)) {
        return Err(StyleError {
            line: 1,
            message: "a style sheet cannot hold control characters".to_owned(),
        });
    }
    scan(css)
        .map_err(|(offset, message)| StyleError { line: css[..offset].matches('\n').count() + 1, message })
}

/// The declarations of a `style` attribute: property and value.
pub(crate) fn declarations(text: &str) -> Result<Vec<(String, String)>, String> {
    scan(text).map_err(|(_, message)| message)?;
    if text.contains(['{', '}', '@', '!', '"', '\'']) || text.contains("/*") {
        return Err("\"style\" takes plain declarations; put everything else into the style sheet".to_owned());
    }
    let mut declarations: Vec<(String, String)> = Vec::new();
    for declaration in text.split(';').map(str::trim).filter(|declaration| !declaration.is_empty()) {
        let Some((property, value)) = declaration.split_once(':') else {
            return Err(format!("{declaration:?} is not a declaration"));
        };
        let (property, value) = (property.trim().to_ascii_lowercase(), value.trim());
        let known =
            property.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if property.is_empty()
            || !known
            || value.is_empty()
            || declarations.iter().any(|(other, _)| *other == property)
        {
            return Err(format!("{declaration:?} cannot be used"));
        }
        declarations.push((property, value.to_owned()));
    }
    if declarations.len() > DECLARATIONS_MAX {
        return Err(format!("\"style\" takes at most {DECLARATIONS_MAX} declarations"));
    }
    Ok(declarations)
}

/// Reads strings, comments and brackets, so that what follows the sheet cannot become part of it, or the other way.
fn scan(css: &str) -> Result<(), (usize, String)> {
    let mut closers: Vec<char> = Vec::new();
    let mut at = 0;
    while let Some(character) = css[at..].chars().next() {
        let rest = &css[at..];
        let fault = |message: &str| Err((at, message.to_owned()));
        at += match character {
            '/' if rest.starts_with("/*") => match rest[2..].find("*/") {
                Some(length) => length + 4,
                None => return fault("this comment is not closed"),
            },
            '"' | '\'' => match rest[1..].find(['"', '\'', '\n', '\\', '<', '&'].as_slice()) {
                Some(length) if rest[1 + length..].starts_with(character) => length + 2,
                _ => return fault("this string is not closed, or holds a quote, \"\\\", \"<\" or \"&\""),
            },
            '(' | '[' | '{' => {
                if closers.len() == DEPTH_MAX {
                    return fault("this is too deep");
                }
                closers.push(match character {
                    '(' => ')',
                    '[' => ']',
                    _ => '}',
                });
                1
            }
            ')' | ']' | '}' => {
                if closers.pop() != Some(character) {
                    return fault("this closes nothing");
                }
                1
            }
            '&' | '\\' | '<' => return fault("\"&\", \"\\\" and \"<\" cannot be used"),
            '@' => at_rule(rest).map_err(|message| (at, message.to_owned()))?,
            _ if character.is_ascii_alphabetic() => word(rest).map_err(|message| (at, message.to_owned()))?,
            _ => character.len_utf8(),
        };
    }
    if closers.is_empty() { Ok(()) } else { Err((css.len(), "a bracket is not closed".to_owned())) }
}

fn at_rule(rest: &str) -> Result<usize, &'static str> {
    let name = name(&rest[1..]);
    if matches!(name, "container" | "media" | "supports") {
        Ok(name.len() + 1)
    } else {
        Err("only @container, @media and @supports can be used")
    }
}

fn word(rest: &str) -> Result<usize, &'static str> {
    let name = name(rest);
    let called = rest[name.len()..].starts_with('(');
    if called && !FUNCTIONS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err("this function cannot be used");
    }
    Ok(name.len())
}

fn name(text: &str) -> &str {
    let end = text.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'-' && byte != b'_');
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_style_sheets_are_taken() {
        let css = "gap: 1rem; .a > .b::before { content: \"x\"; color: rgb(0 0 0 / 50%) }\n\
            @container card (min-width: 30rem) { .a:not(.b) { grid-template-columns: repeat(2, 1fr) } } /* end */";
        assert_eq!(check(css), Ok(()));
        assert_eq!(check(""), Ok(()));
    }

    #[test]
    fn what_loads_runs_or_leaves_the_card_is_refused() {
        for css in [
            ".a{background:url(https://evil)}",
            ".a{background:URL(x)}",
            ".a{background:u\\72l(x)}",
            "@import 'x';",
            "@font-face{}",
            "} body{display:none",
            ".a{",
            "body:has(&){}",
            "</style><script>",
            ".a{content:\"",
            "/* ",
            ".a{background:image-set('x' 1x)}",
            ".a{width:expression(alert(1))}",
            "@keyframes x{}",
            ".a{b:'</style>'}",
            ".a)",
            "@layer x;",
            ".a{x:-webkit-image-set(url(x))}",
            "\u{0}",
            ".a{background:u/**/rl(x)}.b{x:-moz-element(#a)}",
        ] {
            assert!(check(css).is_err(), "{css}");
        }
    }

    #[test]
    fn an_error_names_its_line() {
        assert_eq!(check("a{}\nb{}\n@import").unwrap_err().line, 3);
    }

    #[test]
    fn a_style_attribute_is_a_list_of_declarations() {
        let expected =
            vec![("color".to_owned(), "red".to_owned()), ("--x".to_owned(), "calc(1px + 2px)".to_owned())];
        assert_eq!(declarations(" COLOR : red;--x:calc(1px + 2px); "), Ok(expected));
        for wrong in [
            "color",
            "color:red!important",
            "a:b;a:c",
            "background:url(x)",
            "a:b}",
            ":b",
            "a:",
            "a b:c",
            "a:\"x\"",
        ] {
            assert!(declarations(wrong).is_err(), "{wrong}");
        }
    }
}
