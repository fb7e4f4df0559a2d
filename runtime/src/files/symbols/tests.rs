//! Names of live processes and of the running kernel.

use super::*;
use crate::files::dwarf::tests::{Scratch, fixture};
use crate::files::symbols::kallsyms::Kallsyms;
use std::process::{Child, Command, Stdio};

/// A child that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The fixture, waiting for input; and the address at which a symbol of it was loaded.
fn start(scratch: &Scratch, flags: &[&str], symbol: &str) -> Option<(Running, u64)> {
    let path = fixture(scratch, flags)?;
    let mut command = Command::new(&path);
    command.arg("wait").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Running(command.spawn().unwrap());
    // It prints a line once it runs.
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.0.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    let elf = crate::files::elf::Elf::open(&path).unwrap();
    let address = elf.symbols_named(symbol)[0].address;
    let offset = elf.offset_of_address(address).unwrap();
    let maps = mappings::read(child.0.id()).unwrap();
    let map = maps.iter().find(|m| m.plain_path() == path.to_str().unwrap()).unwrap();
    Some((child, map.start + (offset - map.offset)))
}

/// Names addresses by a file, whatever it holds.
pub(crate) fn name_all(path: &std::path::Path, addresses: &[u64]) {
    let elf = crate::files::elf::Elf::open(path).ok();
    let Some(mut binary) = elf.map(binary::Binary::of) else { return };
    for &address in addresses {
        let _ =
            (binary.name(address).is_some(), binary.address_of_offset(address), binary.frames(address).len());
    }
}

#[test]
fn addresses_of_a_program_have_names() {
    for flags in [&["-pie"][..], &["-no-pie"], &["-static"]] {
        let scratch = Scratch::new();
        let Some((child, address)) = start(&scratch, flags, "process") else { return };
        let pid = child.0.id();
        let mut names = Symbolizer::new(Options { demangle: true, debug_info: false });
        let sym = names.user(pid, address + 2).unwrap();
        assert_eq!((&*sym.name, sym.offset), ("process", 2), "{flags:?}");
        assert!(sym.module.unwrap().ends_with("/fixture"));
        assert_eq!(names.user(pid, 0x10), None);
        assert!(names.user_source(pid, address + 2).is_empty());
    }
}

#[test]
fn debug_information_adds_lines_and_inlined_calls() {
    let scratch = Scratch::new();
    let Some((child, address)) = start(&scratch, &[], "process") else { return };
    let mut names = Symbolizer::default();
    let mut inlined = 0;
    for offset in 1..60 {
        let frames = names.user_source(child.0.id(), address + offset);
        let last = frames.last().unwrap();
        assert_eq!(last.function.as_deref(), Some("process"));
        assert!(last.file.as_ref().unwrap().ends_with("fixture.c") && last.line > 0, "{last:?}");
        inlined += frames.iter().filter(|f| f.function.as_deref() == Some("accept_packet")).count();
    }
    assert!(inlined > 0);
}

#[test]
fn a_process_that_is_gone_keeps_its_names() {
    let scratch = Scratch::new();
    let Some((child, address)) = start(&scratch, &[], "process") else { return };
    let pid = child.0.id();
    let mut names = Symbolizer::new(Options { demangle: true, debug_info: false });
    names.preload(pid);
    drop(child);
    std::thread::sleep(std::time::Duration::from_millis(250));
    assert_eq!(&*names.user(pid, address + 1).unwrap().name, "process");
    assert_eq!(Symbolizer::default().user(pid, address), None, "nothing was known before");
}

#[test]
fn the_vdso_has_names() {
    let pid = std::process::id();
    let maps = mappings::read(pid).unwrap();
    let Some(vdso) = maps.iter().find(|m| &*m.path == "[vdso]") else { return eprintln!("skipped: no vdso") };
    let mut names = Symbolizer::default();
    let mut found = (vdso.start..vdso.end).step_by(16).filter_map(|a| names.user(pid, a));
    let sym = found.find(|s| s.name.contains("gettime")).expect("clock_gettime");
    assert_eq!(sym.module.as_deref(), Some("[vdso]"));
}

#[test]
fn code_of_a_run_time_compiler_has_names() {
    let pid = std::process::id();
    let page = memmap2::MmapMut::map_anon(4096).unwrap().make_exec().unwrap();
    let address = page.as_ptr() as u64;
    let path = format!("/tmp/perf-{pid}.map");
    std::fs::write(&path, format!("{address:x} 40 jit made\n")).unwrap();
    let sym = Symbolizer::default().user(pid, address + 5).unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!((&*sym.name, sym.offset), ("jit made", 5));
}

#[test]
fn kernel_addresses_have_names() {
    let table = match Kallsyms::load() {
        Ok(table) => table,
        Err(e) => return eprintln!("skipped: {e}"),
    };
    let (address, _) = table.find(None, "vfs_read").unwrap();
    let mut names = Symbolizer::new(Options { demangle: true, debug_info: false });
    let sym = names.kernel(address + 7).unwrap();
    assert_eq!((&*sym.name, sym.offset, sym.module), ("vfs_read", 7, None));
    assert_eq!((names.kernel(0), names.kernel(0x1234)), (None, None));
}
