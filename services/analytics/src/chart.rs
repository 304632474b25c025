//! Bar charts as SVG: drawn with one measure, readable without colour, and named for screen readers.

use crate::{html::Markup, number::grouped};

/// Width of the drawing, in its own units; it scales to its place.
const WIDTH: f64 = 720.0;
/// Height of the drawing.
const HEIGHT: f64 = 220.0;
/// Room on the left for the numbers of the scale.
const LEFT: f64 = 64.0;
/// Room below for the names of the bars.
const BOTTOM: f64 = 26.0;
/// Room above, so that the topmost number is not cut.
const TOP: f64 = 10.0;
/// Names below the bars: more would run into each other.
const LABELS_MAX: usize = 8;
/// Steps of the scale.
const STEPS: i64 = 4;
/// The widest bar, so that a single one does not fill the page.
const BAR_WIDTH_MAX: f64 = 56.0;

/// One bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// What it stands for.
    pub label: String,
    /// How high it is, from 0.
    pub value: i64,
}

/// A bar chart called `title`; `id` is unique on the page.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a drawing needs no more than 52 bits")]
pub fn bars(id: &str, title: &str, bars: &[Bar]) -> Markup {
    let step = step(bars.iter().map(|bar| bar.value).max().unwrap_or(0));
    let top_value = (step * STEPS) as f64;
    let (height, width) = (HEIGHT - BOTTOM - TOP, (WIDTH - LEFT) / bars.len().max(1) as f64);
    let mut pieces = vec![Markup::labelled("title", &[("id", id)], title)];
    for line in 0..=STEPS {
        let y = TOP + height - height * line as f64 / STEPS as f64;
        pieces.push(grid_line(y, step * line));
    }
    let every = bars.len().div_ceil(LABELS_MAX).max(1);
    let bar_width = (width * 0.72).min(BAR_WIDTH_MAX);
    for (place, bar) in bars.iter().enumerate() {
        let middle = LEFT + width * (place as f64 + 0.5);
        let length = height * bar.value as f64 / top_value;
        let hint = Markup::labelled("title", &[], &format!("{}: {}", bar.label, grouped(bar.value)));
        let attributes = [
            ("class", "bar"),
            ("x", &*unit(middle - bar_width / 2.0)),
            ("y", &*unit(TOP + height - length)),
            ("width", &*unit(bar_width)),
            ("height", &*unit(length)),
            ("rx", "2"),
        ];
        pieces.push(Markup::element("rect", &attributes, [hint]));
        if place % every == 0 {
            let attributes = [("x", &*unit(middle)), ("y", &*unit(HEIGHT - 8.0)), ("text-anchor", "middle")];
            pieces.push(Markup::labelled("text", &attributes, &bar.label));
        }
    }
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    Markup::element("svg", &[("viewBox", &view), ("role", "img"), ("aria-labelledby", id)], pieces)
}

fn grid_line(y: f64, value: i64) -> Markup {
    let y_text = unit(y);
    let line = [("x1", &*unit(LEFT)), ("x2", &*unit(WIDTH)), ("y1", &*y_text), ("y2", &*y_text)];
    let text = [("x", &*unit(LEFT - 8.0)), ("y", &*unit(y + 4.0)), ("text-anchor", "end")];
    let pieces = [Markup::element("line", &line, []), Markup::labelled("text", &text, &grouped(value))];
    Markup::element("g", &[], pieces)
}

/// The smallest step of 1, 2, 2.5 or 5 times a power of ten (whole, from 1) of which [`STEPS`] reach `highest`.
fn step(highest: i64) -> i64 {
    let mut power = 1_i64;
    loop {
        for step in [power, power * 2, power * 5 / 2, power * 5] {
            if step * STEPS >= highest || power >= i64::MAX / 1_000 {
                return step;
            }
        }
        power *= 10;
    }
}

fn unit(length: f64) -> String {
    format!("{length:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[i64]) -> String {
        let all: Vec<Bar> =
            values.iter().map(|value| Bar { label: format!("<{value}>"), value: *value }).collect();
        bars("events", "Events & users", &all).to_string()
    }

    #[test]
    fn every_value_has_a_bar_and_the_chart_has_a_name() {
        let svg = chart(&[1, 5, 3]);
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(
            svg.contains("role=\"img\"") && svg.contains("<title id=\"events\">Events &amp; users</title>")
        );
        assert!(svg.contains("&lt;5&gt;: 5") && !svg.contains("<5>"));
    }

    #[test]
    fn steps_are_round_and_reach_the_highest_value() {
        for (highest, expected) in
            [(0, 1), (4, 1), (5, 2), (9, 5), (97, 25), (100, 25), (101, 50), (4_001, 2_000)]
        {
            assert_eq!(step(highest), expected, "for {highest}");
        }
        assert!(step(i64::MAX) > 0);
    }

    #[test]
    fn a_chart_without_bars_or_with_empty_ones_is_still_one() {
        assert!(chart(&[]).contains("<svg"));
        let flat = chart(&[0, 0]);
        assert!(flat.contains("height=\"0.0\"") && !flat.contains("NaN"));
    }

    #[test]
    fn names_do_not_run_into_each_other() {
        let values: Vec<i64> = (0..366).collect();
        let names = chart(&values).matches("text-anchor=\"middle\"").count();
        assert!(names <= LABELS_MAX, "{names} names");
    }
}
