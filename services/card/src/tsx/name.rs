//! The names of components.

/// As long as a name that a person writes.
const CHARACTERS_MAX: usize = 64;
/// What the exported file calls otherwise.
const TAKEN: &[&str] = &["Array", "Boolean", "Fragment", "Math", "Number", "ReactElement"];

/// Whether a component may be called so.
pub(crate) fn is_component_name(name: &str) -> bool {
    name.len() <= CHARACTERS_MAX
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !TAKEN.contains(&name)
}

/// The name made from what people call the template: "Product card" gives `ProductCard`.
pub(crate) fn component_name(display_name: &str) -> String {
    let mut name = String::new();
    for word in display_name.split(|character: char| !character.is_ascii_alphanumeric()) {
        let mut characters = word.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(characters.as_str());
    }
    let mut name: String =
        name.chars().skip_while(char::is_ascii_digit).take(CHARACTERS_MAX - "Card".len()).collect();
    name = name.strip_suffix("Card").map(str::to_owned).unwrap_or(name);
    // After digits the first letter may be a small one.
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{name}Card")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_called_as_its_template() {
        for (display_name, name) in [
            ("Product card", "ProductCard"),
            ("user's 2nd profile", "UserS2ndProfileCard"),
            ("产品", "Card"),
            ("42nd street", "NdStreetCard"),
            ("Card", "Card"),
            ("", "Card"),
            (&"x".repeat(200), &format!("X{}Card", "x".repeat(59))),
        ] {
            assert_eq!(component_name(display_name), name);
            assert!(is_component_name(name));
        }
        for wrong in ["", "card", "1Card", "My-Card", "Fragment", "Math"] {
            assert!(!is_component_name(wrong), "{wrong}");
        }
    }
}
