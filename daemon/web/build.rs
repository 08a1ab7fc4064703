//! Prepares the page for embedding: compresses every file of `webui/` and puts the hash of all of them into the addresses of the
//! assets, so that browsers may cache them for ever.
//!
//! gzip only: browsers accept Brotli only over TLS, which a LAN site does not have.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Files for browsers; scripts, types and checksums in the same folder are for people.
const EXTENSIONS: [&str; 5] = ["html", "css", "js", "svg", "txt"];

fn main() -> io::Result<()> {
    let source = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../webui");
    let target = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("webui");
    println!("cargo::rerun-if-changed={}", source.display());
    println!("cargo::rerun-if-changed=build.rs");

    let mut files = Vec::new();
    collect(&source, &mut files)?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    let mut assets = Vec::new();
    for file in files {
        let content = fs::read(&file)?;
        let name = file.strip_prefix(&source).expect("found under it").to_owned();
        (&name, &content).hash(&mut hasher);
        assets.push((name, content));
    }
    let version = format!("{:016x}", hasher.finish());
    println!("cargo::rustc-env=PERCH_PAGE_VERSION={version}");

    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    for (name, mut content) in assets {
        if name.extension().is_some_and(|extension| extension == "html") {
            let text =
                String::from_utf8(content).map_err(|_| io::Error::other("a page that is not UTF-8"))?;
            content = text.replace("\"assets/", &format!("\"/assets/{version}/")).into_bytes();
        }
        let path = target.join(&name);
        fs::create_dir_all(path.parent().expect("a file is in a folder"))?;
        let mut compressed = GzEncoder::new(Vec::new(), Compression::best());
        compressed.write_all(&content)?;
        fs::write(path.with_added_extension("gz"), compressed.finish()?)?;
        fs::write(path, content)?;
    }
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
        {
            files.push(path);
        }
    }
    Ok(())
}
