//! Separate debug files, whole and of another build.

use super::*;
use crate::files::dwarf::tests::{Scratch, fixture};
use crate::files::dwarf::{Call, UserTypes};
use std::process::Command;
use std::rc::Rc;

/// Runs a tool in the folder; false (and a note) where it is not installed.
fn run(scratch: &Scratch, tool: &str, args: &[&str]) -> bool {
    match Command::new(tool).args(args).current_dir(&scratch.0).status() {
        Ok(status) => {
            assert!(status.success(), "{tool} {args:?}");
            true
        }
        Err(e) => {
            eprintln!("skipped: {tool}: {e}");
            false
        }
    }
}

/// A program whose debug information lies in `fixture.debug`, to which it links.
fn stripped(scratch: &Scratch, flags: &[&str]) -> Option<PathBuf> {
    let path = fixture(scratch, flags)?;
    run(scratch, "objcopy", &["--only-keep-debug", "fixture", "fixture.debug"]);
    run(scratch, "objcopy", &["--strip-all", "--add-gnu-debuglink=fixture.debug", "fixture"]);
    Some(path)
}

#[test]
fn a_debug_link_leads_to_the_separate_file() {
    let scratch = Scratch::new();
    let Some(path) = stripped(&scratch, &[]) else { return };
    let debug = scratch.0.join("fixture.debug");
    let elf = Elf::open(&path).unwrap();
    assert!(!elf.has_debug_info());
    assert_eq!(of_elf(&elf), Some(debug.clone()));
    assert!(DebugInfo::open(&debug).is_ok());
    fs::create_dir(scratch.0.join(".debug")).unwrap();
    let hidden = scratch.0.join(".debug/fixture.debug");
    fs::rename(&debug, &hidden).unwrap();
    assert_eq!(of_elf(&elf), Some(hidden));
    // Whoever owns the program can put anything in that place.
    crate::sys::untrusted::tests::fifo(&debug);
    assert!(search(&elf).is_ok());
    fs::remove_dir_all(scratch.0.join(".debug")).unwrap();
    assert_eq!(search(&elf), Err(vec![format!("{}: it is not a regular file", debug.display())]));
}

#[test]
fn a_file_of_another_build_is_refused() {
    let scratch = Scratch::new();
    let Some(path) = stripped(&scratch, &["-Wl,--build-id=none"]) else { return };
    let debug = scratch.0.join("fixture.debug");
    let mut bytes = fs::read(&debug).unwrap();
    bytes.push(0);
    fs::write(&debug, bytes).unwrap();
    let why = "it is of another build (its checksum is not the one that the program names)";
    assert_eq!(search(&Elf::open(&path).unwrap()), Err(vec![format!("{}: {why}", debug.display())]));
    // Build IDs count before the checksum.
    let Some(path) = stripped(&scratch, &["-Wl,--build-id=0x1111"]) else { return };
    let program = fs::read(&path).unwrap();
    stripped(&scratch, &["-Wl,--build-id=0x2222"]);
    fs::write(&path, program).unwrap();
    let why = "it is of another build (the build IDs differ)";
    assert_eq!(search(&Elf::open(&path).unwrap()), Err(vec![format!("{}: {why}", debug.display())]));
}

/// The parameters of a function, as debug information describes them wherever it lies.
fn parameters(path: &Path) -> Result<String, Error> {
    let info = Rc::new(DebugInfo::open(path)?);
    let address = info.elf().symbols_named("process")[0].address;
    let call = Call::find(&info, address)?.expect("the function is described");
    call.arguments(&UserTypes::default())?;
    Ok(call.listed()?.join(", "))
}

#[test]
fn what_was_split_off_is_found_where_it_was_made_and_beside_the_program() {
    for version in ["-gdwarf-5", "-gdwarf-4"] {
        let (whole, scratch) = (Scratch::new(), Scratch::new());
        let Some(path) = fixture(&whole, &[version]) else { return };
        let expected = parameters(&path).unwrap();
        // The name is relative to where the compiler runs.
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/files/dwarf/fixture.c");
        run(&scratch, "gcc", &["-g", "-O2", version, "-gsplit-dwarf", "-c", source, "-o", "fixture.o"]);
        run(&scratch, "gcc", &["fixture.o", "-o", "fixture"]);
        let path = scratch.0.join("fixture");
        assert_eq!(parameters(&path).unwrap(), expected, "{version}");
        // Inlined calls are named by what was split off.
        let info = DebugInfo::open(&path).unwrap();
        let process = info.elf().symbols_named("process")[0];
        let deepest =
            (0..process.size).map(|at| info.frames(process.address + at).unwrap()).max_by_key(Vec::len);
        let deepest = deepest.unwrap();
        assert!(deepest.len() >= 3, "{deepest:?}");
        for frame in &deepest {
            assert!(frame.file.as_deref().unwrap().ends_with("dwarf/fixture.c"), "{frame:?}");
        }
        let moved = Scratch::new();
        let package = ["-e", "fixture", "-o", "fixture.dwp"];
        // That of binutils knows no other version.
        if version == "-gdwarf-4" && run(&scratch, "dwp", &package) {
            fs::copy(&path, moved.0.join("fixture")).unwrap();
            fs::rename(scratch.0.join("fixture.dwp"), moved.0.join("fixture.dwp")).unwrap();
            fs::rename(scratch.0.join("fixture.dwo"), scratch.0.join("hidden")).unwrap();
            assert_eq!(parameters(&moved.0.join("fixture")).unwrap(), expected, "{version}");
            fs::rename(scratch.0.join("hidden"), scratch.0.join("fixture.dwo")).unwrap();
            fs::remove_file(moved.0.join("fixture.dwp")).unwrap();
        }
        for name in ["fixture", "fixture.dwo"] {
            fs::rename(scratch.0.join(name), moved.0.join(name)).unwrap();
        }
        assert_eq!(parameters(&moved.0.join("fixture")).unwrap(), expected, "{version}");
        // What belongs to another source file is not taken for it, and what is not there is named.
        let other = Scratch::new();
        run(&other, "gcc", &["-g", "-O0", version, "-gsplit-dwarf", "-c", source, "-o", "fixture.o"]);
        fs::copy(other.0.join("fixture.dwo"), moved.0.join("fixture.dwo")).unwrap();
        let error = parameters(&moved.0.join("fixture")).unwrap_err().to_string();
        assert!(error.ends_with("fixture.dwo: it is of another build (the IDs differ)"), "{error}");
    }
}

#[test]
fn what_dwz_put_together_is_looked_up() {
    let (plain, scratch) = (Scratch::new(), Scratch::new());
    let Some(path) = fixture(&plain, &[]) else { return };
    let expected = parameters(&path).unwrap();
    let one = fixture(&scratch, &[]).unwrap();
    fs::copy(&one, scratch.0.join("two")).unwrap();
    if !run(&scratch, "dwz", &["-m", "common", "fixture", "two"]) {
        return;
    }
    assert!(Elf::open(&one).unwrap().shared_link().is_some(), "dwz moved nothing");
    assert_eq!(parameters(&one).unwrap(), expected);
    // Another file in that place is not taken for it.
    fs::copy(&path, scratch.0.join("common")).unwrap();
    let error = parameters(&one).unwrap_err().to_string();
    assert!(error.contains("shares with other files (dwz) is not at hand"), "{error}");
}
