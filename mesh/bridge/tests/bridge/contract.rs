//! The made-up contract of the tests, and contracts of a few lines.

use std::{path::Path, sync::Arc};

use plexus_bridge::route::{Found, Operation, Table, TableError};
use prost_reflect::DescriptorPool;

/// The folder of the real contract, whose options the made-up one uses.
pub(crate) fn proto() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto")
}

/// library.proto, with comments.
pub(crate) fn library() -> DescriptorPool {
    compile("library.proto", None)
}

/// A contract of one service whose methods and messages `body` holds.
pub(crate) fn small(body: &str) -> DescriptorPool {
    let text =
        format!("syntax = \"proto3\";\npackage small.v1;\nimport \"google/api/annotations.proto\";\n{body}");
    compile("small.proto", Some(text))
}

/// A service with one method per rule; all take and return M, which has fields of every shape of path.
pub(crate) fn routes(rules: &[&str]) -> Result<Table, TableError> {
    let methods: String = rules
        .iter()
        .enumerate()
        .map(|(number, rule)| {
            format!("rpc M{number}(M) returns (M) {{ option (google.api.http) = {{ {rule} }}; }}\n")
        })
        .collect();
    let pool = small(&format!(
        "message M {{ string a = 1; string b = 2; int64 n = 3; repeated string list = 4; M m = 5; }}
         service S {{ {methods} }}"
    ));
    Table::build(&pool, |_| true, &["/docs"])
}

/// The operation that `method` on `path` leads to, with its values.
pub(crate) fn operation(table: &Table, method: &str, path: &str) -> (Arc<Operation>, Vec<String>) {
    let method = http::Method::from_bytes(method.as_bytes()).unwrap();
    match table.find(&method, path) {
        Found::Operation(operation, values) => (operation, values),
        other => panic!("{method} {path} leads to {other:?}"),
    }
}

fn compile(name: &str, text: Option<String>) -> DescriptorPool {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bridge");
    let mut resolver = protox::file::ChainFileResolver::new();
    if let Some(text) = text {
        resolver.add(OneFile(name.to_owned(), text));
    }
    resolver.add(protox::file::IncludeFileResolver::new(folder));
    resolver.add(protox::file::IncludeFileResolver::new(proto()));
    resolver.add(protox::file::GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file(name).unwrap();
    // The types of error details are not imported by a contract, but every pool of the bridge holds them.
    compiler.open_file("google/rpc/error_details.proto").unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

struct OneFile(String, String);

impl protox::file::FileResolver for OneFile {
    fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
        if name == self.0 {
            return protox::file::File::from_source(name, &self.1);
        }
        Err(protox::Error::file_not_found(name))
    }
}
