//! Generates the bindings from the Web IDL files of `script_bindings`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};

use script_bindings::{Source, generate};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script things in variables"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let folder = manifest.join("../script_bindings/webidls");
    let files = read(&folder)?;
    let sources: Vec<Source<'_>> = files
        .iter()
        .map(|(name, text)| Source { name, text })
        .collect();
    fs::write(out.join("bindings.rs"), generate(&sources)?)?;
    println!("cargo::rerun-if-changed={}", folder.display());
    Ok(())
}

/// The Web IDL files of a folder, by name, so that the output does not depend on the file system.
fn read(folder: &Path) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "webidl")
        {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            files.push((name, fs::read_to_string(&path)?));
        }
    }
    files.sort();
    Ok(files)
}
