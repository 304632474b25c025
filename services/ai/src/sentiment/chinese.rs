//! Sentiment of Chinese texts: a lexicon, negation, degree and contrast, on VADER's scale and normalisation.
//!
//! The text is cut into the longest words that the lexicon knows; no dictionary of the whole language is needed,
//! since all other characters only count as neutral. A degree word or a negation changes the next word with a
//! weight in its clause. Irony, comparisons and idioms outside the lexicon are not understood.

use std::{collections::HashMap, sync::LazyLock};

use super::Scores;
use crate::language::is_cjk;

/// One word per line, with its kind and value.
const LEXICON: &str = include_str!("../../data/sentiment_zh.tsv");
/// What a negation multiplies a weight by, as in VADER.
const NEGATION: f64 = -0.74;
/// What counts before and after "但是", as in VADER.
const CONTRAST: (f64, f64) = (0.5, 1.5);
/// What an exclamation mark adds, and how many count, as in VADER.
const EXCLAMATION: (f64, usize) = (0.292, 4);
/// How many neutral characters may stand between a modifier and the word that it changes: "不是那种好".
const GAP_MAX: usize = 3;
/// Neutral characters that count as one neutral word: the mean length of a Chinese word.
const CHARACTERS_PER_WORD: usize = 2;
/// The ends of clauses.
const CLAUSE_ENDS: &str = "，。！？；：、…,.!?;:\n";

static WORDS: LazyLock<Words> = LazyLock::new(Words::load);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Weight(f64),
    /// Multiplies the word after it.
    Degree(f64),
    /// Multiplies the word before it.
    After(f64),
    Negation,
    Contrast,
}

struct Words {
    kinds: HashMap<&'static str, Kind>,
    /// Of the longest word.
    characters_max: usize,
}

impl Words {
    fn load() -> Self {
        let mut words = Self { kinds: HashMap::new(), characters_max: 1 };
        for line in LEXICON.lines().filter(|line| !line.starts_with('#')) {
            let mut columns = line.split('\t');
            let (Some(kind), Some(word), Some(value)) = (columns.next(), columns.next(), columns.next())
            else {
                continue;
            };
            let value: f64 = value.parse().unwrap_or_default();
            let kind = match kind {
                "weight" => Kind::Weight(value),
                "degree" => Kind::Degree(value),
                "after" => Kind::After(value),
                "negation" => Kind::Negation,
                _ => Kind::Contrast,
            };
            // A word that both weighs and changes others is read as what it says alone: its weight comes first.
            words.kinds.entry(word).or_insert(kind);
            words.characters_max = words.characters_max.max(word.chars().count());
        }
        words
    }

    /// The longest known word at the beginning of `text`, and its bytes.
    fn longest(&self, text: &str) -> Option<(Kind, usize)> {
        let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
        let ends: Vec<usize> = ends.take(self.characters_max).collect();
        ends.into_iter().rev().find_map(|end| self.kinds.get(&text[..end]).map(|kind| (*kind, end)))
    }
}

