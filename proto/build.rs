//! Compiles the contract with protox, so that no protoc is needed.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed=google");
    println!("cargo:rerun-if-changed=plexus");

    let mut files = Vec::new();
    for folder in ["google/api", "google/rpc", "plexus"] {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    // This encoding keeps the options google.api.http and plexus.api.v1.access, which prost's own types
    // would drop, and the comments, from which the OpenAPI document is made.
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;

    tonic_prost_build::configure()
        .bytes(".plexus.ai.v1.TranscribeRequest.audio")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

fn collect(folder: &PathBuf, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
