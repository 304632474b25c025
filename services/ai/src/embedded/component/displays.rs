//! The entries of the catalogue that show something.

use super::{
    draft::Draft,
    slots::{Figure, figure},
};

/// Rows of placeholders below the head of a table.
const TABLE_ROWS: usize = 3;
/// A table with more columns does not fit a screen.
const TABLE_COLUMNS_MAX: usize = 8;

pub(super) fn product(draft: &mut Draft) -> String {
    let title = draft.title("Product name", "商品名称");
    let price = draft.price();
    let about = draft.say("A short description of the product.", "这里是商品的简短说明。");
    let buy = draft.say("Add to cart", "加入购物车");
    let children = [
        draft.icon("picture", "photo"),
        draft.text("title", &title, "h2"),
        draft.text("about", &about, "body"),
        draft.text("price", &price, "h3"),
        draft.button("add-to-cart", &buy),
    ];
    draft.column("content", &children)
}

pub(super) fn pricing(draft: &mut Draft) -> String {
    let title = draft.title("Choose a plan", "选择方案");
    let plans =
        draft.items([("Basic $0", "基础版 0元"), ("Pro $0", "专业版 0元"), ("Team $0", "团队版 0元")]);
    let choose = draft.say("Choose", "选择");
    let ask = draft.say("On request", "面议");
    let mut cards = Vec::new();
    for (at, plan) in plans.iter().enumerate() {
        let Figure { name, value } =
            figure(plan).unwrap_or_else(|| Figure { name: plan.clone(), value: ask.clone() });
        let id = |part: &str| format!("plan-{}-{part}", at + 1);
        let children = [
            draft.text(&id("name"), &name, "h3"),
            draft.text(&id("price"), &value, "h2"),
            draft.button(&id("choose"), &choose),
        ];
        let content = draft.column(&id("content"), &children);
        cards.push(draft.card(&id("card"), &content));
    }
    let children = [draft.text("title", &title, "h2"), draft.row("plans", &cards)];
    draft.column("content", &children)
}

pub(super) fn stats(draft: &mut Draft) -> String {
    let title = draft.title("At a glance", "数据概览");
    let figures = draft.items([("Visitors 0", "访客 0"), ("Orders 0", "订单 0"), ("Revenue 0", "收入 0")]);
    let mut tiles = Vec::new();
    for (at, item) in figures.iter().enumerate() {
        let Figure { name, value } =
            figure(item).unwrap_or_else(|| Figure { name: item.clone(), value: "0".to_owned() });
        let id = |part: &str| format!("figure-{}-{part}", at + 1);
        let children = [draft.text(&id("value"), &value, "h2"), draft.text(&id("name"), &name, "caption")];
        tiles.push(draft.column(&id("tile"), &children));
    }
    let children = [draft.text("title", &title, "h3"), draft.row("figures", &tiles)];
    draft.column("content", &children)
}

pub(super) fn table(draft: &mut Draft) -> String {
    let title = draft.title("Table", "表格");
    let mut columns = draft.items([("Name", "名称"), ("Status", "状态"), ("Updated", "更新时间")]);
    columns.truncate(TABLE_COLUMNS_MAX);
    let mut rows = Vec::new();
    for row in 0..=TABLE_ROWS {
        let mut cells = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            let (text, variant) = if row == 0 { (column.as_str(), "h5") } else { ("–", "body") };
            cells.push(draft.text(&format!("cell-{row}-{}", at + 1), text, variant));
        }
        rows.push(draft.row(&format!("row-{row}"), &cells));
    }
    rows.insert(1, draft.divider("head-line"));
    rows.insert(0, draft.text("title", &title, "h3"));
    draft.column("content", &rows)
}

pub(super) fn list(draft: &mut Draft) -> String {
    let title = draft.title("List", "列表");
    let items = draft.items([("First item", "第一项"), ("Second item", "第二项"), ("Third item", "第三项")]);
    let mut lines = Vec::new();
    for (at, item) in items.iter().enumerate() {
        lines.push(draft.check_box(&format!("item-{}", at + 1), item));
    }
    let children = [draft.text("title", &title, "h3"), draft.list("items", &lines)];
    draft.column("content", &children)
}

pub(super) fn profile(draft: &mut Draft) -> String {
    let name = draft.title("Full name", "姓名");
    let email = draft.email();
    let about = draft.say("A sentence about this person.", "一句话介绍。");
    let follow = draft.say("Follow", "关注");
    let mail = [draft.icon("mail", "mail"), draft.text("email", &email, "body")];
    let children = [
        draft.icon("picture", "accountCircle"),
        draft.text("name", &name, "h2"),
        draft.text("about", &about, "body"),
        draft.row("contact", &mail),
        draft.button("follow", &follow),
    ];
    draft.column("content", &children)
}

pub(super) fn event(draft: &mut Draft) -> String {
    let title = draft.title("Event", "活动");
    let date = draft.date();
    let place = draft.say("Place to be announced", "地点待定");
    let accept = draft.say("I will come", "我参加");
    let decline = draft.say("I cannot come", "我不能参加");
    let when = [draft.icon("calendar", "calendarToday"), draft.text("date", &date, "body")];
    let at = [draft.icon("pin", "locationOn"), draft.text("place", &place, "body")];
    let answers = [draft.button("accept", &accept), draft.button("decline", &decline)];
    let children = [
        draft.text("title", &title, "h2"),
        draft.row("when", &when),
        draft.row("where", &at),
        draft.row("answers", &answers),
    ];
    draft.column("content", &children)
}