/// Scores a Chinese text.
pub(super) fn analyze(text: &str) -> Scores {
    let mut reader = Reader::default();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match WORDS.longest(rest) {
            Some((kind, length)) => {
                reader.word(kind, &rest[length..]);
                length
            }
            None => {
                reader.other(character);
                character.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    reader.end_neutral();
    let exclamations = text.matches(['!', '！']).count().min(EXCLAMATION.1) as f64 * EXCLAMATION.0;
    Scores::of_weights(&reader.weights, exclamations)
}

/// What has been read so far.
struct Reader {
    weights: Vec<f64>,
    /// What the modifiers before the next word with a weight multiply it by.
    factor: f64,
    /// Neutral characters since the last modifier or word.
    gap: usize,
    neutral: usize,
    in_latin_word: bool,
    contrasted: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self { weights: Vec::new(), factor: 1.0, gap: 0, neutral: 0, in_latin_word: false, contrasted: false }
    }
}

impl Reader {
    fn word(&mut self, kind: Kind, rest: &str) {
        self.end_neutral();
        match kind {
            // "好难吃": before another word with a weight, 好 says how much.
            Kind::Weight(_) if self.is_degree_here(kind, rest) => self.factor *= 1.25,
            Kind::Weight(weight) => {
                let factor = if weight < 0.0 && self.factor < 0.0 { self.factor * 0.8 } else { self.factor };
                self.weights.push(weight * factor * if self.contrasted { CONTRAST.1 } else { 1.0 });
                self.factor = 1.0;
            }
            Kind::Degree(factor) => self.factor *= factor,
            Kind::After(factor) => {
                if let Some(last) = self.weights.last_mut() {
                    *last *= factor;
                }
            }
            Kind::Negation => self.factor *= NEGATION,
            Kind::Contrast => self.contrast(),
        }
        self.gap = 0;
    }

    fn is_degree_here(&self, kind: Kind, rest: &str) -> bool {
        kind == Kind::Weight(2.0)
            && WORDS.kinds.get("好") == Some(&kind)
            && matches!(WORDS.longest(rest), Some((Kind::Weight(weight), _)) if weight < 0.0)
    }

    fn other(&mut self, character: char) {
        let latin = character.is_alphanumeric() && !is_cjk(character);
        if CLAUSE_ENDS.contains(character) {
            self.end_clause();
        } else if is_cjk(character) {
            self.neutral += 1;
            self.gap += 1;
        } else if latin && !self.in_latin_word {
            self.end_neutral();
            self.weights.push(0.0);
        }
        self.in_latin_word = latin;
        if self.gap > GAP_MAX {
            self.factor = 1.0;
        }
    }

    fn end_clause(&mut self) {
        self.factor = 1.0;
        self.gap = 0;
    }

    fn end_neutral(&mut self) {
        let words = self.neutral.div_ceil(CHARACTERS_PER_WORD);
        self.weights.extend(std::iter::repeat_n(0.0, words));
        self.neutral = 0;
        self.in_latin_word = false;
    }

    /// Only the first contrast of a text is followed, as in VADER.
    fn contrast(&mut self) {
        if !self.contrasted {
            self.weights.iter_mut().for_each(|weight| *weight *= CONTRAST.0);
            self.contrasted = true;
        }
        self.end_clause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compound(text: &str) -> f64 {
        analyze(text).compound
    }

    #[test]
    fn plain_words_have_their_sign() {
        for text in ["这家店的菜很好吃", "谢谢你的帮助", "质量不错，推荐购买", "我喜欢这部电影", "没问题"]
        {
            assert!(compound(text) >= 0.05, "{text}: {}", compound(text));
        }
        for text in
            ["这家酒店很差", "太失望了", "服务态度恶劣", "垃圾软件，天天死机", "等了三个小时，气死我了"]
        {
            assert!(compound(text) <= -0.05, "{text}: {}", compound(text));
        }
        for text in ["会议在星期二上午九点", "你好，我出差了", "他喝牛奶", "请输入密码", ""]
        {
            assert!(compound(text).abs() < 0.05, "{text}: {}", compound(text));
        }
    }

    #[test]
    fn a_negation_turns_a_word_around_within_its_clause() {
        assert!(compound("我不喜欢这里") < 0.0);
        assert!(compound("我并不是特别喜欢") < 0.0);
        assert!(compound("一点也不好吃") < 0.0);
        assert!(compound("毫无问题") > 0.0);
        assert!(compound("不，很好") > 0.0);
        assert!(compound("从来没有让我失望") > 0.0);
    }

    #[test]
    fn a_degree_word_strengthens_or_weakens() {
        assert!(compound("非常好") > compound("很好"));
        assert!(compound("很好") > compound("好"));
        assert!(compound("有点差") > compound("差"));
        assert!(compound("好极了") > compound("好"));
        assert!(compound("好难吃") < compound("难吃"));
        assert!(compound("不太好") > compound("不好"));
    }

    #[test]
    fn what_follows_a_contrast_counts_more() {
        assert!(compound("环境很好，但是服务太差") < 0.0);
        assert!(compound("服务有点差，但是味道非常好") > 0.0);
    }

    #[test]
    fn exclamation_marks_emphasise() {
        assert!(compound("好！！！") > compound("好"));
        assert!(compound("差！！！") < compound("差"));
    }

    #[test]
    fn no_word_is_in_the_lexicon_twice_with_one_kind() {
        let mut seen = std::collections::HashSet::new();
        for line in LEXICON.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            assert_eq!(columns.len(), 3, "{line}");
            assert!(seen.insert((columns[0], columns[1])), "{line}");
            assert!(columns[2].parse::<f64>().is_ok_and(|value| value.abs() <= 4.0), "{line}");
        }
    }

    #[test]
    fn scores_stay_within_their_bounds_on_any_text() {
        proptest::proptest!(|(text in "(不|没有|很|好|差|但是|喜欢|极了|！|，|[a-z]{1,3}|[一-丠]){0,40}")| {
            let scores = analyze(&text);
            proptest::prop_assert!(scores.compound.abs() <= 1.0);
            let sum = scores.negative + scores.neutral + scores.positive;
            proptest::prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 0.0021, "{sum}");
        });
    }
}
