//! How positive or negative a text is: VADER for English, a lexicon with negation and degree for Chinese.

mod chinese;
mod vader;
mod words;

use crate::language::Language;

/// A compound score from which on a text counts as positive, and below whose negative as negative:
/// the thresholds that Hutto & Gilbert publish.
const THRESHOLD: f64 = 0.05;
/// The normalisation constant of VADER: the greatest sum that is to be expected, squared.
const NORMALIZATION: f64 = 15.0;

/// The sign of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// The compound score is at least 0.05.
    Positive,
    /// The compound score is at most -0.05.
    Negative,
    /// Anything between.
    Neutral,
}

/// The scores of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Scores {
    /// The share that is negative, 0 to 1, to 3 digits.
    pub negative: f64,
    /// The share that is neither, 0 to 1, to 3 digits.
    pub neutral: f64,
    /// The share that is positive, 0 to 1, to 3 digits.
    pub positive: f64,
    /// All weights together, -1 to 1, to 4 digits.
    pub compound: f64,
}

/// What was found about a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sentiment {
    /// Its scores.
    pub scores: Scores,
    /// The language whose rules were used.
    pub language: Language,
    /// The name of these rules.
    pub method: &'static str,
}

/// Scores `text` by the rules of its language.
#[must_use]
pub(crate) fn analyze(text: &str) -> Sentiment {
    let language = Language::of(text);
    let (scores, method) = match language {
        Language::English => (vader::analyze(text), "vader"),
        Language::Chinese => (chinese::analyze(text), "lexicon-zh"),
    };
    Sentiment { scores, language, method }
}

impl Scores {
    /// The sign of the compound score.
    #[must_use]
    pub(crate) fn label(&self) -> Label {
        if self.compound >= THRESHOLD {
            Label::Positive
        } else if self.compound <= -THRESHOLD {
            Label::Negative
        } else {
            Label::Neutral
        }
    }

    /// The scores of words with these weights, in a text whose punctuation adds `emphasis`.
    fn of_weights(weights: &[f64], emphasis: f64) -> Self {
        if weights.is_empty() {
            return Self::default();
        }
        let mut sum: f64 = weights.iter().sum();
        if sum > 0.0 {
            sum += emphasis;
        } else if sum < 0.0 {
            sum -= emphasis;
        }
        // A neutral word counts 1, so that 1 is added to each weight to compare them.
        let mut positive: f64 =
            weights.iter().filter(|weight| **weight > 0.0).map(|weight| weight + 1.0).sum();
        let mut negative: f64 =
            weights.iter().filter(|weight| **weight < 0.0).map(|weight| 1.0 - weight).sum();
        let neutral: f64 = weights.iter().filter(|weight| **weight == 0.0).map(|_| 1.0).sum();
        if positive > negative {
            positive += emphasis;
        } else if positive < negative {
            negative += emphasis;
        }
        let total = positive + negative + neutral;
        Self {
            negative: round::<3>(negative / total),
            neutral: round::<3>(neutral / total),
            positive: round::<3>(positive / total),
            compound: round::<4>((sum / (sum * sum + NORMALIZATION).sqrt()).clamp(-1.0, 1.0)),
        }
    }
}

/// `value` to the nearest number with this many digits; of two equally near ones, as decimal conversion does.
fn round<const DIGITS: usize>(value: f64) -> f64 {
    format!("{value:.DIGITS$}").parse::<f64>().map_or(value, |rounded| rounded + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_chooses_the_rules() {
        let english = analyze("The support team was wonderful.");
        assert_eq!((english.method, english.scores.label()), ("vader", Label::Positive));
        let chinese = analyze("客服非常差，再也不买了");
        assert_eq!((chinese.method, chinese.scores.label()), ("lexicon-zh", Label::Negative));
        assert_eq!(analyze("The parcel arrived on Tuesday.").scores.label(), Label::Neutral);
    }

    #[test]
    fn a_text_without_words_has_no_shares() {
        assert_eq!(analyze("").scores, Scores::default());
        assert_eq!(analyze("   \n").scores, Scores::default());
    }
}
