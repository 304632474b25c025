//! What an exported file brings along: its imports and the functions that its code calls.

/// Each function by its name. Their names are of two words, which names of parameters, in small letters, never equal.
const FUNCTIONS: &[(&str, &str)] = &[
    (
        "capitalizeText",
        "function capitalizeText(text: string): string {\n  \
           const [first = \"\", ...rest] = Array.from(text);\n  \
           return first.toUpperCase() + rest.join(\"\").toLowerCase();\n\
         }\n",
    ),
    (
        "roundNumber",
        "function roundNumber(value: number, digits: number): number {\n  \
           const scale = 10 ** digits;\n  \
           const rounded = (Math.sign(value) * Math.round(Math.abs(value) * scale)) / scale;\n  \
           return Number.isFinite(rounded) ? rounded : value;\n\
         }\n",
    ),
    (
        "safeUrl",
        "/** Relative URLs and those with a scheme that runs nothing; any other leads nowhere. */\n\
         function safeUrl(url: string): string {\n  \
           const allowed = /^(?:(?:https?|mailto|tel):|[^:/?#]*(?:[/?#]|$))/i.test(url);\n  \
           return allowed ? url : \"about:invalid#blocked\";\n\
         }\n",
    ),
    (
        "truncateText",
        "function truncateText(text: string, length: number): string {\n  \
           const characters = Array.from(text);\n  \
           return characters.length > length ? characters.slice(0, length).join(\"\") + \"…\" : text;\n\
         }\n",
    ),
];

/// The import of what `code` needs of React.
pub(super) fn imports(code: &str) -> String {
    if code.contains("<Fragment key=") {
        "import { Fragment, type ReactElement } from \"react\";\n".to_owned()
    } else {
        "import type { ReactElement } from \"react\";\n".to_owned()
    }
}

/// The functions that `code` calls.
pub(super) fn functions(code: &str) -> String {
    let called = FUNCTIONS.iter().filter(|(name, _)| code.contains(&format!("{name}(")));
    called.map(|(_, function)| format!("{function}\n")).collect()
}
