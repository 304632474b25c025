//! What stands around a card: its frame, its style sheet, and the page that shows it alone.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use crate::filters::escape;

/// The frame of every card, and the names of its colours.
const CARD_CSS: &str = include_str!("card.css");
/// The page of a card that is shown alone.
const PAGE_CSS: &str = include_str!("page.css");

/// What a card is rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// As wide as its place.
    Responsive,
    /// 360 px.
    Phone,
    /// 768 px.
    Tablet,
    /// 1200 px.
    Desktop,
}

/// The card alone: `content` in its frame. The id of a template holds only letters, digits and "-".
pub(crate) fn fragment(template_id: &str, device: Device, content: &str) -> String {
    let device = match device {
        Device::Responsive => "",
        Device::Phone => " data-device=\"phone\"",
        Device::Tablet => " data-device=\"tablet\"",
        Device::Desktop => " data-device=\"desktop\"",
    };
    format!(
        "<div class=\"plexus-card\" data-template=\"{template_id}\"{device}>\
         <div class=\"plexus-card-body\">{content}</div></div>"
    )
}

/// The frame's rules, and those of the template nested so that they hold in its cards alone.
pub(crate) fn stylesheet(template_id: &str, template_css: &str) -> String {
    if template_css.trim().is_empty() {
        return CARD_CSS.to_owned();
    }
    let own = template_css.trim_end();
    format!("{CARD_CSS}.plexus-card[data-template=\"{template_id}\"] > .plexus-card-body {{\n{own}\n}}\n")
}

/// A page that holds nothing but the card.
///
/// Its policy allows no script, no frame and no form, and of styles only this sheet and the attributes of the card.
pub(crate) fn page(title: &str, stylesheet: &str, fragment: &str) -> String {
    let css = format!("{PAGE_CSS}{stylesheet}");
    let hash = STANDARD.encode(Sha256::digest(&css));
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src http: https:; \
         style-src-elem 'sha256-{hash}'; style-src-attr 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>{css}</style>\n</head>\n<body>\n{fragment}\n</body>\n</html>\n"
    )
}
