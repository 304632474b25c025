//! VADER: a rule-based model of English sentiment.
//!
//! C. J. Hutto and E. E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
//! Text", ICWSM 2014. Where the paper leaves a choice, this chooses as the authors' program 3.3.2 does, so that
//! numbers can be compared with published ones; `tests/data/vader.tsv` holds results of that program.

use super::{Scores, words::Words};

/// What writing a word in capitals adds, when others are not.
const CAPITALS: f64 = 0.733;
/// What a negation multiplies a weight by.
const NEGATION: f64 = -0.74;
/// What "never so" and "never this" multiply a weight by.
const NEVER_SO: f64 = 1.25;
/// How much of a degree word reaches one, two and three words further.
const REACH: [f64; 3] = [1.0, 0.95, 0.9];
/// What counts before and after "but".
const CONTRAST: (f64, f64) = (0.5, 1.5);
/// What an exclamation mark adds, and how many count.
const EXCLAMATION: (f64, usize) = (0.292, 4);
/// What a question mark adds from the second on, and what more than three add together.
const QUESTION: (f64, f64) = (0.18, 0.96);

/// Scores an English text.
pub(super) fn analyze(text: &str) -> Scores {
    let text = describe_emoji(text);
    let sentence = Sentence::new(&text);
    let mut weights: Vec<f64> = (0..sentence.lower.len()).map(|at| sentence.weigh(at)).collect();
    sentence.contrast(&mut weights);
    Scores::of_weights(&weights, emphasis(&text))
}

/// The text with each emoji replaced by its description.
fn describe_emoji(text: &str) -> String {
    let mut described = String::with_capacity(text.len());
    let mut after_space = true;
    let mut buffer = [0; 4];
    for character in text.chars() {
        if let Some(description) = vader_sentiment::EMOJI_LEXICON.get(&*character.encode_utf8(&mut buffer)) {
            if !after_space {
                described.push(' ');
            }
            described.push_str(description.trim_end());
            after_space = false;
        } else {
            described.push(character);
            after_space = character == ' ';
        }
    }
    described.trim_matches(is_space).to_owned()
}

fn emphasis(text: &str) -> f64 {
    let exclamations = text.matches('!').count().min(EXCLAMATION.1) as f64 * EXCLAMATION.0;
    let questions = match text.matches('?').count() {
        0 | 1 => 0.0,
        count @ (2 | 3) => count as f64 * QUESTION.0,
        _ => QUESTION.1,
    };
    exclamations + questions
}

/// A text as words, in the letters of the writer and in lower case.
struct Sentence<'t> {
    words: &'static Words,
    written: Vec<&'t str>,
    lower: Vec<String>,
    /// Whether some words are in capitals and some are not.
    mixed_case: bool,
}

impl<'t> Sentence<'t> {
    fn new(text: &'t str) -> Self {
        let written: Vec<&str> = text.split(is_space).filter(|word| !word.is_empty()).map(strip).collect();
        let capitals = written.iter().filter(|word| is_upper(word)).count();
        Self {
            words: Words::get(),
            lower: written.iter().map(|word| word.to_lowercase()).collect(),
            mixed_case: capitals > 0 && capitals < written.len(),
            written,
        }
    }

    fn weigh(&self, at: usize) -> f64 {
        let word = self.lower[at].as_str();
        if self.words.degree(word).is_some() || (word == "kind" && self.is(at + 1, "of")) {
            return 0.0;
        }
        let Some(lexical) = self.words.weight(word) else { return 0.0 };
        let mut weight = self.with_no(at, lexical);
        if self.is_emphasised(at) {
            weight += if weight > 0.0 { CAPITALS } else { -CAPITALS };
        }
        for distance in 1..=REACH.len().min(at) {
            if self.words.weight(&self.lower[at - distance]).is_none() {
                weight += REACH[distance - 1] * self.degree(at - distance, weight);
                weight = self.negated(at, distance, weight);
                if distance == REACH.len() {
                    weight = self.idiom(at, weight);
                }
            }
        }
        self.least(at, weight)
    }

    /// "no" negates the word that follows, and then has no weight of its own.
    fn with_no(&self, at: usize, weight: f64) -> f64 {
        let before = |distance: usize| at >= distance && self.lower[at - distance] == "no";
        if before(1) || before(2) || (before(3) && matches!(self.lower[at - 1].as_str(), "or" | "nor")) {
            return weight * NEGATION;
        }
        let next_has_weight = self.lower.get(at + 1).is_some_and(|next| self.words.weight(next).is_some());
        if self.lower[at] == "no" && next_has_weight { 0.0 } else { weight }
    }

