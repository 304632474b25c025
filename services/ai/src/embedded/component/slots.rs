//! What a prompt says about the content of a component: a title, prices, items, an address, a date.

/// The longest value that a slot takes; what is longer belongs into a field, not on a label.
const VALUE_CHARACTERS_MAX: usize = 80;
/// How many items are taken of an enumeration: what fits one component.
const ITEMS_MAX: usize = 12;
/// Words after which an enumeration begins.
const ENUMERATIONS: [&str; 8] =
    [" with ", " including ", " containing ", " of ", "包括", "包含", "分别是", "有"];
/// Pairs of quotation marks, of which the first in a prompt hold the title.
const QUOTES: [(char, char); 5] = [('"', '"'), ('“', '”'), ('「', '」'), ('《', '》'), ('\'', '\'')];
/// Words before an enumeration that say what kind of things follow and are no item.
const LABELS: [&str; 6] = ["columns ", "fields ", "items ", "plans ", "rows ", "列"];

/// The values that a prompt gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slots {
    /// The first quoted text.
    pub(super) title: Option<String>,
    /// Amounts of money as they are written.
    pub(super) prices: Vec<String>,
    /// The items of the enumeration.
    pub(super) items: Vec<String>,
    /// An e-mail address.
    pub(super) email: Option<String>,
    /// A date in the form 2027-01-31.
    pub(super) date: Option<String>,
}

/// An item that is a name and a number: "Users 340", "基础版 9元".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: String,
}

/// Reads the values out of a prompt.
pub(super) fn read(prompt: &str) -> Slots {
    let words =
        || prompt.split(|character: char| character.is_whitespace() || "，、；;()（）".contains(character));
    Slots {
        title: quoted(prompt),
        prices: words()
            .filter(|word| is_price(trim(word)))
            .map(|word| trim(word).to_owned())
            .take(ITEMS_MAX)
            .collect(),
        items: items(prompt),
        email: words().map(trim).find(|word| is_email(word)).map(clip),
        date: words().map(trim).find(|word| is_date(word)).map(clip),
    }
}

/// The name and the number of an item, if it ends with a number.
pub(super) fn figure(item: &str) -> Option<Figure> {
    let at = item.rfind(char::is_whitespace).or_else(|| {
        let digit = item.find(|character: char| character.is_ascii_digit())?;
        item[..digit].char_indices().next_back().map(|(at, _)| at)
    })?;
    let (name, value) = item.split_at(at + item[at..].chars().next().map_or(0, char::len_utf8));
    let (name, value) = (name.trim(), value.trim());
    let is_number = value.chars().any(|character| character.is_ascii_digit());
    (is_number && !name.is_empty()).then(|| Figure { name: name.to_owned(), value: value.to_owned() })
}

fn quoted(prompt: &str) -> Option<String> {
    QUOTES
        .iter()
        .filter_map(|(open, close)| {
            let start = prompt.find(*open)?;
            let rest = &prompt[start + open.len_utf8()..];
            let text = rest[..rest.find(*close)?].trim();
            (!text.is_empty()).then(|| (start, clip(text)))
        })
        .min_by_key(|(start, _)| *start)
        .map(|(_, text)| text)
}

fn items(prompt: &str) -> Vec<String> {
    let colon = prompt.find([':', '：']).map(|at| at + prompt[at..].chars().next().map_or(1, char::len_utf8));
    let word = || ENUMERATIONS.iter().filter_map(|word| prompt.find(word).map(|at| at + word.len())).min();
    let Some(start) = colon.or_else(word) else { return Vec::new() };
    let listed = prompt[start..].replace(" and ", ",").replace("以及", ",").replace('和', ",");
    let items: Vec<String> = listed
        .split([',', '，', '、', ';', '；', '\n'])
        .map(|item| {
            let item = item.trim().trim_end_matches(['.', '。', '!', '！']);
            LABELS.iter().find_map(|label| item.strip_prefix(label)).unwrap_or(item).trim()
        })
        .filter(|item| !item.is_empty())
        .map(clip)
        .take(ITEMS_MAX)
        .collect();
    // One part is not an enumeration: "a form with validation".
    if items.len() > 1 || colon.is_some() { items } else { Vec::new() }
}

fn is_price(word: &str) -> bool {
    let digits = |text: &str| {
        text.chars().next().is_some_and(|character| character.is_ascii_digit())
            && text.chars().all(|character| character.is_ascii_digit() || ".,kKM万".contains(character))
    };
    let before = ["$", "€", "£", "¥", "￥", "US$"].iter().find_map(|sign| word.strip_prefix(sign));
    let after = ["元", "€", "块"].iter().find_map(|sign| word.strip_suffix(sign));
    before.is_some_and(digits) || after.is_some_and(digits)
}

fn is_email(word: &str) -> bool {
    word.split_once('@').is_some_and(|(name, host)| {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "._+-".contains(character);
        !name.is_empty() && host.contains('.') && name.chars().all(allowed) && host.chars().all(allowed)
    })
}

fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let is_number = |part: &&str| part.chars().all(|character| character.is_ascii_digit());
    parts.len() == 3
        && parts.iter().map(|part| part.len()).eq([4, 2, 2])
        && parts.iter().all(is_number)
        && (1..=12).contains(&parts[1].parse().unwrap_or(0))
        && (1..=31).contains(&parts[2].parse().unwrap_or(0))
}

fn trim(word: &str) -> &str {
    word.trim_matches(|character: char| ".,:!?：，。！？\"'“”".contains(character))
}

fn clip(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(VALUE_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_yields_what_it_says() {
        let slots = read("Event \"Summer fair\" on 2027-06-12, mail fair@example.org, entry $5.50.");
        assert_eq!(slots.title.as_deref(), Some("Summer fair"));
        assert_eq!(slots.date.as_deref(), Some("2027-06-12"));
        assert_eq!(slots.email.as_deref(), Some("fair@example.org"));
        assert_eq!(slots.prices, ["$5.50"]);
    }

    #[test]
    fn enumerations_are_split_in_both_languages() {
        assert_eq!(read("a list with milk, bread and eggs").items, ["milk", "bread", "eggs"]);
        assert_eq!(read("购物清单：苹果、梨和桃").items, ["苹果", "梨", "桃"]);
        assert_eq!(read("a table with columns Name, Role").items, ["Name", "Role"]);
        assert!(read("a form with validation").items.is_empty());
    }

    #[test]
    fn figures_are_a_name_and_a_number() {
        let figure = |text| figure(text).map(|figure| (figure.name, figure.value));
        assert_eq!(figure("Revenue $12k"), Some(("Revenue".into(), "$12k".into())));
        assert_eq!(figure("基础版 9元"), Some(("基础版".into(), "9元".into())));
        assert_eq!(figure("用户340"), Some(("用户".into(), "340".into())));
        assert_eq!(figure("milk"), None);
        assert_eq!(figure("42"), None);
    }

    #[test]
    fn things_that_only_look_alike_are_left() {
        let slots = read("version 2027-13-40 at user@host for $ and 元");
        assert_eq!(slots, Slots::default());
    }
}
