//! A watched file: what is read, what is refused, and which kinds of change are seen.

use tempfile::TempDir;

use super::*;

const FIRST: &str = r#"{"endpoints":[{"address":"10.0.0.7:50052","weight":3,"zone":"a","priority":1}]}"#;
const OTHER: &str = r#"{"endpoints":[{"address":"10.0.0.8:50052","weight":3,"zone":"a","priority":1}]}"#;

fn member(address: &str) -> Member {
    Member::new(address.parse::<Address>().unwrap())
}

fn first() -> Member {
    member("10.0.0.7:50052").weight(3).zone("a").priority(1)
}

fn other() -> Member {
    member("10.0.0.8:50052").weight(3).zone("a").priority(1)
}

/// A file with this content, followed in virtual time until it has been read.
async fn followed(content: &str) -> (TempDir, PathBuf, FileResolver, watch::Receiver<Resolution>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("endpoints.json");
    fs::write(&path, content).unwrap();
    let resolver = FileResolver::new(&path);
    let mut watched = resolver.watch();
    watched.changed().await.unwrap();
    (folder, path, resolver, watched)
}

/// Makes a modification look old enough that its time is believed.
fn age(path: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

fn error_of(content: &str) -> String {
    describe(&parse(Path::new("endpoints.json"), content.as_bytes()).unwrap_err())
}

#[tokio::test(start_paused = true)]
async fn a_file_gives_its_members_with_weight_zone_and_priority() {
    let (_folder, _path, _resolver, watched) = followed(FIRST).await;
    assert_eq!(*watched.borrow(), Resolution::new([first()]));
}

#[test]
fn what_is_left_out_has_the_default() {
    let members = parse(Path::new("f"), br#"{"endpoints":[{"address":"unix:/run/quota.sock"}]}"#).unwrap();
    assert_eq!(members, [member("unix:/run/quota.sock")]);
}

#[test]
fn an_error_names_the_file_the_field_and_what_is_wrong() {
    for (content, expected) in [
        (r#"{"endpoints":[{"address":"10.0.0.7"}]}"#, "endpoints[0].address: \"10.0.0.7\" is not an address"),
        (
            r#"{"endpoints":[{"address":"a:1"},{"address":"b:1","weight":0}]}"#,
            "endpoints[1].weight: invalid value",
        ),
        (r#"{"endpoints":[{"address":"a:1","priority":-1}]}"#, "endpoints[0].priority: invalid value"),
        (r#"{"endpoints":[{"address":"a:1","port":1}]}"#, "endpoints[0].port: unknown field `port`"),
        (
            r#"{"endpoints":[{"address":"a:1"},{"address":"a:1"}]}"#,
            "endpoints[1].address: a:1 is listed twice",
        ),
        (r#"{"endpoint":[]}"#, "unknown field `endpoint`"),
        (r#"{"endpoints":[{"address":"a:1"}"#, "EOF while parsing"),
        (r#"{"endpoints":[{"address":"a:1"}]}}"#, "its end: trailing characters"),
    ] {
        let error = error_of(content);
        assert!(error.starts_with("endpoints.json is invalid at "), "{error}");
        assert!(error.contains(expected), "{error} lacks {expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_written_invalid_empty_or_missing_file_keeps_the_last_good_set() {
    let (_folder, path, _resolver, mut watched) = followed(FIRST).await;
    for (content, expected) in [
        (&FIRST[..40], "EOF while parsing"),
        (r#"{"endpoints":[{"address":"x"}]}"#, "endpoints[0].address"),
        (r#"{"endpoints":[]}"#, "no replica is listed"),
    ] {
        fs::write(&path, content).unwrap();
        watched.wait_for(|at| at.error.as_ref().is_some_and(|text| text.contains(expected))).await.unwrap();
        assert_eq!(watched.borrow().members[..], [first()]);
    }
    fs::remove_file(&path).unwrap();
    watched
        .wait_for(|at| at.error.as_ref().is_some_and(|text| text.contains("cannot be read")))
        .await
        .unwrap();
    assert_eq!(watched.borrow().members[..], [first()]);
    fs::write(&path, OTHER).unwrap();
    assert_eq!(*watched.wait_for(|at| at.error.is_none()).await.unwrap(), Resolution::new([other()]));
}

#[tokio::test(start_paused = true)]
async fn a_file_beyond_the_limit_is_refused() {
    let (_folder, path, _resolver, mut watched) = followed(FIRST).await;
    let padding = " ".repeat(usize::try_from(FILE_BYTES_MAX).unwrap());
    fs::write(&path, format!("{OTHER}{padding}")).unwrap();
    watched.wait_for(|at| at.error.as_ref().is_some_and(|text| text.contains("larger than"))).await.unwrap();
    assert_eq!(watched.borrow().members[..], [first()]);
}

#[tokio::test(start_paused = true)]
async fn a_write_in_place_and_an_atomic_rename_are_seen() {
    let (folder, path, _resolver, mut watched) = followed(FIRST).await;
    fs::write(&path, OTHER).unwrap();
    watched.wait_for(|at| at.members[..] == [other()]).await.unwrap();
    let new = folder.path().join("new");
    fs::write(&new, FIRST).unwrap();
    fs::rename(&new, &path).unwrap();
    watched.wait_for(|at| at.members[..] == [first()]).await.unwrap();
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_config_map_that_swaps_its_link_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("..data");
    for (version, content) in [("..1", FIRST), ("..2", OTHER)] {
        fs::create_dir(folder.path().join(version)).unwrap();
        let file = folder.path().join(version).join("endpoints.json");
        fs::write(&file, content).unwrap();
        age(&file, 60);
    }
    std::os::unix::fs::symlink("..1", &data).unwrap();
    let path = folder.path().join("endpoints.json");
    std::os::unix::fs::symlink("..data/endpoints.json", &path).unwrap();
    let resolver = FileResolver::new(&path);
    let mut watched = resolver.watch();
    watched.wait_for(|at| at.members[..] == [first()]).await.unwrap();
    let next = folder.path().join("..data_tmp");
    std::os::unix::fs::symlink("..2", &next).unwrap();
    fs::rename(&next, &data).unwrap();
    watched.wait_for(|at| at.members[..] == [other()]).await.unwrap();
}

#[test]
fn a_file_is_read_again_unless_its_stamp_is_the_same_and_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("endpoints.json");
    fs::write(&path, FIRST).unwrap();
    assert_eq!(look(&path, None).0, None, "a second write in the same moment would go unseen");
    age(&path, 60);
    let (stamp, members) = look(&path, None);
    assert_eq!(members.unwrap(), Some(vec![first()]));
    assert!(stamp.is_some());
    assert!(matches!(look(&path, stamp), (same, Ok(None)) if same == stamp));
    age(&path, 30);
    assert!(matches!(look(&path, stamp), (Some(_), Ok(Some(_)))));
}
