//! What a browser shows of a card: Chromium without a screen.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use plexus_proto::card::v1::{Device, RenderCardRequest};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Mesh, samples, structure};

/// The names under which distributions install it.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// A phone and a desk.
const WIDTHS: [u32; 2] = [390, 1280];

#[tokio::test]
async fn a_card_is_laid_out_by_the_width_of_its_place() {
    let mesh = Mesh::start().await;
    let page = render(&mesh, "product", &samples::product(), Device::Responsive).await;
    let columns = "style('.layout').gridTemplateColumns.split(' ').length";
    for (width, count) in WIDTHS.into_iter().zip(["1", "2"]) {
        assert_eq!(look(&page, width, columns).await, count, "{width}");
    }
    // A fixed device is as wide as it says, and laid out for that, in a place of any width.
    let phone = render(&mesh, "product", &samples::product(), Device::Phone).await;
    let seen = look(&phone, 1280, &format!("box('.plexus-card').width + ' ' + {columns}")).await;
    assert_eq!(seen, "360 1");
}

#[tokio::test]
async fn the_policy_lets_in_the_style_sheet_and_no_script() {
    let mesh = Mesh::start().await;
    let page = render(&mesh, "info", &json!({"title": "Seen"}), Device::Responsive).await;
    let script = "<script>document.body.dataset.evil = 'ran'</script></body>";
    let page = page.replace("</body>", script);
    let seen = "style('.layout').borderTopWidth + ' ' + frame.contentDocument.body.dataset.evil";
    assert_eq!(look(&page, 1280, seen).await, "4px undefined");
}

#[tokio::test]
async fn hostile_values_run_nothing_even_without_the_policy() {
    let mesh = Mesh::start().await;
    let hostile = "\"><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
    let parameters = json!({
        "title": hostile, "topic": hostile, "summary": hostile, "date": hostile,
        "links": [{"label": hostile, "url": "/x\" onmouseover=\"document.title='owned'"}],
    });
    let page = render(&mesh, "info", &parameters, Device::Responsive).await;
    let start = page.find("<meta http-equiv").unwrap();
    let end = start + page[start..].find('>').unwrap() + 1;
    let page = format!("{}{}", &page[..start], &page[end..]);
    let acting = "frame.contentDocument.querySelectorAll('img, script, [onerror], [onmouseover]').length";
    let seen = look(&page, 1280, &format!("frame.contentDocument.title + ' ' + {acting}")).await;
    assert_eq!(seen, "Info card 0");
}

#[tokio::test]
async fn each_built_in_card_is_painted_at_the_width_of_a_phone_and_of_a_desk() {
    let mesh = Mesh::start().await;
    let cards = [("product", samples::product()), ("info", samples::info()), ("custom", samples::custom())];
    // They stay to be looked at.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("card-display");
    fs::create_dir_all(&folder).unwrap();
    for (template_id, parameters) in cards {
        let page = render(&mesh, template_id, &parameters, Device::Responsive).await;
        let file = folder.join(format!("{template_id}.html"));
        fs::write(&file, page).unwrap();
        for width in WIDTHS {
            let picture = file.with_extension(format!("{width}.png"));
            let arguments =
                vec![format!("--screenshot={}", picture.display()), format!("--window-size={width},900")];
            browse(arguments, file.clone()).await;
            // Nothing but background makes a picture of some hundred bytes.
            assert!(fs::metadata(&picture).unwrap().len() > 10_000, "{}", picture.display());
        }
    }
}

async fn render(mesh: &Mesh, template_id: &str, parameters: &Value, device: Device) -> String {
    let request = RenderCardRequest {
        template_id: template_id.to_owned(),
        parameters: Some(structure(parameters)),
        device: device.into(),
        ..RenderCardRequest::default()
    };
    mesh.cards("alice").render_card(request).await.unwrap().into_inner().html
}

/// What `expression` is in a page around a frame of `width` pixels that shows `page`.
///
/// The page's own policy stops scripts in it, so the one that looks stands outside.
async fn look(page: &str, width: u32, expression: &str) -> String {
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    let probe = format!(
        "<!DOCTYPE html><iframe id=frame style=\"border:0;width:{width}px;height:900px\" srcdoc=\"{page}\"></iframe>\
         <p id=seen></p><script>frame.onload = () => {{\
         const find = (name) => frame.contentDocument.querySelector(name);\
         const style = (name) => frame.contentWindow.getComputedStyle(find(name));\
         const box = (name) => find(name).getBoundingClientRect();\
         seen.textContent = '[' + ({expression}) + ']'; }};</script>"
    );
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("probe.html");
    fs::write(&file, probe).unwrap();
    let dom = String::from_utf8(browse(vec!["--dump-dom".to_owned()], file).await.stdout).unwrap();
    let seen = dom.split_once("<p id=\"seen\">[").and_then(|(_, rest)| rest.split_once("]</p>"));
    seen.unwrap_or_else(|| panic!("nothing was seen: {dom}")).0.to_owned()
}

/// Runs the browser on `file` with a profile of its own; without a browser the test fails.
async fn browse(arguments: Vec<String>, file: PathBuf) -> Output {
    tokio::task::spawn_blocking(move || {
        let profile = TempDir::new().unwrap();
        let found = BROWSERS.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
        let browser = found.unwrap_or_else(|| panic!("none of {BROWSERS:?} can be started"));
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"])
            .args(["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(arguments)
            .arg(format!("file://{}", file.display()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    })
    .await
    .unwrap()
}
