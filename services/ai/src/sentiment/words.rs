//! The words of VADER: weights from the lexicon that the crate `vader_sentiment` ships, and words that change them.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// Negations, degree words and idioms, one per line.
const MODIFIERS: &str = include_str!("../../data/vader_modifiers.tsv");
/// How much a degree word adds or takes: the mean that the paper's raters gave.
const DEGREE: f64 = 0.293;

/// Where the crate's lexicon, which ignores case, differs from the published one, which does not and is asked
/// only for lower case; `None` where the published one has no such word.
const CORRECTIONS: [(&str, Option<f64>); 5] =
    [(":p", Some(1.0)), (":-þ", None), (":þ", None), ("heart", Some(3.2)), ("hearts", Some(3.3))];

static WORDS: LazyLock<Words> = LazyLock::new(Words::load);

/// The weights of words, and the words that change them. All keys are in lower case.
pub(super) struct Words {
    weights: HashMap<String, f64>,
    degrees: HashMap<&'static str, f64>,
    idioms: HashMap<&'static str, f64>,
    negations: HashSet<&'static str>,
}

impl Words {
    /// The one copy of this process.
    pub(super) fn get() -> &'static Self {
        &WORDS
    }

    fn load() -> Self {
        let mut weights: HashMap<String, f64> = vader_sentiment::LEXICON
            .iter()
            .map(|(word, weight)| (word.into_inner().to_lowercase(), *weight))
            .collect();
        for (word, weight) in CORRECTIONS {
            match weight {
                Some(weight) => weights.insert(word.to_owned(), weight),
                None => weights.remove(word),
            };
        }
        let mut words =
            Self { weights, degrees: HashMap::new(), idioms: HashMap::new(), negations: HashSet::new() };
        for line in MODIFIERS.lines().filter(|line| !line.starts_with('#')) {
            let mut columns = line.split('\t');
            let (Some(kind), Some(word), Some(value)) = (columns.next(), columns.next(), columns.next())
            else {
                continue;
            };
            let value: f64 = value.parse().unwrap_or_default();
            match kind {
                "negation" => drop(words.negations.insert(word)),
                "degree" => drop(words.degrees.insert(word, value * DEGREE)),
                _ => drop(words.idioms.insert(word, value)),
            }
        }
        words
    }

    /// The weight of a word, -4 to 4, if it has one.
    pub(super) fn weight(&self, word: &str) -> Option<f64> {
        self.weights.get(word).copied()
    }

    /// What a degree word adds to a positive weight, if it is one.
    pub(super) fn degree(&self, word: &str) -> Option<f64> {
        self.degrees.get(word).copied()
    }

    /// The weight of an idiom as a whole.
    pub(super) fn idiom(&self, words: &str) -> Option<f64> {
        self.idioms.get(words).copied()
    }

    /// Whether a word negates.
    pub(super) fn negates(&self, word: &str) -> bool {
        self.negations.contains(word) || word.contains("n't")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_data_is_used() {
        let words = Words::get();
        let lines = MODIFIERS.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(words.negations.len() + words.degrees.len() + words.idioms.len(), lines);
        assert_eq!(words.idiom("kiss of death"), Some(-1.5));
        assert_eq!(words.degree("kind of"), Some(-DEGREE));
        assert!(words.negates("mustn't") && words.negates("seldom") && !words.negates("note"));
    }

    #[test]
    fn the_lexicon_is_the_published_one_in_lower_case() {
        let words = Words::get();
        assert_eq!(words.weights.len(), 7492);
        assert_eq!(words.weight("good"), Some(1.9));
        assert_eq!(words.weight(":p"), Some(1.0));
        assert_eq!(words.weight("heart"), Some(3.2));
        assert_eq!(words.weight(":þ"), None);
    }
}
