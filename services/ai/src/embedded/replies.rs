//! Suggested replies: an intent of the last message chooses up to three replies, each with a different intent.
//!
//! The pipeline is that of Kannan et al., "Smart Reply" (KDD 2016): decide whether to suggest anything, choose among
//! fixed replies, keep them diverse. Instead of learned models there are rules, so that every suggestion can be
//! explained and the same conversation always gets the same ones.

use super::{has_fragment, has_phrase, spaced};
use crate::{
    language::Language,
    sentiment::{self, Label},
};

mod rules;

/// How many replies are suggested at most; more do not fit beside a text field.
pub(crate) const REPLIES_MAX: usize = 3;
/// How many of the last messages count.
pub(crate) const TURNS_READ: usize = 10;

/// One message of a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// Whether the person who wants to reply wrote it.
    pub from_self: bool,
    /// What was written.
    pub text: String,
}

/// A reply that could be sent as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// What it does.
    pub intent: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Why there are no suggestions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The last message is the person's own, or there is none.
    NothingToAnswer,
    /// A ready-made reply could hurt.
    Sensitive,
    /// No rule fits.
    NoIntent,
}

/// Suggests replies to the last of `turns`, oldest first.
///
/// # Errors
/// Why there is nothing to suggest.
pub(crate) fn suggest(turns: &[Turn]) -> Result<Vec<Reply>, Silence> {
    let Some(last) = turns.last().filter(|turn| !turn.from_self) else {
        return Err(Silence::NothingToAnswer);
    };
    let recent = &turns[turns.len().saturating_sub(TURNS_READ)..];
    if recent.iter().any(|turn| is_sensitive(&turn.text)) {
        return Err(Silence::Sensitive);
    }
    let language = Language::of(&last.text);
    let rule = matching(&last.text, language).ok_or(Silence::NoIntent)?;
    Ok(rule
        .replies
        .iter()
        .map(|(intent, english, chinese)| Reply {
            intent,
            text: if language == Language::Chinese { chinese } else { english },
        })
        .take(REPLIES_MAX)
        .collect())
}

fn is_sensitive(text: &str) -> bool {
    has_phrase(&spaced(text), &rules::SENSITIVE_ENGLISH) || has_fragment(text, &rules::SENSITIVE_CHINESE)
}

fn matching(text: &str, language: Language) -> Option<&'static rules::Rule> {
    let words = spaced(text);
    let by_words = rules::RULES.iter().find(|rule| match language {
        Language::English => (!rule.question || asks(text, &words)) && has_phrase(&words, rule.english),
        Language::Chinese => has_fragment(text, rule.chinese),
    });
    by_words.or_else(|| match sentiment::analyze(text).scores.label() {
        _ if is_question(text, &words, language) => Some(&rules::YES_OR_NO),
        Label::Positive => Some(&rules::GOOD_NEWS),
        Label::Negative => Some(&rules::BAD_NEWS),
        Label::Neutral => None,
    })
}

/// Whether `text` can be answered with yes or no.
fn is_question(text: &str, words: &str, language: Language) -> bool {
    match language {
        Language::English => asks(text, words) && !begins_open(words),
        Language::Chinese => {
            let open = has_fragment(text, &rules::OPEN_QUESTION_WORDS_CHINESE);
            !open
                && (has_question_mark(text)
                    || has_fragment(text, &["吗", "能不能", "可不可以", "是不是", "要不要", "行不行"]))
        }
    }
}

/// Whether an English text is a question.
fn asks(text: &str, words: &str) -> bool {
    has_question_mark(text) || (begins_open(words) && !has_phrase(words, &["what a", "how nice", "what an"]))
}

fn begins_open(words: &str) -> bool {
    words.split_whitespace().next().is_some_and(|first| rules::OPEN_QUESTION_WORDS.contains(&first))
}

fn has_question_mark(text: &str) -> bool {
    text.trim_end().ends_with(['?', '？'])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn other(text: &str) -> Turn {
        Turn { from_self: false, text: text.to_owned() }
    }

    fn intents(text: &str) -> Vec<&'static str> {
        suggest(&[other(text)])
            .map(|replies| replies.iter().map(|reply| reply.intent).collect())
            .unwrap_or_default()
    }

    #[test]
    fn each_kind_of_message_gets_replies_that_fit_it() {
        for (text, intent) in [
            ("Thanks so much for the ride!", "welcome"),
            ("I'm sorry I missed your call", "forgive"),
            ("Are you free for lunch tomorrow?", "accept"),
            ("When does the train leave?", "will_check"),
            ("Where are you?", "on_my_way"),
            ("Could you send me the slides?", "agree"),
            ("Is this seat taken?", "yes"),
            ("How are you?", "well"),
            ("Happy birthday!", "thank"),
            ("We won the match, it was amazing", "congratulate"),
            ("My flight got cancelled, what a terrible day", "sympathise"),
            ("Good morning!", "greet"),
            ("What a lovely view", "congratulate"),
            ("when is it", "will_check"),
            ("See you tomorrow, bye!", "farewell"),
            ("谢谢你帮我搬家", "welcome"),
            ("不好意思，我迟到了", "forgive"),
            ("周末一起吃饭吧", "accept"),
            ("什么时候开会？", "will_check"),
            ("你在哪儿", "on_my_way"),
            ("请把文件发给我", "agree"),
            ("你看过这部电影吗", "yes"),
            ("生日快乐！", "thank"),
            ("今天真倒霉，手机坏了，很难过", "sympathise"),
        ] {
            assert!(intents(text).contains(&intent), "{text}: {:?}", intents(text));
        }
    }

    #[test]
    fn nothing_is_suggested_to_oneself_or_on_sensitive_topics_or_without_an_intent() {
        let own = Turn { from_self: true, text: "Are you free?".to_owned() };
        assert_eq!(suggest(&[other("Hi"), own]), Err(Silence::NothingToAnswer));
        assert_eq!(suggest(&[]), Err(Silence::NothingToAnswer));
        assert_eq!(suggest(&[other("My father passed away last night")]), Err(Silence::Sensitive));
        assert_eq!(suggest(&[other("医生说是癌症"), other("你在吗？")]), Err(Silence::Sensitive));
        assert_eq!(suggest(&[other("The parcel is at the reception.")]), Err(Silence::NoIntent));
    }

    #[test]
    fn a_topic_is_forgotten_after_ten_messages() {
        let mut turns = vec![other("The funeral was on Friday")];
        turns.extend((1..TURNS_READ).map(|_| other("ok")));
        turns.push(other("Thanks!"));
        assert!(suggest(&turns).is_ok());
        turns.remove(1);
        assert_eq!(suggest(&turns), Err(Silence::Sensitive));
    }

    #[test]
    fn the_replies_of_every_rule_differ_in_intent_and_text() {
        for rule in rules::RULES.iter().chain([&rules::YES_OR_NO, &rules::GOOD_NEWS, &rules::BAD_NEWS]) {
            assert!((2..=REPLIES_MAX).contains(&rule.replies.len()));
            let unique: HashSet<_> = rule.replies.iter().map(|reply| reply.0).collect();
            assert_eq!(unique.len(), rule.replies.len());
            for (_, english, chinese) in rule.replies {
                assert_eq!(Language::of(english), Language::English);
                assert_eq!(Language::of(chinese), Language::Chinese);
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_gets_at_most_three_and_always_the_same(text in "\\PC{0,80}") {
            let first = suggest(&[other(&text)]);
            prop_assert!(first.as_ref().map_or(0, Vec::len) <= REPLIES_MAX);
            prop_assert_eq!(first, suggest(&[other(&text)]));
        }
    }
}
