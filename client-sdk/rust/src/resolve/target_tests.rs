//! Which texts are targets, which replicas they give, and what is said of the others.

use super::*;

fn fixed(text: &str) -> Vec<String> {
    match text.parse::<Target>().unwrap_or_else(|error| panic!("{error}")).source {
        Source::Fixed(addresses) => addresses.iter().map(ToString::to_string).collect(),
        source => panic!("{text}: {source:?}"),
    }
}

fn error(text: &str) -> String {
    match text.parse::<Target>() {
        Ok(target) => panic!("{target:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn lists_of_addresses_are_taken_with_and_without_a_scheme() {
    for (text, expected) in [
        ("10.0.0.7:50052", &["10.0.0.7:50052"][..]),
        ("http://10.0.0.7:50052/", &["10.0.0.7:50052"]),
        ("[fd00::7]:50052", &["[fd00::7]:50052"]),
        ("quota-0:50052,quota-1:50052", &["quota-0:50052", "quota-1:50052"]),
        ("ipv4:10.0.0.7:50052,10.0.0.8:50052", &["10.0.0.7:50052", "10.0.0.8:50052"]),
        ("ipv6:[fd00::7]:50052,[fd00::8]:50052", &["[fd00::7]:50052", "[fd00::8]:50052"]),
        ("unix:/run/quota.sock", &["unix:/run/quota.sock"]),
        ("unix:///run/a,b.sock", &["unix:/run/a,b.sock"]),
    ] {
        assert_eq!(fixed(text), expected, "{text}");
    }
}

#[test]
fn a_file_is_named_by_an_absolute_path() {
    for text in ["file:///etc/quota.json", "file:/etc/quota.json"] {
        let source = text.parse::<Target>().unwrap().source;
        assert_eq!(source, Source::File("/etc/quota.json".into()));
    }
    for text in ["file:", "file:///", "file:quota.json", "file://host/etc/quota.json"] {
        assert!(error(text).contains("expected file:///path.json"), "{text}");
    }
}

#[tokio::test]
async fn a_list_and_a_file_are_followed_and_the_text_is_kept() {
    let target: Target = "10.0.0.7:50052,10.0.0.8:50052".parse().unwrap();
    assert_eq!(target.as_str(), "10.0.0.7:50052,10.0.0.8:50052");
    let members = target.resolver().unwrap().watch().borrow().members.clone();
    assert_eq!(members.iter().map(|member| member.address.port()).collect::<Vec<_>>(), [50052; 2]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quota.json");
    std::fs::write(&path, r#"{"endpoints": [{"address": "10.0.0.9:50052"}]}"#).unwrap();
    let resolver = format!("file://{}", path.display()).parse::<Target>().unwrap().resolver().unwrap();
    let mut resolutions = resolver.watch();
    let found = resolutions.wait_for(|found| !found.members.is_empty()).await.unwrap();
    assert_eq!(found.members[0].address.to_string(), "10.0.0.9:50052");
}

#[test]
fn what_is_no_target_is_named_with_what_would_be() {
    for (text, said) in [
        ("", "expected host:port"),
        ("quota", "the port is missing"),
        ("quota:50052,", "expected host:port"),
        ("quota:50052,quota-1", "\"quota-1\" is not an address: the port is missing"),
        ("https://quota:50052", "TLS is chosen by the connector"),
        ("xds:///quota", "\"xds:///quota\" has an unknown scheme; expected host:port[,host:port], dns:"),
        ("unix-abstract://quota", "unknown scheme"),
        ("unix:quota.sock", "must be absolute"),
        ("ipv4:10.0.0.7:50052,[fd00::7]:50052", "\"[fd00::7]:50052\" in \"ipv4:"),
        ("ipv4:10.0.0.7", "expected such as ipv4:10.0.0.7:50052"),
        ("ipv6:10.0.0.7:50052", "expected such as ipv6:[fd00::7]:50052"),
        ("ipv4:10.0.0.7:1,10.0.0.7:1", "lists 10.0.0.7:1 twice"),
        ("quota-0:1,http://quota-0:1", "lists quota-0:1 twice"),
    ] {
        assert!(error(text).contains(said), "{text}: {}", error(text));
    }
}

#[cfg(not(feature = "dns"))]
#[test]
fn without_the_feature_dns_the_system_looks_a_bare_name_up_and_the_scheme_asks_for_the_feature() {
    assert_eq!(fixed("quota.mesh:50052"), ["quota.mesh:50052"]);
    for text in ["dns:///quota.mesh:50052", "dns:quota.mesh:50052"] {
        assert!(error(text).contains("needs the feature \"dns\""), "{}", error(text));
    }
}

#[cfg(not(feature = "kubernetes"))]
#[test]
fn without_the_feature_kubernetes_its_scheme_asks_for_the_feature() {
    let error = error("kubernetes:///quota.mesh:grpc");
    assert!(error.contains("needs the feature \"kubernetes\""), "{error}");
}

#[cfg(feature = "dns")]
#[test]
fn a_bare_name_is_asked_of_dns_as_one_with_the_scheme_is() {
    let source = |text: &str| text.parse::<Target>().unwrap().source;
    let expected = source("dns:///quota.mesh:50052");
    assert!(matches!(expected, Source::Dns(_)));
    for text in ["quota.mesh:50052", "http://quota.mesh:50052", "dns:quota.mesh:50052"] {
        assert_eq!(source(text), expected, "{text}");
    }
    assert!(matches!(source("dns:///_grpc._tcp.quota.mesh"), Source::Dns(_)));
    assert!(matches!(source("dns://10.0.0.2:53/quota.mesh:50052"), Source::Dns(_)));
    assert!(error("dns:///quota.mesh").contains("the port is missing"));
}

#[cfg(feature = "kubernetes")]
#[tokio::test]
async fn a_service_of_kubernetes_can_be_followed_only_in_a_pod() {
    let target: Target = "kubernetes:///quota.mesh:grpc".parse().unwrap();
    assert!(matches!(target.source, Source::Kubernetes(_)));
    let error = target.resolver().err().unwrap();
    assert!(error.to_string().contains("kubernetes:///quota.mesh:grpc"), "{error}");
    assert!(matches!(error, TargetError::Cluster { .. }));
    assert!(super::tests::error("kubernetes:///quota:grpc").contains("the namespace is missing"));
}
