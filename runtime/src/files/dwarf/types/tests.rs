//! The program of the end-to-end cases, whole and damaged.

use super::*;
use crate::files::dwarf::Call;
use crate::files::dwarf::tests::Scratch;
use crate::files::elf::Elf;
use object::{Object as _, ObjectSection as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Compiles the program; `None` (and a note) where there is no C compiler.
fn typed(scratch: &Scratch, flags: &[&str]) -> Option<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/programs/typed.c");
    let out = scratch.0.join("typed");
    match Command::new("gcc")
        .args(["-g", "-O1", "-fno-inline"])
        .args(flags)
        .arg(source)
        .arg("-o")
        .arg(&out)
        .status()
    {
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

/// All that is asked about a function, its arguments and types; what they are.
fn ask(info: &Rc<DebugInfo>, address: u64) -> Result<String, Error> {
    let types = UserTypes::default();
    let Some(call) = Call::find(info, address)? else { return Ok(String::new()) };
    let mut text = call.listed()?.join(", ");
    for argument in call.arguments(&types)? {
        let at = argument.at.map_or_else(|why| why.to_string(), |at| at.to_string());
        text += &format!("\n{} {} {at}", argument.name, argument.ty);
        text += &look_into(&types, &argument.ty, 0);
    }
    for name in [
        TypeName::Struct("order"),
        TypeName::Union("either"),
        TypeName::Enum("colour"),
        TypeName::Plain("sized_t"),
    ] {
        text += &types.find(info, name)?.map_or_else(String::new, |ty| format!("\n{ty}"));
    }
    Ok(text)
}

fn look_into(types: &UserTypes, ty: &Type, depth: u32) -> String {
    match ty {
        Type::Ptr { to, .. } | Type::Array { elem: to, .. } if depth < 4 => look_into(types, to, depth + 1),
        Type::Struct(s) if depth < 4 => {
            let full = types.resolve(s);
            let Some(Ok(fields)) = types.members(full.as_ref().unwrap_or(s)) else { return String::new() };
            let field = |f: &Field| {
                format!("\n  {} {} {} {:?}", f.name, f.ty, f.offset, f.bits)
                    + &look_into(types, &f.ty, depth + 1)
            };
            fields.iter().take(64).map(field).collect()
        }
        _ => String::new(),
    }
}

fn open(path: &Path) -> Result<Rc<DebugInfo>, Error> {
    DebugInfo::open(path).map(Rc::new)
}

#[test]
fn every_version_of_dwarf_says_the_same() {
    let mut answers = vec![];
    for flags in [
        &["-gdwarf-5"][..],
        &["-gdwarf-4"],
        &["-gdwarf-3", "-gstrict-dwarf"],
        &["-gz"],
        &["-fdebug-types-section"],
    ] {
        let scratch = Scratch::new();
        let Some(path) = typed(&scratch, flags) else { return };
        let info = open(&path).unwrap();
        let ask = |name| ask(&info, info.elf().symbols_named(name)[0].address).unwrap();
        answers.push(["whole", "many", "by_value"].map(ask).join("\n"));
    }
    assert!(answers[0].contains("\n  delta int32 4 Some(Bits { shift: 1, width: 5 })"), "{}", answers[0]);
    assert!(answers[0].contains("pair struct pair arg0+arg1"), "{}", answers[0]);
    for other in &answers[1..] {
        assert_eq!(other, &answers[0]);
    }
}

/// Bytes of the debug information changed, one or a few at a time.
#[test]
fn damage_gives_an_error_or_an_answer() {
    let scratch = Scratch::new();
    let Some(path) = typed(&scratch, &[]) else { return };
    let good = std::fs::read(&path).unwrap();
    let names = ["whole", "many", "by_value", "floats", "give", "optimised"];
    let addresses: Vec<u64> = {
        let elf = Elf::open(&path).unwrap();
        names.iter().map(|n| elf.symbols_named(n)[0].address).collect()
    };
    let sections: Vec<(usize, usize)> = {
        let file = object::File::parse(&*good).unwrap();
        let place = |name| file.section_by_name(name).and_then(|s| s.file_range());
        let places =
            [".debug_info", ".debug_abbrev", ".debug_loclists", ".debug_str"].into_iter().filter_map(place);
        places.map(|(at, size)| (at as usize, size as usize)).collect()
    };
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let bad = scratch.0.join("bad");
    let (mut answers, mut errors) = (0, 0);
    for round in 0..500 {
        let mut bytes = good.clone();
        for _ in 0..=next(3) {
            let (start, size) = sections[next(sections.len())];
            bytes[start + next(size)] = [0, 1, 0x7f, 0x80, 0xff, next(256) as u8][next(6)];
        }
        std::fs::write(&bad, &bytes).unwrap();
        let start = Instant::now();
        let Ok(info) = open(&bad) else { continue };
        for &address in &addresses {
            match ask(&info, address) {
                Ok(_) => answers += 1,
                Err(_) => errors += 1,
            }
        }
        assert!(start.elapsed().as_secs() < 5, "round {round} took {:?}", start.elapsed());
    }
    assert!(answers > 100 && errors > 100, "{answers} answers, {errors} errors");
}
