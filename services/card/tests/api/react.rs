//! Exported components: compiled and type-checked by Node, rendered by React, and compared with the HTML.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use plexus_proto::card::v1::ExportCardRequest;
use serde_json::{Value, json};

use crate::{Mesh, samples, templates};

#[tokio::test]
async fn react_renders_the_same_elements_as_the_html() {
    let mesh = Mesh::start().await;
    let mut cases = Vec::new();
    for (index, sample) in samples::built_in().into_iter().enumerate() {
        let name = format!("{} {index}", sample.template_id);
        cases.push(case(&mesh, &name, sample.template_id, &sample.parameters).await);
    }
    let (template, values) = samples::everything();
    let everything = templates::create(&mesh, "alice", "everything", template).await.unwrap();
    cases.push(case(&mesh, "everything", &everything.template_id, &values).await);
    cases.push(case(&mesh, "everything empty", &everything.template_id, &json!({})).await);
    let (template, values) = samples::many_values();
    let many = templates::create(&mesh, "alice", "many", template).await.unwrap();
    cases.push(case(&mesh, "many values", &many.template_id, &values).await);
    let greeting = templates::create(&mesh, "alice", "greeting", templates::greeting()).await.unwrap();
    cases.push(case(&mesh, "greeting", &greeting.template_id, &json!({"name": "<Ann>"})).await);

    tokio::task::spawn_blocking(move || compare(&cases)).await.unwrap();
}

async fn case(mesh: &Mesh, name: &str, template_id: &str, parameters: &Value) -> Value {
    let request = ExportCardRequest { template_id: template_id.to_owned(), ..ExportCardRequest::default() };
    let exported = mesh.cards("alice").export_card(request).await.unwrap().into_inner();
    let rendered = mesh.render("alice", template_id, parameters).await.unwrap();
    assert_eq!(exported.stylesheet, rendered.stylesheet);
    json!({
        "name": name, "component": exported.component_name, "tsx": exported.tsx,
        "parameters": parameters, "fragment": rendered.fragment,
    })
}

fn compare(cases: &[Value]) {
    let folder = install();
    let file = folder.join("cases.json");
    fs::write(&file, serde_json::to_string(cases).unwrap()).unwrap();
    run(Command::new("node").arg("compare.mjs").arg(&file).current_dir(&folder));
}

/// The packages of the lock file, installed once beside the build and never beside the sources.
fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("card-react");
    fs::create_dir_all(&folder).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/react");
    let lock = fs::read(source.join("package-lock.json")).unwrap();
    let installed = folder.join("node_modules/installed-lock.json");
    for name in ["package.json", "package-lock.json", "compare.mjs"] {
        fs::copy(source.join(name), folder.join(name)).unwrap();
    }
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return folder;
    }
    run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder));
    fs::write(&installed, lock).unwrap();
    folder
}

/// Runs a program of the toolchain; without it the test fails, since it would show nothing.
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed:\n{out}{err}");
}
