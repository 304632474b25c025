//! The entries of the catalogue that a person fills in.

use super::draft::Draft;

pub(super) fn login(draft: &mut Draft) -> String {
    let title = draft.title("Welcome back", "欢迎回来");
    let labels = (draft.say("E-mail", "邮箱"), draft.say("Password", "密码"));
    let remember = draft.say("Remember me", "记住我");
    let submit = draft.say("Sign in", "登录");
    let children = [
        draft.text("title", &title, "h2"),
        draft.field("email", &labels.0, "shortText"),
        draft.field("password", &labels.1, "obscured"),
        draft.check_box("remember", &remember),
        draft.button("sign-in", &submit),
    ];
    draft.column("content", &children)
}

pub(super) fn sign_up(draft: &mut Draft) -> String {
    let title = draft.title("Join us", "加入我们");
    let labels = (draft.say("Name", "姓名"), draft.say("E-mail", "邮箱"), draft.say("Password", "密码"));
    let terms = draft.say("I accept the terms", "我同意服务条款");
    let submit = draft.say("Create account", "注册");
    let children = [
        draft.text("title", &title, "h2"),
        draft.field("name", &labels.0, "shortText"),
        draft.field("email", &labels.1, "shortText"),
        draft.field("password", &labels.2, "obscured"),
        draft.check_box("terms", &terms),
        draft.button("create-account", &submit),
    ];
    draft.column("content", &children)
}

pub(super) fn contact(draft: &mut Draft) -> String {
    let title = draft.title("Contact us", "联系我们");
    let labels = (draft.say("Name", "姓名"), draft.say("E-mail", "邮箱"), draft.say("Message", "留言"));
    let submit = draft.say("Send", "发送");
    let children = [
        draft.text("title", &title, "h2"),
        draft.field("name", &labels.0, "shortText"),
        draft.field("email", &labels.1, "shortText"),
        draft.field("message", &labels.2, "longText"),
        draft.button("send", &submit),
    ];
    draft.column("content", &children)
}

pub(super) fn feedback(draft: &mut Draft) -> String {
    let title = draft.title("How did we do?", "您的评价");
    let rating = draft.say("Rating", "评分");
    let stars: Vec<String> = (1..=5).rev().map(|stars| "★".repeat(stars)).collect();
    let comment = draft.say("What can we do better?", "我们可以怎样改进？");
    let submit = draft.say("Send feedback", "提交");
    let children = [
        draft.text("title", &title, "h2"),
        draft.choice("rating", &rating, &stars),
        draft.field("comment", &comment, "longText"),
        draft.button("send-feedback", &submit),
    ];
    draft.column("content", &children)
}

pub(super) fn checkout(draft: &mut Draft) -> String {
    let title = draft.title("Checkout", "结账");
    let total = (draft.say("Total", "合计"), draft.price());
    let labels = (
        draft.say("Name on card", "持卡人姓名"),
        draft.say("Delivery address", "收货地址"),
        draft.say("Payment method", "支付方式"),
    );
    let methods = [draft.say("Card", "银行卡"), draft.say("Invoice", "货到付款")];
    let submit = draft.say("Pay now", "立即支付");
    let sum = [draft.text("total-label", &total.0, "body"), draft.text("total", &total.1, "h3")];
    let children = [
        draft.text("title", &title, "h2"),
        draft.row("sum", &sum),
        draft.divider("line"),
        draft.field("name", &labels.0, "shortText"),
        draft.field("address", &labels.1, "longText"),
        draft.choice("method", &labels.2, &methods),
        draft.button("pay", &submit),
    ];
    draft.column("content", &children)
}

pub(super) fn settings(draft: &mut Draft) -> String {
    let title = draft.title("Settings", "设置");
    let switches = draft.items([
        ("Notifications", "通知"),
        ("Dark mode", "深色模式"),
        ("Share usage data", "共享使用数据"),
    ]);
    let submit = draft.say("Save", "保存");
    let mut children = vec![draft.text("title", &title, "h2")];
    for (at, label) in switches.iter().enumerate() {
        children.push(draft.check_box(&format!("setting-{}", at + 1), label));
    }
    children.push(draft.button("save", &submit));
    draft.column("content", &children)
}

pub(super) fn search(draft: &mut Draft) -> String {
    let title = draft.title("Search", "搜索");
    let query = draft.say("What are you looking for?", "想找什么？");
    let filters = draft.items([("All", "全部"), ("Newest", "最新"), ("Most popular", "最热")]);
    let filter = draft.say("Filter", "筛选");
    let submit = draft.say("Search", "搜索");
    let bar = [draft.icon("magnifier", "search"), draft.field("query", &query, "shortText")];
    let children = [
        draft.text("title", &title, "h3"),
        draft.row("bar", &bar),
        draft.choice("filter", &filter, &filters),
        draft.button("search", &submit),
    ];
    draft.column("content", &children)
}
