//! Compiles the proto files with protox (no protoc needed) into Rust code and a descriptor set for gRPC reflection.

use std::{env, fs, path::PathBuf};

use prost::Message as _;

const FILES: [&str; 9] = [
    "nodegrace/v1/node.proto",
    "nodegrace/v1/ingest.proto",
    "nodegrace/v1/cause.proto",
    "nodegrace/v1/endpoint.proto",
    "nodegrace/v1/query.proto",
    "nodegrace/store/v1/flip.proto",
    "nodegrace/store/v1/log.proto",
    "nodegrace/store/v1/snapshot.proto",
    "runtime/v1/cri.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let public = protox::compile(&FILES[..5], ["."])?;
    fs::write(out.join("nodegrace.v1.bin"), public.encode_to_vec())?;
    // Messages know their names: JSON finds its descriptors by them.
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .codec_path("crate::codec::SmallBuffers")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
