//! What a method table reads from descriptors and declarations.

use prost_types::{FileDescriptorProto, MethodOptions, ServiceDescriptorProto};

use super::*;

fn method(name: &str, level: Option<IdempotencyLevel>, streams: (bool, bool)) -> MethodDescriptorProto {
    MethodDescriptorProto {
        name: Some(name.to_owned()),
        options: level
            .map(|level| MethodOptions { idempotency_level: Some(level as i32), ..Default::default() }),
        client_streaming: Some(streams.0),
        server_streaming: Some(streams.1),
        ..Default::default()
    }
}

fn encoded(package: Option<&str>, methods: Vec<MethodDescriptorProto>) -> Vec<u8> {
    let service = ServiceDescriptorProto { name: Some("Shop".to_owned()), method: methods, options: None };
    let file = FileDescriptorProto {
        package: package.map(str::to_owned),
        service: vec![service],
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

fn shop() -> MethodTable {
    let methods = vec![
        method("Get", Some(IdempotencyLevel::NoSideEffects), (false, false)),
        method("Put", Some(IdempotencyLevel::Idempotent), (true, false)),
        method("Buy", Some(IdempotencyLevel::IdempotencyUnknown), (false, false)),
        method("Watch", None, (false, true)),
    ];
    MethodTable::from_descriptors(&encoded(Some("shop.v1"), methods)).unwrap()
}

#[test]
fn the_option_of_the_contract_says_what_may_run_twice() {
    let table = shop();
    for (path, expected) in [("Get", true), ("Put", true), ("Buy", false), ("Watch", false)] {
        assert_eq!(table.get(&format!("/shop.v1.Shop/{path}")).is_idempotent, expected, "{path}");
    }
}

#[test]
fn the_contract_says_what_streams() {
    let table = shop();
    let get = table.get("/shop.v1.Shop/Get");
    assert!(get.is_unary() && !get.is_client_streaming && !get.is_server_streaming);
    let put = table.get("/shop.v1.Shop/Put");
    assert!(put.is_client_streaming && !put.is_server_streaming && !put.is_unary());
    let watch = table.get("/shop.v1.Shop/Watch");
    assert!(watch.is_server_streaming && !watch.is_client_streaming && !watch.is_unary());
}

#[test]
fn a_contract_without_a_package_is_read() {
    let methods = vec![method("Get", Some(IdempotencyLevel::Idempotent), (false, false))];
    let table = MethodTable::from_descriptors(&encoded(None, methods)).unwrap();
    assert!(table.get("/Shop/Get").is_idempotent);
}

#[test]
fn an_unknown_method_gets_the_most_careful_reading() {
    for path in ["/shop.v1.Shop/Other", "/Other/Get", "Get", "/Get", "/", "", "//"] {
        assert_eq!(shop().get(path), MethodInfo::UNKNOWN, "{path:?}");
    }
}

#[test]
fn a_declared_method_is_idempotent_and_keeps_what_the_contract_says_of_it() {
    let before = MethodTable::default().idempotent("/shop.v1.Shop/Buy").unwrap();
    let buy = vec![method("Buy", None, (false, false))];
    let before = before.with_descriptors(&encoded(Some("shop.v1"), buy)).unwrap();
    let after = shop().idempotent("/shop.v1.Shop/Buy").unwrap();
    for table in [before, after] {
        let buy = table.get("/shop.v1.Shop/Buy");
        assert!(buy.is_idempotent && buy.is_unary(), "{buy:?}");
    }
    assert!(!shop().idempotent("/shop.v1.Shop/Buy").unwrap().get("/shop.v1.Shop/Watch").is_idempotent);
}

#[test]
fn a_declared_service_is_idempotent_in_all_its_methods_and_no_other() {
    let table = shop().idempotent("/shop.v1.Shop/*").unwrap();
    for path in ["/shop.v1.Shop/Buy", "/shop.v1.Shop/Watch", "/shop.v1.Shop/NotInTheContract"] {
        assert!(table.get(path).is_idempotent, "{path}");
    }
    assert!(table.get("/shop.v1.Shop/Buy").is_unary());
    for path in ["/shop.v1.Shopping/Buy", "/v1.Shop/Buy", "/shop.v1.Shop"] {
        assert!(!table.get(path).is_idempotent, "{path}");
    }
}

#[test]
fn bytes_that_do_not_decode_are_refused() {
    let error = MethodTable::from_descriptors(b"\xff\xff\xff").unwrap_err();
    assert!(matches!(error, MethodTableError::Descriptors(_)), "{error}");
    assert!(error.to_string().contains("FileDescriptorSet"), "{error}");
}

#[test]
fn a_declaration_that_names_no_method_is_refused_with_the_form() {
    for pattern in ["", "/", "/a", "a/b", "/a/", "//b", "/a/b/c", "/*/b", "/a.*/b", "/a/b*", "/*/*"] {
        let error = MethodTable::default().idempotent(pattern).unwrap_err().to_string();
        assert!(error.contains("expected /pkg.Service/Method"), "{pattern:?}: {error}");
    }
}

#[test]
fn a_table_has_a_limit() {
    let many: Vec<_> = (0..=METHODS_MAX).map(|n| method(&format!("M{n}"), None, (false, false))).collect();
    let error = MethodTable::from_descriptors(&encoded(Some("a"), many)).unwrap_err();
    assert!(matches!(error, MethodTableError::TooMany), "{error}");
}
