//! The rules of suggested replies: which words show an intent, and what can be said to it.

/// An intent of a message, with the replies to it.
pub(super) struct Rule {
    /// Whether an English message has to be a question; "what a day" is none.
    pub(super) question: bool,
    /// Phrases of whole words, in lower case.
    pub(super) english: &'static [&'static str],
    /// Fragments of text.
    pub(super) chinese: &'static [&'static str],
    /// The intent of each reply, and its text in English and Chinese.
    pub(super) replies: &'static [(&'static str, &'static str, &'static str)],
}

/// Topics on which a ready-made reply could hurt.
pub(super) const SENSITIVE_ENGLISH: [&str; 44] = [
    "died",
    "dead",
    "death",
    "dying",
    "passed away",
    "funeral",
    "condolences",
    "cancer",
    "tumor",
    "tumour",
    "chemo",
    "hospice",
    "miscarriage",
    "stillborn",
    "suicide",
    "suicidal",
    "kill myself",
    "self harm",
    "hurt myself",
    "overdose",
    "rape",
    "raped",
    "assaulted",
    "molested",
    "abused",
    "domestic violence",
    "murder",
    "murdered",
    "shot",
    "stabbed",
    "terrorist",
    "shooting",
    "bomb",
    "war",
    "divorce",
    "cheated on me",
    "fired",
    "laid off",
    "diagnosed",
    "intensive care",
    "heart attack",
    "stroke",
    "depressed",
    "car accident",
];
/// The same in Chinese.
pub(super) const SENSITIVE_CHINESE: [&str; 33] = [
    "去世",
    "过世",
    "逝世",
    "死了",
    "死亡",
    "葬礼",
    "追悼",
    "节哀",
    "癌",
    "肿瘤",
    "化疗",
    "病危",
    "重症",
    "流产",
    "自杀",
    "自残",
    "轻生",
    "不想活",
    "强奸",
    "性侵",
    "家暴",
    "虐待",
    "谋杀",
    "杀人",
    "枪击",
    "恐怖袭击",
    "战争",
    "离婚",
    "出轨",
    "被裁",
    "失业",
    "抑郁",
    "车祸",
];
/// What an English question begins with that cannot be answered with yes or no.
pub(super) const OPEN_QUESTION_WORDS: [&str; 10] =
    ["who", "whom", "whose", "what", "which", "when", "where", "why", "how", "what's"];
/// The same in Chinese, anywhere.
pub(super) const OPEN_QUESTION_WORDS_CHINESE: [&str; 9] =
    ["谁", "什么", "哪", "为什么", "怎么", "怎样", "多少", "几", "如何"];

