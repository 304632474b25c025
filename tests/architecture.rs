//! The rules of the house, held as tests: who may import whom, where SQL and generated types may stand, sizes.

#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

/// Lines of a hand-written file at most.
const FILE_LINES_MAX: usize = 500;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["common", "core", "util", "utils", "helpers", "misc"];
/// What only the runtime, the client and the bridge may name.
const PLUMBING: [&str; 6] =
    ["tonic::transport", "hyper::", "hyper_util::", "tower::", "tower_http::", "opentelemetry"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Package name to its folder, for every member of the workspace.
fn members() -> BTreeMap<String, PathBuf> {
    let workspace: Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap().iter();
    let folders = members.map(|member| root().join(member.as_str().unwrap()));
    folders
        .map(|folder| (manifest(&folder)["package"]["name"].as_str().unwrap().to_owned(), folder))
        .collect()
}

fn manifest(folder: &Path) -> Table {
    fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
}

/// The packages of ours that `folder`'s manifest names under `section`.
fn ours(folder: &Path, section: &str) -> BTreeSet<String> {
    let manifest = manifest(folder);
    let dependencies = manifest.get(section).and_then(Value::as_table).cloned().unwrap_or_default();
    dependencies.keys().filter(|name| name.starts_with("plexus-")).cloned().collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of `path` without its comments and without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = before_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

fn assert_none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

#[test]
fn every_arrow_between_crates_points_down() {
    let below: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("plexus-proto", [].as_slice()),
        ("plexus-client", &["plexus-proto"]),
        ("plexus-runtime", &["plexus-proto", "plexus-client"]),
        ("plexus-bridge", &["plexus-proto", "plexus-client", "plexus-runtime"]),
        ("plexus-testkit", &["plexus-proto", "plexus-client", "plexus-runtime"]),
        ("plexus-ai", &["plexus-proto", "plexus-client", "plexus-runtime"]),
        ("plexus-analytics", &["plexus-proto", "plexus-client", "plexus-runtime"]),
        ("plexus-auth", &["plexus-proto", "plexus-client", "plexus-runtime"]),
        ("plexus-card", &["plexus-proto", "plexus-client", "plexus-runtime"]),
        ("plexus-quota", &["plexus-proto", "plexus-client", "plexus-runtime"]),
        ("xtask", &["plexus-client"]),
    ]);
    for (name, folder) in members() {
        let allowed = below.get(name.as_str()).unwrap_or_else(|| panic!("{name} has no floor in this test"));
        let allowed: BTreeSet<String> = allowed.iter().map(ToString::to_string).collect();
        let used = ours(&folder, "dependencies");
        let up: Vec<_> = used.difference(&allowed).collect();
        assert!(up.is_empty(), "{name} imports {up:?}, which is not below it");
    }
}

#[test]
fn the_testkit_is_for_tests_only() {
    for (name, folder) in members() {
        assert!(!ours(&folder, "dependencies").contains("plexus-testkit"), "{name} ships the testkit");
    }
    assert!(!ours(&root(), "dependencies").contains("plexus-testkit"), "the binary ships the testkit");
}

#[test]
fn the_client_needs_the_contract_only_with_its_feature() {
    let manifest = manifest(&root().join("client-sdk/rust"));
    assert_eq!(manifest["dependencies"]["plexus-proto"]["optional"].as_bool(), Some(true));
    assert_eq!(manifest["features"]["default"].as_array().map(Vec::len), Some(0));
}

#[test]
fn sql_stands_only_in_stores() {
    let words = ["sqlx::query", "query_as(", "query_scalar(", "insert into ", "delete from "];
    let mut broken = Vec::new();
    for folder in ["services", "mesh/runtime/src", "mesh/bridge/src", "client-sdk/rust/src", "src"] {
        for path in sources(&root().join(folder)) {
            let name = shown(&path);
            let is_store = name.contains("/store");
            if is_store || name.contains("/tests/") {
                continue;
            }
            let code = code(&path);
            broken.extend(
                words.iter().filter(|word| code.contains(*word)).map(|word| format!("{name}: {word}")),
            );
        }
    }
    assert_none(&broken, "only store files hold SQL");
}

#[test]
fn generated_types_stand_only_where_calls_come_in() {
    let mut broken = Vec::new();
    for path in sources(&root().join("services")) {
        let name = shown(&path);
        if name.contains("/rpc") || name.contains("/tests/") || !name.contains("/src/") {
            continue;
        }
        if code(&path).contains("plexus_proto") {
            broken.push(name);
        }
    }
    assert_none(&broken, "only rpc files name generated types");
}

#[test]
fn a_service_knows_nothing_of_the_plumbing() {
    let mut broken = Vec::new();
    for path in sources(&root().join("services")).into_iter().chain(sources(&root().join("src"))) {
        let name = shown(&path);
        if name.contains("/tests/") {
            continue;
        }
        let code = code(&path);
        broken.extend(
            PLUMBING.iter().filter(|word| code.contains(*word)).map(|word| format!("{name}: {word}")),
        );
    }
    assert_none(
        &broken,
        "only the runtime, the client and the bridge name transports, layers and telemetry's SDK",
    );
}

#[test]
fn files_are_short_and_say_first_what_they_are() {
    let mut broken = Vec::new();
    for path in sources(&root()) {
        let text = fs::read_to_string(&path).unwrap();
        if text.lines().count() > FILE_LINES_MAX {
            broken.push(format!("{} has {} lines", shown(&path), text.lines().count()));
        }
        if !text.starts_with("//!") {
            broken.push(format!("{} does not begin with a sentence that says what it is", shown(&path)));
        }
    }
    assert_none(&broken, "files have at most 500 lines and begin with //!");
}

#[test]
fn names_of_folders_and_files_say_what_is_inside() {
    let mut broken = Vec::new();
    for path in sources(&root()) {
        let parts: Vec<String> =
            shown(&path).split('/').map(|part| part.trim_end_matches(".rs").to_owned()).collect();
        if parts.iter().any(|part| EMPTY_NAMES.contains(&part.as_str())) {
            broken.push(shown(&path));
        }
    }
    assert_none(&broken, "no module is called common, core, util, helpers or misc");
}

#[test]
fn every_crate_takes_the_lints_and_versions_of_the_workspace() {
    for (name, folder) in members() {
        let manifest = manifest(&folder);
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{name} has lints of its own");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let dependencies = manifest.get(section).and_then(Value::as_table).cloned().unwrap_or_default();
            for (dependency, value) in dependencies {
                let shared = value.get("workspace").and_then(Value::as_bool) == Some(true);
                assert!(
                    shared,
                    "{name} pins {dependency} itself; versions stand in [workspace.dependencies]"
                );
            }
        }
    }
}