    /// What the word at `at` adds to `weight` as a degree word.
    fn degree(&self, at: usize, weight: f64) -> f64 {
        let Some(degree) = self.words.degree(&self.lower[at]) else { return 0.0 };
        let capitals = if self.is_emphasised(at) { CAPITALS } else { 0.0 };
        if weight < 0.0 {
            -degree - capitals
        } else if weight > 0.0 {
            degree + capitals
        } else {
            degree - capitals
        }
    }

    /// `weight` after the negation that may stand `distance` words before `at`.
    fn negated(&self, at: usize, distance: usize, weight: f64) -> f64 {
        let word = |distance: usize| self.lower[at - distance].as_str();
        let so = |distance: usize| matches!(word(distance), "so" | "this");
        let never_so = match distance {
            2 => word(2) == "never" && so(1),
            3 => (word(3) == "never" && so(2)) || so(1),
            _ => false,
        };
        let without_doubt = match distance {
            2 => word(2) == "without" && word(1) == "doubt",
            3 => word(3) == "without" && (word(2) == "doubt" || word(1) == "doubt"),
            _ => false,
        };
        if never_so {
            weight * NEVER_SO
        } else if !without_doubt && self.words.negates(word(distance)) {
            weight * NEGATION
        } else {
            weight
        }
    }

    /// The weight of the idiom that the word at `at` belongs to, or `weight`; three words stand before it.
    fn idiom(&self, at: usize, weight: f64) -> f64 {
        let phrase = |from: usize, to: usize| self.lower[from..=to].join(" ");
        let backward = [(at - 1, at), (at - 2, at), (at - 2, at - 1), (at - 3, at - 1), (at - 3, at - 2)];
        let mut weight =
            backward.iter().find_map(|(from, to)| self.words.idiom(&phrase(*from, *to))).unwrap_or(weight);
        for to in [at + 1, at + 2].into_iter().filter(|to| *to < self.lower.len()) {
            weight = self.words.idiom(&phrase(at, to)).unwrap_or(weight);
        }
        let degrees = [(at - 3, at - 1), (at - 3, at - 2), (at - 2, at - 1)];
        weight + degrees.iter().filter_map(|(from, to)| self.words.degree(&phrase(*from, *to))).sum::<f64>()
    }

    /// "least" negates, unless it is "at least" or "very least".
    fn least(&self, at: usize, weight: f64) -> f64 {
        let least = at >= 1 && self.lower[at - 1] == "least" && self.words.weight("least").is_none();
        let softened = at >= 2 && matches!(self.lower[at - 2].as_str(), "at" | "very");
        if least && !softened { weight * NEGATION } else { weight }
    }

    /// What stands after "but" counts more than what stands before.
    ///
    /// The authors' program finds the word to change by its weight: where the halved weight of a word before "but"
    /// equals that of a word after it, the former is halved again and the latter is left. That is kept, since
    /// published numbers contain it.
    fn contrast(&self, weights: &mut [f64]) {
        let Some(but) = self.lower.iter().position(|word| word == "but") else { return };
        for at in 0..weights.len() {
            let Some(first) = weights.iter().position(|weight| *weight == weights[at]) else { continue };
            if first < but {
                weights[first] *= CONTRAST.0;
            } else if first > but {
                weights[first] *= CONTRAST.1;
            }
        }
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.lower.get(at).is_some_and(|other| other == word)
    }

    fn is_emphasised(&self, at: usize) -> bool {
        self.mixed_case && is_upper(self.written[at])
    }
}

/// A word without the punctuation around it; an emoticon, of which two characters or fewer would remain, stays.
fn strip(word: &str) -> &str {
    let stripped = word.trim_matches(|character: char| character.is_ascii_punctuation());
    if stripped.chars().count() <= 2 { word } else { stripped }
}

fn is_upper(word: &str) -> bool {
    word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase)
}

/// The separators of ASCII and white space.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of our own with the results of the authors' program 3.3.2.
    const REFERENCE: &str = include_str!("../../tests/data/vader.tsv");

    #[test]
    fn scores_equal_those_of_the_reference_on_every_recorded_text() {
        let mut compared = 0;
        for line in REFERENCE.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            let expected: Vec<f64> = columns[..4].iter().map(|number| number.parse().unwrap()).collect();
            let scores = analyze(columns[4]);
            let found = vec![scores.negative, scores.neutral, scores.positive, scores.compound];
            assert_eq!(found, expected, "{}", columns[4]);
            compared += 1;
        }
        assert!(compared >= 400, "only {compared} texts were compared");
    }

    #[test]
    fn scores_stay_within_their_bounds_on_any_text() {
        proptest::proptest!(|(text in "(never|so|but|no|good|BAD|least|kind of|!|\\?|😁|[ a-zé]{0,4}| ){0,30}")| {
            let scores = analyze(&text);
            proptest::prop_assert!(scores.compound.abs() <= 1.0);
            let sum = scores.negative + scores.neutral + scores.positive;
            proptest::prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 0.0021, "{sum}");
        });
    }
}
