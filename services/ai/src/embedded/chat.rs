//! The embedded chat: a few rules in English and Chinese, which say in every answer what they are.

use super::{MODEL, has_fragment, has_phrase, spaced};
use crate::{language::Language, sentiment};

/// One thing that the embedded chat can answer.
struct Topic {
    english: &'static [&'static str],
    chinese: &'static [&'static str],
    answer: (&'static str, &'static str),
}

/// In the order in which they are tried: the more particular first.
const TOPICS: [Topic; 8] = [
    Topic {
        english: &[
            "who are you",
            "what are you",
            "your name",
            "are you human",
            "are you chatgpt",
            "which model",
        ],
        chinese: &["你是谁", "你叫什么", "什么模型", "你是人", "机器人吗"],
        answer: (
            "I am a set of rules inside this service, not a language model.",
            "我是这个服务内置的一组规则，不是语言模型。",
        ),
    },
    Topic {
        english: &[
            "api key",
            "provider",
            "configure",
            "set up",
            "deepseek",
            "openai",
            "qwen",
            "doubao",
            "zhipu",
        ],
        chinese: &["密钥", "配置", "接入", "供应商", "豆包", "通义", "智谱", "大模型"],
        answer: (
            "To get answers from a language model, add a provider with its API key to the settings of the ai service: \
             openai, doubao, deepseek, qwen and zhipu need only a key.",
            "要让语言模型来回答，请在 ai 服务的设置里加入一个供应商和它的 API 密钥：openai、doubao、deepseek、qwen、zhipu \
             只需要密钥。",
        ),
    },
    Topic {
        english: &["help", "what can you do", "how do you work", "what do you do"],
        chinese: &["帮助", "帮我", "能做什么", "会做什么", "怎么用", "有什么功能"],
        answer: (
            "Without a provider I can greet, explain myself, and tell whether a message sounds positive or negative. \
             This service also makes interface components, suggests replies and analyses sentiment without one.",
            "没有接入供应商时，我会打招呼、介绍自己，并判断一句话是积极还是消极。这个服务还可以在没有供应商时生成界面组件、推荐回复、分析情感。",
        ),
    },
    Topic {
        english: &["what time is it", "what day is it", "today's date", "weather", "news"],
        chinese: &["几点了", "几号", "星期几", "天气", "新闻"],
        answer: (
            "I cannot look that up: I have no clock, no network and no knowledge of the world.",
            "这个我查不到：我没有时钟、没有网络，也没有关于世界的知识。",
        ),
    },
    Topic {
        english: &["thanks", "thank you", "thx", "cheers"],
        chinese: &["谢谢", "多谢", "感谢"],
        answer: ("You are welcome.", "不客气。"),
    },
    Topic {
        english: &["bye", "goodbye", "see you", "good night"],
        chinese: &["再见", "拜拜", "晚安", "回头见"],
        answer: ("Goodbye.", "再见。"),
    },
    Topic {
        english: &["how are you", "how's it going", "how do you do"],
        chinese: &["你好吗", "最近怎么样", "过得怎么样"],
        answer: ("I am running, thank you. How are you?", "运行正常，谢谢。你呢？"),
    },
    Topic {
        english: &["hello", "hi", "hey", "good morning", "good afternoon", "good evening"],
        chinese: &["你好", "您好", "嗨", "早上好", "下午好", "晚上好"],
        answer: ("Hello.", "你好。"),
    },
];

/// Answers the last message of the person. The same message always gets the same answer.
#[must_use]
pub(crate) fn answer(message: &str) -> String {
    let language = Language::of(message);
    let body = body(message, language);
    match language {
        Language::English => format!(
            "{body} (Answered by {MODEL}, the rules built into this service: no language model was asked.)"
        ),
        Language::Chinese => format!("{body}（由本服务内置的规则 {MODEL} 回答，没有询问语言模型。）"),
    }
}

fn body(message: &str, language: Language) -> String {
    let words = spaced(message);
    let topic = TOPICS.iter().find(|topic| match language {
        Language::English => has_phrase(&words, topic.english),
        Language::Chinese => has_fragment(message, topic.chinese) || has_phrase(&words, topic.english),
    });
    match (topic, language) {
        (Some(topic), Language::English) => topic.answer.0.to_owned(),
        (Some(topic), Language::Chinese) => topic.answer.1.to_owned(),
        (None, Language::English) => {
            let tone = match sentiment::analyze(message).scores.label() {
                sentiment::Label::Positive => "It sounds positive to me.",
                sentiment::Label::Negative => "It sounds negative to me.",
                sentiment::Label::Neutral => "It sounds neutral to me.",
            };
            format!("I have no answer to this: it takes a language model, and none was asked. {tone}")
        }
        (None, Language::Chinese) => {
            let tone = match sentiment::analyze(message).scores.label() {
                sentiment::Label::Positive => "这句话听起来是积极的。",
                sentiment::Label::Negative => "这句话听起来是消极的。",
                sentiment::Label::Neutral => "这句话听起来是中性的。",
            };
            format!("这个问题我答不上来：它需要语言模型，而这里没有询问任何语言模型。{tone}")
        }
    }
}

/// `answer` in the parts in which it is streamed: words, or single CJK characters with what follows them.
pub(crate) fn parts(answer: &str) -> impl Iterator<Item = String> {
    let mut parts = vec![String::new()];
    let mut previous = ' ';
    for character in answer.chars() {
        let begins = (previous == ' ' && character != ' ') || crate::language::is_cjk(character);
        if begins {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
        previous = character;
    }
    parts.into_iter().filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_says_what_gave_it() {
        for message in ["Hello!", "Who are you?", "Explain monads", "你好", "解释一下相对论", "", "🙂"]
        {
            assert!(answer(message).contains(MODEL), "{message}");
        }
    }

    #[test]
    fn answers_are_in_the_language_of_the_message() {
        assert!(answer("Good evening").starts_with("Hello."));
        assert!(answer("谢谢你").starts_with("不客气。"));
        assert!(answer("I love this!").contains("sounds positive"));
        assert!(answer("这部电影太差了").contains("消极"));
        assert!(answer("How do I configure an API key?").contains("deepseek"));
    }

    #[test]
    fn words_inside_other_words_are_no_topics() {
        assert!(answer("Which chip is in this phone").contains("no answer"));
    }

    #[test]
    fn the_parts_make_up_the_answer() {
        for message in ["Hello", "你好", "help me"] {
            let answer = answer(message);
            assert_eq!(parts(&answer).collect::<String>(), answer);
            assert!(parts(&answer).count() > 5);
        }
    }
}
