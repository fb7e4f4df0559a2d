//! The reader against binutils' addr2line, instruction by instruction.

use super::*;
use crate::files::instructions;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that is removed at the end of the test.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rbtrace-dwarf-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Compiles the fixture; `None` (and a note) where there is no C compiler.
pub(crate) fn fixture(scratch: &Scratch, flags: &[&str]) -> Option<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/files/dwarf/fixture.c");
    let out = scratch.0.join("fixture");
    let status = Command::new("gcc").args(["-g", "-O2"]).args(flags).arg(source).arg("-o").arg(&out).status();
    match status {
        Ok(status) => {
            assert!(status.success(), "gcc {flags:?} failed");
            Some(out)
        }
        Err(e) => {
            eprintln!("skipped: gcc: {e}");
            None
        }
    }
}

/// What `addr2line -i -f -a` says, an address at a time, without discriminators.
pub(crate) fn addr2line(file: &Path, addresses: &[u64]) -> Option<Vec<String>> {
    let mut child = Command::new("addr2line")
        .args(["-i", "-f", "-a", "-e"])
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| eprintln!("skipped: addr2line: {e}"))
        .ok()?;
    let mut input = child.stdin.take().unwrap();
    let lines: String = addresses.iter().map(|a| format!("{a:#x}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut answers: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with("0x") {
            answers.push(String::new());
        } else {
            let plain = line.split(" (discriminator").next().unwrap();
            let _ = writeln!(answers.last_mut().unwrap(), "{plain}");
        }
    }
    Some(answers)
}

fn ours(info: &DebugInfo, address: u64) -> String {
    let mut text = String::new();
    for frame in info.frames(address).unwrap() {
        let line = if frame.line == 0 { "?".into() } else { frame.line.to_string() };
        let name = frame.function.as_deref().unwrap_or("??");
        let _ = writeln!(text, "{name}\n{}:{line}", frame.file.as_deref().unwrap_or("??"));
    }
    text
}

/// Compares each instruction of a function; returns how many there were and the longest chain.
fn compare(info: &DebugInfo, name: &str) -> Option<(usize, usize)> {
    let symbol = *info.elf().symbols_named(name).first().unwrap_or_else(|| panic!("no symbol {name}"));
    let code = info.elf().code(symbol.address, symbol.size).unwrap();
    let addresses: Vec<u64> = instructions::decode(code, symbol.address).iter().map(|i| i.address).collect();
    let theirs = addr2line(info.elf().path(), &addresses)?;
    assert_eq!(theirs.len(), addresses.len());
    let mut longest = 0;
    for (address, theirs) in addresses.iter().zip(&theirs) {
        let ours = ours(info, *address);
        assert_eq!(&ours, theirs, "{name}+{}", address - symbol.address);
        longest = longest.max(ours.lines().count() / 2);
    }
    Some((addresses.len(), longest))
}

#[test]
fn frames_are_those_of_addr2line() {
    for flags in [&["-gdwarf-5"][..], &["-gdwarf-4"], &["-no-pie"], &["-O3"], &["-O0"], &["-gz"]] {
        let scratch = Scratch::new();
        let Some(path) = fixture(&scratch, flags) else { return };
        let info = DebugInfo::open(&path).unwrap();
        for name in ["process", "apart", "main", "complain"] {
            let Some((count, longest)) = compare(&info, name) else { return };
            assert!(count > 2, "{name} {flags:?}");
            if name == "process" && flags != ["-O0"] {
                assert!(longest >= 3, "no inlining in {flags:?}");
            }
        }
    }
}

#[test]
fn a_relocatable_file_is_relocated() {
    let scratch = Scratch::new();
    let Some(path) = fixture(&scratch, &["-c"]) else { return };
    let info = DebugInfo::open(&path).unwrap();
    for name in ["process", "apart", "main", "complain"] {
        let symbol = info.elf().symbols_named(name)[0];
        let frames = info.frames(symbol.address).unwrap();
        assert_eq!(frames.last().unwrap().function.as_deref(), Some(name));
        assert!(frames[0].file.as_deref().unwrap().ends_with("dwarf/fixture.c"), "{frames:?}");
        let other = info.frames(symbol.address + symbol.size - 1).unwrap();
        assert_eq!(other.last().unwrap().function.as_deref(), Some(name));
        assert_ne!(frames, other, "{name} has several lines");
    }
}

#[test]
fn a_file_without_debug_info_says_so() {
    let scratch = Scratch::new();
    let Some(path) = fixture(&scratch, &["-s"]) else { return };
    let error = DebugInfo::open(&path).unwrap_err().to_string();
    assert!(error.ends_with("has no debug information (.debug_info)"), "{error}");
    let error = DebugInfo::open(Path::new("/proc/version")).unwrap_err().to_string();
    assert!(error.contains("/proc/version"), "{error}");
}

/// The number of the fixture's line that holds this text.
fn line_of(text: &str) -> u32 {
    let lines = include_str!("fixture.c").lines();
    lines.into_iter().position(|l| l.contains(text)).expect("the fixture has the line") as u32 + 1
}

