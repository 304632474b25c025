//! Which of the two languages of the embedded rules a text is in, decided by its script.

/// A language that the embedded rules know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    /// English, and every text without Han characters.
    English,
    /// Chinese.
    Chinese,
}

impl Language {
    /// The language of `text`: Chinese when it has at least as many Han characters as words of other scripts.
    ///
    /// A statistical detector is not used: on mixed and very short texts it answers with languages
    /// that are neither, and says that it is sure.
    #[must_use]
    pub(crate) fn of(text: &str) -> Self {
        let mut han = 0_usize;
        let mut words = 0_usize;
        let mut in_word = false;
        for character in text.chars() {
            let other_letter = character.is_alphabetic() && !is_han(character);
            han += usize::from(is_han(character));
            words += usize::from(other_letter && !in_word);
            in_word = other_letter || (in_word && (character == '\'' || character == '’'));
        }
        if han > 0 && han >= words { Self::Chinese } else { Self::English }
    }
}

/// Whether `character` is a Han character, kana or hangul: scripts whose characters carry a syllable or more.
#[must_use]
pub(crate) fn is_cjk(character: char) -> bool {
    matches!(character,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

fn is_han(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_that_says_more_decides() {
        assert_eq!(Language::of("OK"), Language::English);
        assert_eq!(Language::of(""), Language::English);
        assert_eq!(Language::of("12:30 :)"), Language::English);
        assert_eq!(Language::of("这家酒店很差 not good"), Language::Chinese);
        assert_eq!(Language::of("The word 好 means good in Chinese"), Language::English);
        assert_eq!(Language::of("用 iPhone 拍的"), Language::Chinese);
        assert_eq!(Language::of("don't 好"), Language::Chinese);
        assert_eq!(Language::of("안녕하세요"), Language::English);
    }
}
