//! What the service does itself, by rules: it needs no provider, no network and no weights, and says what it is.

pub(crate) mod chat;
pub(crate) mod component;
pub(crate) mod replies;

/// The name of the provider that is built in.
pub(crate) const PROVIDER: &str = "embedded";
/// The name of its model.
pub(crate) const MODEL: &str = "plexus-embedded-1";

/// The words of an English text in lower case, with one space around each, so that `" word "` finds whole words.
fn spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len() + 2);
    spaced.push(' ');
    for character in text.chars().flat_map(char::to_lowercase) {
        let kept = character.is_alphanumeric() || matches!(character, '\'' | '’');
        match character {
            '’' => spaced.push('\''),
            _ if kept => spaced.push(character),
            _ if !spaced.ends_with(' ') => spaced.push(' '),
            _ => {}
        }
    }
    if !spaced.ends_with(' ') {
        spaced.push(' ');
    }
    spaced
}

/// Whether one of `phrases` stands in a text that [`spaced`] made, as whole words.
fn has_phrase(spaced: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| spaced.contains(&format!(" {phrase} ")))
}

/// Whether one of `fragments` stands anywhere in `text`: words of Chinese have no borders.
fn has_fragment(text: &str, fragments: &[&str]) -> bool {
    fragments.iter().any(|fragment| text.contains(fragment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_as_whole_words_only() {
        let text = spaced("Hi, THIS isn’t (really) it!");
        assert_eq!(text, " hi this isn't really it ");
        assert!(has_phrase(&text, &["isn't really"]));
        assert!(!has_phrase(&text, &["is", "real"]));
        assert_eq!(spaced(""), " ");
    }
}