fn places(info: &DebugInfo, function: Option<&str>, line: u32) -> Vec<LinePlace> {
    info.source_line(function, LineQuery { file: "dwarf/fixture.c", line, column: None }).unwrap()
}

#[test]
fn a_line_is_found_in_each_inlined_copy() {
    let scratch = Scratch::new();
    let Some(path) = fixture(&scratch, &[]) else { return };
    let info = DebugInfo::open(&path).unwrap();
    let line = line_of("sum += p->data");
    let found = places(&info, Some("process"), line);
    let process = info.elf().symbols_named("process")[0];
    let function = info.function_at(process.address).unwrap().unwrap();
    let mut copies = std::collections::BTreeSet::new();
    for place in &found {
        let frames = info.frames(place.address).unwrap();
        assert_eq!((frames[0].line, frames[0].function.as_deref()), (line, Some("checksum")));
        assert_eq!(place.address - place.offset, process.address);
        assert_eq!(place.symbol, "process");
        copies.insert(function.innermost_at(place.address));
    }
    assert_eq!(copies.len(), 3, "checksum is inlined three times: {found:?}");
    let everywhere = places(&info, None, line);
    assert_eq!(everywhere, found);
}

/// A statement without an instruction of its own counts too: the end of a copy is where it stands.
#[test]
fn a_statement_that_was_moved_is_found_in_each_copy() {
    let scratch = Scratch::new();
    let Some(path) = fixture(&scratch, &[]) else { return };
    let info = DebugInfo::open(&path).unwrap();
    let found = places(&info, Some("process"), line_of("return sum ^ p->kind"));
    assert!(found.len() >= 3, "{found:?}");
    let returns = places(&info, Some("process"), line_of("return first + checksum"));
    assert!(!returns.is_empty());
}

#[test]
fn a_column_narrows_the_places() {
    let scratch = Scratch::new();
    let Some(path) = fixture(&scratch, &[]) else { return };
    let info = DebugInfo::open(&path).unwrap();
    let line = line_of("sum += p->data");
    let column = info.frames(places(&info, Some("process"), line)[0].address).unwrap()[0].column;
    let query = |column| LineQuery { file: "fixture.c", line, column: Some(column) };
    assert!(!info.source_line(Some("process"), query(column)).unwrap().is_empty());
    let error = info.source_line(Some("process"), query(77)).unwrap_err().to_string();
    assert_eq!(error, format!("there is no code on fixture.c:{line}:77 in process"));
}

#[test]
fn a_line_that_is_not_found_says_what_is_near() {
    let scratch = Scratch::new();
    let Some(path) = fixture(&scratch, &[]) else { return };
    let info = DebugInfo::open(&path).unwrap();
    let ask = |function, file, line| {
        let error = info.source_line(function, LineQuery { file, line, column: None }).unwrap_err();
        let (Error::Missing { message, hint } | Error::NoSourceFile { message, hint }) = error else {
            panic!("{error:?}")
        };
        (message, hint.unwrap_or_default())
    };
    let (message, hint) = ask(None, "fixture.c", 3);
    assert_eq!(message, "there is no code on fixture.c:3");
    assert_eq!(hint, format!("the nearest lines with code: fixture.c:{}", line_of("int checksum")));
    let (message, hint) = ask(None, "fixtrue.c", 3);
    assert_eq!(
        (message.as_str(), hint.as_str()),
        ("there is no source file fixtrue.c", "did you mean fixture.c?")
    );
    let (message, hint) = ask(None, "elsewhere/fixture.c", 3);
    assert_eq!(message, "there is no source file elsewhere/fixture.c");
    assert!(hint.starts_with("files of this name: ") && hint.ends_with("dwarf/fixture.c"), "{hint}");
    let (message, hint) = ask(Some("proces"), "fixture.c", 3);
    assert!(message.starts_with("there is no function proces with source lines in "), "{message}");
    assert!(hint.starts_with("did you mean process"), "{hint}");
}

/// Every byte of the headers and a sample of all others, changed one at a time; and cut files.
#[test]
fn damage_gives_errors_and_no_panic() {
    let scratch = Scratch::new();
    let Some(path) = fixture(&scratch, &[]) else { return };
    let good = std::fs::read(&path).unwrap();
    let addresses: Vec<u64> = {
        let elf = Elf::open(&path).unwrap();
        ["process", "main"].iter().map(|n| elf.symbols_named(n)[0].address + 8).collect()
    };
    let bad = scratch.0.join("bad");
    let attempt = |bytes: &[u8]| {
        std::fs::write(&bad, bytes).unwrap();
        walk(&bad, &addresses);
        let Ok(info) = DebugInfo::open(&bad) else { return };
        for &address in &addresses {
            let _ = info.frames(address);
            let _ = info.elf().code(address, 64);
        }
        let query = LineQuery { file: "fixture.c", line: line_of("sum += p->data"), column: None };
        for function in [None, Some("process")] {
            let _ = info.source_line(function, query);
        }
    };
    for length in (0..good.len()).step_by(good.len() / 60) {
        attempt(&good[..length]);
    }
    let mut bytes = good.clone();
    let mut seed = 0x9e37_79b9_u32;
    for _ in 0..1500 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = (seed >> 7) as usize % bytes.len();
        bytes[at] ^= (seed >> 24) as u8 | 1;
        attempt(&bytes);
        bytes[at] = good[at];
    }
}

