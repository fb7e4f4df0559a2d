//! Embeds `scripts/*.bt`: writes a table of their names and texts.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=scripts");
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let mut paths: Vec<_> = match fs::read_dir(Path::new(&root).join("scripts")) {
        Ok(entries) => entries.flatten().map(|e| e.path()).collect(),
        Err(_) => Vec::new(),
    };
    paths.retain(|p| p.extension().is_some_and(|e| e == "bt"));
    paths.sort();
    let mut table =
        String::from("/// All bundled scripts, by name.\npub(crate) const SCRIPTS: &[Script] = &[\n");
    for path in &paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        table +=
            &format!("    Script {{ name: {name:?}, text: include_str!({:?}) }},\n", path.to_string_lossy());
    }
    table += "];\n";
    fs::write(Path::new(&out).join("scripts.rs"), table)
}
