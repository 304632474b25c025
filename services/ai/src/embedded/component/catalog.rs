//! The catalogue: what can be made, and which words of a prompt ask for it.

use super::{displays, draft::Draft, forms};
use crate::embedded::spaced;

/// Something that can be made.
pub(super) struct Entry {
    /// Its name in the contract.
    pub(super) name: &'static str,
    /// What it is, in English and Chinese.
    pub(super) title: (&'static str, &'static str),
    english: &'static [&'static str],
    chinese: &'static [&'static str],
    /// Builds the tree and answers the id of the content.
    pub(super) build: fn(&mut Draft) -> String,
}

/// Of two that fit equally well the first is taken, so the more particular stand first.
const ENTRIES: [Entry; 14] = [
    Entry {
        name: "login_form",
        title: ("A login form", "登录表单"),
        english: &["login", "log in", "sign in", "signin", "sign-in", "password"],
        chinese: &["登录", "登陆", "密码"],
        build: forms::login,
    },
    Entry {
        name: "sign_up_form",
        title: ("A form to create an account", "注册表单"),
        english: &[
            "sign up",
            "signup",
            "register",
            "registration",
            "create account",
            "create an account",
            "new users",
        ],
        chinese: &["注册", "创建账号", "新用户"],
        build: forms::sign_up,
    },
    Entry {
        name: "contact_form",
        title: ("A contact form", "联系表单"),
        english: &["contact", "contact us", "get in touch", "contact form", "enquiry", "inquiry"],
        chinese: &["联系", "留言", "咨询"],
        build: forms::contact,
    },
    Entry {
        name: "feedback_form",
        title: ("A feedback form", "反馈表单"),
        english: &["feedback", "survey", "rating", "rate us", "review form", "questionnaire"],
        chinese: &["反馈", "评价", "问卷", "调查"],
        build: forms::feedback,
    },
    Entry {
        name: "checkout",
        title: ("A checkout", "结账"),
        english: &["checkout", "check out", "payment", "pay", "credit card", "cart", "purchase", "order"],
        chinese: &["结账", "结算", "支付", "付款", "购物车", "下单"],
        build: forms::checkout,
    },
    Entry {
        name: "settings",
        title: ("A settings page", "设置页面"),
        english: &["settings", "preferences", "options page", "configuration", "toggles"],
        chinese: &["设置", "偏好", "选项"],
        build: forms::settings,
    },
    Entry {
        name: "search",
        title: ("A search box", "搜索框"),
        english: &["search", "search box", "search bar", "find", "lookup"],
        chinese: &["搜索", "查找", "检索"],
        build: forms::search,
    },
    Entry {
        name: "pricing",
        title: ("A comparison of prices", "价格方案"),
        english: &["pricing", "pricing table", "price plans", "plans", "subscription", "tiers"],
        chinese: &["定价", "价格方案", "套餐", "价格表", "订阅"],
        build: displays::pricing,
    },
    Entry {
        name: "product_card",
        title: ("A product card", "商品卡片"),
        english: &["product", "product card", "shop item", "item card", "merchandise"],
        chinese: &["商品", "产品", "货品"],
        build: displays::product,
    },
    Entry {
        name: "stats",
        title: ("Key figures", "关键数据"),
        english: &[
            "stats",
            "statistics",
            "metrics",
            "kpi",
            "kpis",
            "dashboard",
            "dashboard stats",
            "key figures",
            "counter",
        ],
        chinese: &["统计", "指标", "数据卡", "仪表盘", "看板", "数据统计"],
        build: displays::stats,
    },
    Entry {
        name: "event",
        title: ("An event", "活动"),
        english: &["event", "invitation", "event invitation", "meeting", "conference", "party", "rsvp"],
        chinese: &["活动", "邀请", "会议", "聚会", "活动邀请"],
        build: displays::event,
    },
    Entry {
        name: "profile",
        title: ("A profile", "个人资料"),
        english: &[
            "profile",
            "user profile",
            "contact card",
            "profile card",
            "about me",
            "business card",
            "user card",
        ],
        chinese: &["个人资料", "资料卡", "名片", "用户资料", "简介"],
        build: displays::profile,
    },
    Entry {
        name: "table",
        title: ("A table", "表格"),
        english: &["table", "columns", "grid", "rows", "spreadsheet"],
        chinese: &["表格", "列：", "数据表"],
        build: displays::table,
    },
    Entry {
        name: "list",
        title: ("A list", "列表"),
        english: &["list", "todo", "to-do", "todo list", "checklist", "shopping list", "menu", "tasks"],
        chinese: &["列表", "清单", "待办", "菜单", "购物清单"],
        build: displays::list,
    },
];

/// The names of all entries.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().map(|entry| entry.name)
}

/// The entry whose words stand in `prompt`; longer words weigh more.
pub(super) fn choose(prompt: &str) -> Option<&'static Entry> {
    let words = spaced(prompt);
    let mut best: Option<(&Entry, usize)> = None;
    for entry in &ENTRIES {
        let english =
            entry.english.iter().filter(|phrase| words.contains(&spaced(phrase))).map(|phrase| phrase.len());
        // A Han character says about as much as three letters.
        let chinese = entry.chinese.iter().filter(|part| prompt.contains(**part)).map(|part| part.len());
        let score = english.chain(chinese).sum::<usize>();
        if score > best.map_or(0, |(_, score)| score) {
            best = Some((entry, score));
        }
    }
    best.map(|(entry, _)| entry)
}