/// In the order in which they are tried: the more particular first.
pub(super) const RULES: [Rule; 13] = [
    Rule {
        question: false,
        english: &[
            "happy birthday",
            "happy new year",
            "merry christmas",
            "happy anniversary",
            "congratulations",
            "congrats",
        ],
        chinese: &["生日快乐", "新年快乐", "春节快乐", "节日快乐", "恭喜", "祝贺你"],
        replies: &[
            ("thank", "Thank you so much!", "非常感谢！"),
            ("be_glad", "That means a lot to me.", "你还记得，我真高兴。"),
            ("return_wish", "Thanks, all the best to you too!", "谢谢，也祝你一切顺利！"),
        ],
    },
    Rule {
        question: false,
        english: &["thanks", "thank you", "thx", "appreciate it", "much appreciated", "cheers"],
        chinese: &["谢谢", "多谢", "感谢", "辛苦了"],
        replies: &[
            ("welcome", "You're welcome!", "不客气！"),
            ("no_trouble", "No problem, any time.", "小事一桩。"),
            ("be_glad", "Glad I could help.", "很高兴能帮上忙。"),
        ],
    },
    Rule {
        question: false,
        english: &["sorry", "apologies", "apologise", "apologize", "my bad", "my fault"],
        chinese: &["对不起", "抱歉", "不好意思", "我的错"],
        replies: &[
            ("forgive", "No worries!", "没关系！"),
            ("understand", "It happens, don't worry about it.", "可以理解，别放在心上。"),
            ("thank", "Thanks for telling me.", "谢谢你告诉我。"),
        ],
    },
    Rule {
        question: false,
        english: &[
            "are you free",
            "do you have time",
            "shall we",
            "let's meet",
            "let's have",
            "let's grab",
            "want to join",
            "would you like to",
            "want to go",
            "join us",
            "can we meet",
            "lunch",
            "dinner",
            "come over",
        ],
        chinese: &[
            "有空",
            "有时间吗",
            "一起吃",
            "一起去",
            "要不要一起",
            "约个",
            "见个面",
            "来玩",
            "聚一聚",
            "一起看",
        ],
        replies: &[
            ("accept", "Sounds good, I'd love to!", "好啊，我很乐意！"),
            ("decline", "Sorry, I can't make it.", "不好意思，我去不了。"),
            ("ask_time", "What time works for you?", "你几点方便？"),
        ],
    },
    Rule {
        question: false,
        english: &["how are you", "how are things", "how's it going", "how have you been", "what's up"],
        chinese: &["你好吗", "最近怎么样", "最近好吗", "过得怎么样", "近来可好"],
        replies: &[
            ("well", "I'm doing well, thanks. And you?", "我很好，谢谢。你呢？"),
            ("busy", "Busy, but fine!", "有点忙，不过还不错！"),
            ("so_so", "Could be better, to be honest.", "说实话，马马虎虎。"),
        ],
    },
    Rule {
        question: false,
        english: &[
            "where are you",
            "are you on your way",
            "are you coming",
            "how far are you",
            "are you here",
        ],
        chinese: &["你在哪", "到哪了", "到了吗", "出发了吗", "还有多远"],
        replies: &[
            ("on_my_way", "I'm on my way.", "我在路上了。"),
            ("arrived", "I'm already here.", "我已经到了。"),
            ("late", "I'm running a bit late.", "我会晚一点到。"),
        ],
    },
    Rule {
        question: true,
        english: &["when", "what time", "how long", "which day", "what day", "by when"],
        chinese: &["什么时候", "几点", "多久", "哪天", "何时", "几号"],
        replies: &[
            ("will_check", "Let me check and get back to you.", "我查一下再告诉你。"),
            ("unknown", "I'm not sure yet.", "我还不确定。"),
            ("ask_time", "When would suit you?", "你什么时候方便？"),
        ],
    },
    Rule {
        question: false,
        english: &[
            "could you",
            "can you",
            "would you",
            "will you",
            "please",
            "would you mind",
            "do me a favor",
            "do me a favour",
        ],
        chinese: &[
            "请你",
            "请您",
            "请把",
            "请帮",
            "请给",
            "麻烦你",
            "麻烦您",
            "帮我",
            "帮忙",
            "能不能",
            "可以帮",
        ],
        replies: &[
            ("agree", "Sure, I'll do it.", "好的，我来办。"),
            ("postpone", "Yes, but I need a little time.", "可以，不过要等一会儿。"),
            ("decline", "Sorry, I can't right now.", "抱歉，我现在不方便。"),
        ],
    },
    Rule {
        question: true,
        english: &["why"],
        chinese: &["为什么", "怎么回事"],
        replies: &[
            ("explain_later", "It's a long story, can I call you?", "说来话长，我打电话给你说吧？"),
            ("unknown", "I honestly don't know.", "我也不清楚。"),
        ],
    },
    Rule {
        question: true,
        english: &[
            "where", "who", "whose", "which", "what", "what's", "how do", "how can", "how much", "how many",
            "how does",
        ],
        chinese: &["哪里", "哪儿", "谁", "什么", "怎么", "多少", "哪个"],
        replies: &[
            ("will_check", "Let me check and get back to you.", "我查一下再告诉你。"),
            ("unknown", "I don't know, sorry.", "抱歉，我不知道。"),
            ("ask_more", "Could you tell me more?", "能说得具体一点吗？"),
        ],
    },
    Rule {
        question: false,
        english: &[
            "bye",
            "goodbye",
            "see you",
            "talk later",
            "good night",
            "take care",
            "have a nice",
            "have a good",
            "have a great",
        ],
        chinese: &["再见", "拜拜", "晚安", "回头见", "明天见", "下次见"],
        replies: &[
            ("farewell", "Bye, see you soon!", "再见，回头见！"),
            ("wish", "Take care!", "保重！"),
            ("keep_in_touch", "Talk to you later.", "回头聊。"),
        ],
    },
    Rule {
        question: false,
        english: &["hello", "hi", "hey", "good morning", "good afternoon", "good evening"],
        chinese: &["你好", "您好", "嗨", "早上好", "早安", "下午好", "晚上好", "在吗"],
        replies: &[
            ("greet", "Hi! How are you?", "你好！最近怎么样？"),
            ("ask_purpose", "Hello, what can I do for you?", "你好，有什么事吗？"),
            ("be_glad", "Hey, good to hear from you!", "嗨，收到你的消息真好！"),
        ],
    },
    Rule {
        question: false,
        english: &["i agree", "sounds good", "will do", "done", "got it", "deal", "see attached", "fyi"],
        chinese: &["收到", "好的", "同意", "搞定", "没问题", "已完成", "已发送"],
        replies: &[
            ("acknowledge", "Great, thanks!", "好的，谢谢！"),
            ("praise", "Nice work.", "干得好。"),
            ("follow_up", "Keep me posted.", "有进展告诉我。"),
        ],
    },
];

/// A question that can be answered with yes or no.
pub(super) const YES_OR_NO: Rule = Rule {
    question: false,
    english: &[],
    chinese: &[],
    replies: &[
        ("yes", "Yes.", "是的。"),
        ("no", "No, I'm afraid not.", "恐怕不是。"),
        ("will_check", "I'm not sure, let me check.", "不确定，我确认一下。"),
    ],
};
/// A message that sounds positive.
pub(super) const GOOD_NEWS: Rule = Rule {
    question: false,
    english: &[],
    chinese: &[],
    replies: &[
        ("congratulate", "That's great news!", "真是好消息！"),
        ("be_glad", "I'm so happy to hear that.", "听到这个我真高兴。"),
        ("ask_more", "Tell me more!", "快多说说！"),
    ],
};
/// A message that sounds negative.
pub(super) const BAD_NEWS: Rule = Rule {
    question: false,
    english: &[],
    chinese: &[],
    replies: &[
        ("sympathise", "I'm sorry to hear that.", "听到这个我很难过。"),
        ("offer_help", "Is there anything I can do?", "有什么我能帮忙的吗？"),
        ("ask_more", "What happened?", "怎么了？"),
    ],
};
