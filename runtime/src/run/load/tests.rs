//! Loading, and what is said when the kernel refuses.

use super::*;
use crate::kernel::LiveKernel;
use crate::kernel::system::LiveSystem;
use rbtrace_codegen::driver;
use rbtrace_lang::{Options, Source};

/// Compiles for this machine; `None`, and a note, where programs cannot be loaded.
fn compiled(text: &str) -> Option<Object> {
    if let Err(refused) = crate::kernel::privileges::check() {
        eprintln!("skipped: {}", refused.message);
        return None;
    }
    let (system, kernel) = (LiveSystem::new(), LiveKernel::default());
    driver::compile(Source::new("t", text), &Options::default(), &system, &kernel).object
}

fn load(object: &Object) -> Result<Loaded, Diagnostic> {
    let maps = create_maps(object)?;
    Loader::new(object, &maps).load(&object.programs[0], 0).map_err(|refusal| refusal.why)
}

/// `dst = src`, with `src` never set.
const UNSET: u64 = 0x90bf;

#[test]
fn a_refused_callback_is_named() {
    let text = "BEGIN { for ($i : 0..5000) { if (rand % 3 == 1) { @[$i] = $i; } } }";
    let Some(mut object) = compiled(text) else { return };
    let program = &mut object.programs[0];
    let start = program.func_info.get(1).expect("the loop's body is a callback").0 as usize;
    program.insns[start] = UNSET;
    let error = load(&object).unwrap_err();
    assert!(error.hints[0].contains("R9 !read_ok"), "{error:?}");
    assert_eq!(error.span, Some(object.programs[0].spans[start]), "{error:?}");
}

#[test]
fn a_program_without_its_btf_is_known() {
    let Some(mut object) = compiled("BEGIN { print(1); }") else { return };
    assert!(load(&object).unwrap().without_btf.is_none());
    object.programs[0].func_info[0].1 = 9999;
    let why = load(&object).unwrap().without_btf.expect("the type does not exist");
    assert_eq!(why.raw_os_error(), Some(libc::EINVAL));
    object.btf.truncate(30);
    assert!(load(&object).unwrap().without_btf.is_some());
}

#[test]
fn the_last_instruction_of_a_log_is_found() {
    assert_eq!(instruction("12: (79) r1 = *(u64 *)(r1 +0)"), Some(12));
    assert_eq!(instruction("R1 invalid mem access 'scalar'"), None);
    assert_eq!(instruction("; hello: (world"), None);
}

#[test]
fn storage_types_name_their_size() {
    let btf = storage_btf(24);
    assert_eq!(btf.len(), 24 + 56 + 10);
    assert_eq!(btf[24 + 52..24 + 56], [24, 0, 0, 0]);
}