/// All that is asked of a program's file without its debug information.
fn walk(path: &Path, addresses: &[u64]) {
    crate::files::symbols::tests::name_all(path, addresses);
    let Ok(elf) = Elf::open(path) else { return };
    let _ = (elf.symbols().count(), elf.dynamic_symbols().count(), elf.symbols_named("main"));
    let _ = (elf.build_id(), elf.debug_link(), elf.names_of(addresses));
    crate::files::unwind::tests::read_all(&elf);
    let _ = elf.static_probes().map(|probes| probes.len());
    let _ = crate::files::debuginfo::of_elf(&elf);
    for &address in addresses {
        let _ = (elf.code(address, u64::MAX), elf.section_at(address));
        let _ = (elf.address_of_offset(address), elf.offset_of_address(address));
    }
}

/// Fields of headers, symbols and debug information set to numbers that overflow, reach behind the end or
/// claim much: whatever the file says, reading it ends, and soon.
#[test]
fn absurd_numbers_give_errors_and_no_panic() {
    let scratch = Scratch::new();
    let Some(path) = fixture(&scratch, &["-gz"]) else { return };
    let good = std::fs::read(&path).unwrap();
    let addresses = [0, 1, 0x1130, good.len() as u64, u64::MAX];
    let bad = scratch.0.join("bad");
    let headers = good.len() - 64 * 48;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for round in 0..1500 {
        let mut bytes = good.clone();
        for _ in 0..=next(3) {
            // The program's headers, the sections' headers, anywhere.
            let at =
                [next(64 + 56 * 14), headers + next(good.len() - headers), next(good.len())][round % 3] & !3;
            let value: u64 = [0, 1, u64::MAX, i64::MAX as u64, 1 << 40, good.len() as u64 - 1][next(6)];
            let width = [1, 2, 4, 8][next(4)].min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        }
        std::fs::write(&bad, &bytes).unwrap();
        let start = std::time::Instant::now();
        walk(&bad, &addresses);
        if let Ok(info) = DebugInfo::open(&bad) {
            for &address in &addresses {
                let _ = info.frames(address);
            }
            let query = LineQuery { file: "fixture.c", line: 20, column: None };
            let _ = (info.source_line(None, query), info.source_line(Some("process"), query));
        }
        assert!(start.elapsed().as_secs() < 5, "round {round} took {:?}", start.elapsed());
    }
}

/// A few bytes may claim to unpack to any number.
#[test]
fn a_packed_section_does_not_fill_the_memory() {
    let scratch = Scratch::new();
    let Some(path) = fixture(&scratch, &["-gz"]) else { return };
    let mut bytes = std::fs::read(&path).unwrap();
    let (at, size) = {
        use object::{Object as _, ObjectSection as _};
        let file = object::File::parse(&*bytes).unwrap();
        let section = file.section_by_name(".debug_info").unwrap();
        (section.file_range().unwrap().0 as usize, section.compressed_data().unwrap().uncompressed_size)
    };
    // `ch_size` of Elf64_Chdr.
    assert_eq!(bytes[at + 8..at + 16], size.to_le_bytes());
    bytes[at + 8..at + 16].copy_from_slice(&(1u64 << 40).to_le_bytes());
    let bad = scratch.0.join("bad");
    std::fs::write(&bad, bytes).unwrap();
    let error = DebugInfo::open(&bad).unwrap_err().to_string();
    assert!(error.ends_with("section .debug_info: it unpacks to 1099511627776 bytes"), "{error}");
}

/// Units may be kept longer than the file that they are of.
#[test]
fn a_unit_outlives_its_file() {
    let scratch = Scratch::new();
    let Some(path) = fixture(&scratch, &["-gz"]) else { return };
    let info = DebugInfo::open(&path).unwrap();
    let unit = info.unit_at(info.elf().symbols_named("process")[0].address).unwrap().unwrap();
    drop(info);
    assert!(unit.name().unwrap().ends_with("fixture.c"), "{:?}", unit.name());
}

/// Needs a kernel image with debug information named by `RBTRACE_VMLINUX`.
#[test]
#[ignore = "needs RBTRACE_VMLINUX, a kernel image with debug information"]
fn kernel_frames_are_those_of_addr2line() {
    let path = std::env::var_os("RBTRACE_VMLINUX").expect("RBTRACE_VMLINUX is set");
    let info = DebugInfo::open(Path::new(&path)).unwrap();
    for name in
        ["arp_process", "ip_rcv_core", "tcp_v4_rcv", "fib_validate_source", "vfs_read", "do_sys_openat2"]
    {
        let (count, longest) = compare(&info, name).expect("addr2line is installed");
        println!("{name}: {count} instructions, up to {longest} frames");
    }
}
