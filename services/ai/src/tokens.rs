//! An estimate of tokens for texts that no provider has counted.

use crate::language::is_cjk;

/// Characters of a word that make a token; what the vocabularies of large models average on English.
const CHARACTERS_PER_TOKEN: i64 = 4;
/// Tokens that the frame around a message takes: its role and its separators.
const TOKENS_PER_MESSAGE: i64 = 4;

/// The tokens of `text`: one for each CJK character, and one for each 4 other characters, rounded up per word.
///
/// It is an estimate: measured vocabularies need 0.6 to 1.1 tokens for a Han character and 1.2 to 1.5 for an
/// English word, and this counts 1.0 and about 1.5. It errs on the side of more, since it reserves.
#[must_use]
pub(crate) fn estimate(text: &str) -> i64 {
    let mut counter = Counter::default();
    counter.add(text);
    counter.tokens()
}

/// The tokens of one message of a conversation, its frame included.
#[must_use]
pub(crate) fn estimate_message(text: &str) -> i64 {
    estimate(text).saturating_add(TOKENS_PER_MESSAGE)
}

/// Counts a text that arrives in parts, with the same result as for the whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    tokens: i64,
    word_characters: i64,
}

impl Counter {
    /// Counts the next part.
    pub(crate) fn add(&mut self, part: &str) {
        for character in part.chars() {
            if is_cjk(character) {
                self.end_word();
                self.tokens += 1;
            } else if character.is_whitespace() {
                self.end_word();
            } else {
                self.word_characters += 1;
            }
        }
    }

    /// The tokens so far.
    #[must_use]
    pub(crate) fn tokens(&self) -> i64 {
        self.tokens + ceil_div(self.word_characters)
    }

    fn end_word(&mut self) {
        self.tokens += ceil_div(self.word_characters);
        self.word_characters = 0;
    }
}

fn ceil_div(characters: i64) -> i64 {
    (characters + CHARACTERS_PER_TOKEN - 1) / CHARACTERS_PER_TOKEN
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn han_characters_and_word_parts_count() {
        assert_eq!(estimate(""), 0);
        assert_eq!(estimate("你好吗"), 3);
        assert_eq!(estimate("good evening"), 1 + 2);
        assert_eq!(estimate("用iPhone拍"), 1 + 2 + 1);
        assert_eq!(estimate_message("ok"), 1 + TOKENS_PER_MESSAGE);
    }

    proptest! {
        #[test]
        fn parts_count_as_much_as_the_whole(text in "\\PC{0,60}", cut in 0_usize..60) {
            let characters: Vec<char> = text.chars().collect();
            let cut = cut.min(characters.len());
            let mut counter = Counter::default();
            counter.add(&characters[..cut].iter().collect::<String>());
            counter.add(&characters[cut..].iter().collect::<String>());
            prop_assert_eq!(counter.tokens(), estimate(&text));
        }
    }
}
