//! A report as one HTML page that needs nothing else.

use crate::{
    chart::{self, Bar},
    histogram::Histogram,
    html::Markup,
    message::Totals,
    number::{date, grouped},
    report::Report,
};

/// The heading when the request gives none.
pub const TITLE_DEFAULT: &str = "Analytics report";

/// The page may load nothing and run nothing, wherever it is opened.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
const CSS: &str = include_str!("page.css");

/// The page of `report` under the heading `title`.
#[must_use]
pub fn page(title: &str, report: &Report) -> String {
    let head = Markup::element(
        "head",
        &[],
        [
            Markup::element("meta", &[("charset", "utf-8")], []),
            Markup::element(
                "meta",
                &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")],
                [],
            ),
            Markup::element("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)], []),
            Markup::labelled("title", &[], title),
            Markup::style(CSS),
        ],
    );
    let main = Markup::element(
        "main",
        &[],
        [header(title, report), tiles(report), daily(report), top_events(report), messages(report)],
    );
    let root = Markup::element("html", &[("lang", "en")], [head, Markup::element("body", &[], [main])]);
    Markup::document(&root)
}

fn header(title: &str, report: &Report) -> Markup {
    let range = format!("{} to {}, days of UTC", date(report.days.first), date(report.days.end - 1));
    let heading = Markup::labelled("h1", &[], title);
    Markup::element("header", &[], [heading, Markup::labelled("p", &[], &range)])
}

fn tiles(report: &Report) -> Markup {
    let counts = report.messages.totals.counts;
    let tile = |name: &str, value: i64| {
        let content = [Markup::labelled("dt", &[], name), Markup::labelled("dd", &[], &grouped(value))];
        Markup::element("div", &[], content)
    };
    let tiles = [
        tile("Events", report.event_count()),
        tile("Users", report.user_count),
        tile("New users", report.new_user_count),
        tile("Messages", counts.sent + counts.received),
        tile("Tokens", counts.tokens),
    ];
    Markup::element("dl", &[("class", "tiles")], tiles)
}

fn daily(report: &Report) -> Markup {
    let bars = |value: fn(&crate::store::DayCount) -> i64| -> Vec<Bar> {
        report.daily.iter().map(|day| Bar { label: date(day.day), value: value(day) }).collect()
    };
    let rows = report.daily.iter().map(|day| vec![date(day.day), grouped(day.events), grouped(day.users)]);
    let details = Markup::element(
        "details",
        &[],
        [
            Markup::labelled("summary", &[], "The days in numbers"),
            table("Events and users by day", &["Day", "Events", "Users"], rows),
        ],
    );
    section(
        "Days",
        [
            figure("Events by day", chart::bars("events-by-day", "Events by day", &bars(|day| day.events))),
            figure("Users by day", chart::bars("users-by-day", "Users by day", &bars(|day| day.users))),
            details,
        ],
    )
}

fn top_events(report: &Report) -> Markup {
    if report.top_events.is_empty() {
        return section("Top events", [Markup::labelled("p", &[], "No events in these days.")]);
    }
    let rows =
        report.top_events.iter().map(|top| vec![name(&top.name), top.word().to_owned(), grouped(top.count)]);
    section("Top events", [table("The most frequent events", &["Event", "Type", "Count"], rows)])
}

fn messages(report: &Report) -> Markup {
    let messages = &report.messages;
    if messages.totals == Totals::default() {
        return section("Messages", [Markup::labelled("p", &[], "No messages in these days.")]);
    }
    let columns = ["Model", "Sent", "Received", "Tokens", "Median latency", "p99 latency", "Median length"];
    let all = ("All".to_owned(), messages.totals.clone());
    let rows = std::iter::once(all).chain(messages.models.iter().cloned()).map(|(model, totals)| {
        let counts = totals.counts;
        vec![
            name(&model),
            grouped(counts.sent),
            grouped(counts.received),
            grouped(counts.tokens),
            measure(&totals.latency_ms, 0.5, " ms"),
            measure(&totals.latency_ms, 0.99, " ms"),
            measure(&totals.length, 0.5, ""),
        ]
    });
    let summary = format!("{} conversations.", grouped(messages.conversations));
    let bars: Vec<Bar> = messages
        .days
        .iter()
        .map(|(day, counts)| Bar { label: date(*day), value: counts.sent + counts.received })
        .collect();
    section(
        "Messages",
        [
            Markup::labelled("p", &[], &summary),
            figure("Messages by day", chart::bars("messages-by-day", "Messages by day", &bars)),
            table("Messages by model", &columns, rows),
        ],
    )
}

fn section(heading: &str, content: impl IntoIterator<Item = Markup>) -> Markup {
    let heading = Markup::labelled("h2", &[], heading);
    Markup::element("section", &[], std::iter::once(heading).chain(content))
}

fn figure(caption: &str, drawing: Markup) -> Markup {
    Markup::element(
        "figure",
        &[],
        [Markup::labelled("figcaption", &[], caption), scrolling(caption, drawing)],
    )
}

/// A part that is scrolled by itself on narrow screens, also with the keyboard.
fn scrolling(label: &str, part: Markup) -> Markup {
    let region = [("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", label)];
    Markup::element("div", &region, [part])
}

/// A table whose first column names the row.
fn table(caption: &str, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Markup {
    let heads = columns.iter().map(|column| Markup::labelled("th", &[("scope", "col")], column));
    let head = Markup::element("thead", &[], [Markup::element("tr", &[], heads)]);
    let body = rows.map(|cells| {
        let cells = cells.iter().enumerate().map(|(place, cell)| match place {
            0 => Markup::labelled("th", &[("scope", "row")], cell),
            _ => Markup::labelled("td", &[], cell),
        });
        Markup::element("tr", &[], cells)
    });
    let title = Markup::labelled("caption", &[], caption);
    scrolling(caption, Markup::element("table", &[], [title, head, Markup::element("tbody", &[], body)]))
}

fn name(text: &str) -> String {
    if text.is_empty() { "(none)".to_owned() } else { text.to_owned() }
}

#[expect(clippy::cast_possible_truncation, reason = "values end at 10^9")]
fn measure(histogram: &Histogram, quantile: f64, suffix: &str) -> String {
    if histogram.count() == 0 {
        return "–".to_owned();
    }
    format!("{}{suffix}", grouped(histogram.quantile(quantile).round() as i64))
}

#[cfg(test)]
mod tests;
