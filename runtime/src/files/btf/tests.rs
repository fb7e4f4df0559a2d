//! A hand-made blob for the odd cases, the running kernel's for the rest.

use super::*;
use expect_test::{Expect, expect};
use rbtrace_lang::types::{Field, StructKind, StructType, Type};
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::rc::Rc;

/// Writes BTF type by type.
#[derive(Default)]
struct Maker {
    types: Vec<u8>,
    strings: Vec<u8>,
}

impl Maker {
    fn new() -> Maker {
        Maker { types: vec![], strings: vec![0] }
    }

    fn name(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend(text.bytes());
        self.strings.push(0);
        at
    }

    fn ty(&mut self, name: &str, kind: KindTag, n: u32, flag: bool, size: u32, tail: &[u32]) {
        let name = self.name(name);
        let info = (kind as u32) << 24 | n | u32::from(flag) << 31;
        for word in [name, info, size].iter().chain(tail) {
            self.types.extend(word.to_le_bytes());
        }
    }

    fn int(&mut self, name: &str, size: u32, signed: bool) {
        self.ty(name, KindTag::Int, 0, false, size, &[(u32::from(signed) << 24) | (size * 8)]);
    }

    fn bytes(&self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut out = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, types, types, strings] {
            out.extend(word.to_le_bytes());
        }
        [out, self.types.clone(), self.strings.clone()].concat()
    }

    /// As a file, opened.
    fn types(&self) -> KernelTypes {
        in_file(&self.bytes(), |file| {
            let types = KernelTypes::from_file(file);
            types.vmlinux().expect("BTF");
            types
        })
    }
}

/// Does something with a file of these bytes.
fn in_file<T>(bytes: &[u8], f: impl FnOnce(&Path) -> T) -> T {
    let path = std::env::temp_dir().join(format!("rbtrace-btf-{}-{:p}", std::process::id(), bytes));
    std::fs::write(&path, bytes).expect("a file");
    let made = f(&path);
    std::fs::remove_file(&path).expect("the file");
    made
}

fn show(fields: &[Field]) -> String {
    let mut out = String::new();
    for f in fields {
        let bits = f.bits.map_or(String::new(), |b| format!(" bits {}+{}", b.shift, b.width));
        let _ = writeln!(out, "{} {}: {}{bits}", f.offset, f.name, f.ty);
    }
    out
}

fn check_struct(maker: &Maker, name: &str, expected: &Expect) -> Rc<StructType> {
    let types = maker.types();
    let id = types.find(None, KindTag::Struct, name).expect("BTF").expect("the struct");
    let ty = types.struct_type(id).expect("the struct");
    expected.assert_eq(&show(&types.members(id).expect("members")));
    ty
}

#[test]
fn bit_fields_lie_in_their_storage_unit() {
    let mut m = Maker::new();
    m.int("unsigned int", 4, false);
    m.int("unsigned char", 1, false);
    let bits = |offset: u32, width: u32| width << 24 | offset;
    let names: Vec<u32> = ["a", "b", "c", "d"].iter().map(|n| m.name(n)).collect();
    let tail = [
        [names[0], 1, bits(0, 3)],
        [names[1], 1, bits(30, 2)],
        [names[2], 2, bits(37, 1)],
        [names[3], 1, bits(64, 0)],
    ];
    m.ty("s", KindTag::Struct, 4, true, 12, &tail.concat());
    let ty = check_struct(
        &m,
        "s",
        &expect![[r#"
            0 a: uint32 bits 0+3
            0 b: uint32 bits 30+2
            4 c: uint8 bits 5+1
            8 d: uint32
        "#]],
    );
    assert_eq!((ty.size, ty.align), (12, 4));
}

#[test]
fn a_packed_bit_field_that_straddles_is_covered() {
    let mut m = Maker::new();
    m.int("unsigned int", 4, false);
    let (a, b) = (m.name("a"), m.name("b"));
    m.ty("s", KindTag::Struct, 2, true, 5, &[a, 1, 28 << 24, b, 1, 8 << 24 | 28]);
    let ty = check_struct(
        &m,
        "s",
        &expect![[r#"
            0 a: uint32 bits 0+28
            3 b: uint16 bits 4+8
        "#]],
    );
    assert_eq!(ty.align, 1);
}

#[test]
fn old_blobs_put_bit_fields_into_integers() {
    let mut m = Maker::new();
    // BTF_INT_OFFSET 0, BTF_INT_BITS 3 of an integer of 4 bytes.
    m.ty("unsigned int", KindTag::Int, 0, false, 4, &[3]);
    let a = m.name("a");
    m.ty("s", KindTag::Struct, 1, false, 4, &[a, 1, 5]);
    check_struct(&m, "s", &expect![["0 a: uint32 bits 5+3\n"]]);
}

#[test]
fn chains_arrays_and_anonymous_types() {
    let mut m = Maker::new();
    m.int("char", 1, true); // 1
    m.ty("", KindTag::Array, 0, false, 0, &[1, 1, 16]); // 2
    m.ty("", KindTag::Const, 0, false, 1, &[]); // 3
    m.ty("", KindTag::Ptr, 0, false, 3, &[]); // 4
    let counter = m.name("counter");
    m.int("int", 4, true); // 5
    m.ty("", KindTag::Struct, 1, false, 4, &[counter, 5, 0]); // 6
    m.ty("atomic_t", KindTag::Typedef, 0, false, 6, &[]); // 7
    m.ty("later", KindTag::Fwd, 0, false, 0, &[]); // 8
    m.ty("", KindTag::Ptr, 0, false, 8, &[]); // 9
    m.ty("user", KindTag::TypeTag, 0, false, 1, &[]); // 10
    m.ty("", KindTag::Ptr, 0, false, 10, &[]); // 11
    m.ty("", KindTag::FuncProto, 1, false, 0, &[0, 5]); // 12
    m.ty("", KindTag::Ptr, 0, false, 12, &[]); // 13
    let names: Vec<u32> = ["comm", "text", "refs", "next", "buf", "call"].iter().map(|n| m.name(n)).collect();
    let of = [2, 4, 7, 9, 11, 13];
    let at = [0, 128, 192, 256, 320, 384];
    let tail: Vec<u32> = (0..6).flat_map(|i| [names[i], of[i], at[i]]).collect();
    m.ty("s", KindTag::Struct, 6, false, 56, &tail);
    check_struct(
        &m,
        "s",
        &expect![[r#"
            0 comm: string[16]
            16 text: int8 *
            24 refs: struct atomic_t
            32 next: struct later *
            40 buf: int8 *
            48 call: void *
        "#]],
    );
    let types = m.types();
    let id = types.find(None, KindTag::Struct, "s").unwrap().unwrap();
    expect![[r#"
        struct s {
        	char comm[16];
        	const char *text;
        	atomic_t refs;
        	struct later *next;
        	char *buf;
        	void (*call)(int);
        };"#]]
    .assert_eq(&types.definition(id).unwrap());
}

#[test]
fn enums_of_both_widths() {
    let mut m = Maker::new();
    let (low, high) = (m.name("LOW"), m.name("HIGH"));
    m.ty("small", KindTag::Enum, 2, true, 4, &[low, u32::MAX, high, 7]);
    let big = m.name("BIG");
    m.ty("wide", KindTag::Enum64, 1, false, 8, &[big, 1, 0x80]);
    let types = m.types();
    let (id, value) = types.find_enum_constant("LOW").unwrap().unwrap();
    assert_eq!((value, &*types.enum_type(id).unwrap().name), (-1, "small"));
    let (id, value) = types.find_enum_constant("BIG").unwrap().unwrap();
    assert_eq!((value, types.enum_type(id).unwrap().size), (0x80_0000_0001, 8));
    assert_eq!(types.find_enum_constant("NONE").unwrap(), None);
}

#[test]
fn broken_blobs_are_refused() {
    let mut m = Maker::new();
    m.int("int", 4, true);
    let sound = m.bytes();
    assert!(Btf::from_bytes(sound.clone(), None).is_ok());
    for cut in 0..sound.len() {
        let _ = Btf::from_bytes(sound[..cut].to_vec(), None);
    }
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 0xff;
        if let Ok(btf) = Btf::from_bytes(bytes, None) {
            assert!(btf.ty(1).is_none_or(|t| t.name().len() < 8));
            assert!(btf.find(KindTag::Int, "nosuch").is_none());
        }
    }
    assert!(Btf::from_bytes(b"\x7fELF".to_vec(), None).is_err());
}

/// The beginning of a blob has the types that fit, whole ones.
#[test]
fn the_first_types() {
    let mut m = Maker::new();
    let a = m.name("a");
    m.ty("early", KindTag::Struct, 1, false, 8, &[a, 2, 32]);
    m.int("int", 4, true);
    m.ty("long", KindTag::Struct, 3000, false, 8, &[a, 2, 0].repeat(3000));
    m.ty("late", KindTag::Struct, 1, false, 8, &[a, 2, 0]);
    let btf = |bytes: &[u8]| {
        let file = in_file(bytes, |path| File::open(path)).expect("a file");
        Btf::from_bytes(first::beginning(&file).ok()?, None).ok()
    };
    let whole = m.bytes();
    let first = btf(&whole).expect("a blob");
    let early = first.find(KindTag::Struct, "early").and_then(|id| first.ty(id)).expect("the first type");
    let Kind::Struct(early) = early.kind else { panic!("a struct") };
    assert_eq!(early.members().map(|m| (m.name, m.bit_offset)).collect::<Vec<_>>(), [("a", 32)]);
    assert_eq!((first.end_id(), first.find(KindTag::Struct, "late")), (3, None));
    for cut in 0..whole.len().min(200) {
        let _ = btf(&whole[..cut]);
    }
}

/// The first types of the kernel give the same offset as all of them.
#[test]
fn the_kernels_first_types() {
    let Some(types) = kernel() else { return };
    let whole = types.vmlinux().expect("opened before");
    let place = |btf: &Btf| {
        let Kind::Struct(task) = btf.ty(btf.find(KindTag::Struct, "task_struct")?)?.kind else { return None };
        task.members().find(|m| m.name == "tgid").map(|m| m.bit_offset)
    };
    let first = place(&first_types().expect("readable"));
    assert!(first.is_none() || first == place(&whole), "{first:?}");
}

#[test]
fn a_struct_that_holds_itself_ends() {
    let mut m = Maker::new();
    let a = m.name("a");
    m.ty("s", KindTag::Struct, 1, false, 8, &[a, 1, 0]);
    m.ty("t", KindTag::Typedef, 0, false, 2, &[]);
    m.ty("", KindTag::Ptr, 0, false, 3, &[]);
    let types = m.types();
    assert!(types.struct_type(TypeId { blob: 0, id: 1 }).is_some());
    assert!(types.convert(TypeId { blob: 0, id: 2 }).is_some());
    assert!(types.convert(TypeId { blob: 0, id: 3 }).is_some());
    assert!(types.definition(TypeId { blob: 0, id: 1 }).is_some_and(|text| text.len() < 10_000));
}

/// A blob with every kind of type, of which some words are replaced: whatever it says, asking ends, and soon.
#[test]
fn absurd_blobs_give_no_panic() {
    let mut m = Maker::new();
    let (a, b) = (m.name("a"), m.name("b"));
    m.int("int", 4, true);
    m.ty("s", KindTag::Struct, 3, true, 16, &[a, 1, 5 << 24, b, 1, 5 << 24 | 5, a, 4, 64]);
    m.ty("u", KindTag::Union, 2, false, 16, &[0, 2, 0, b, 6, 0]);
    m.ty("", KindTag::Ptr, 0, false, 2, &[]);
    m.ty("t", KindTag::Typedef, 0, false, 3, &[]);
    m.ty("", KindTag::Array, 0, false, 0, &[2, 1, 4]);
    m.ty("e", KindTag::Enum, 2, false, 4, &[a, 0, b, 1]);
    m.ty("", KindTag::FuncProto, 2, false, 1, &[a, 4, b, 5]);
    m.ty("f", KindTag::Func, 0, false, 8, &[]);
    m.ty("", KindTag::Const, 0, false, 6, &[]);
    let (sound, count) = (m.types.clone(), 10);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for round in 0..1500 {
        m.types.clone_from(&sound);
        for _ in 0..=next(2) {
            let at = next(sound.len() / 4) * 4;
            let kind = (next(20) as u32) << 24 | next(4) as u32;
            let value = [next(12) as u32, u32::MAX, 1 << 31, i32::MAX as u32, kind, 1 << 20][next(6)];
            m.types[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let Ok(btf) = Btf::from_bytes(m.bytes(), None) else { continue };
        drop(btf);
        let (types, start) = (m.types(), std::time::Instant::now());
        for id in 0..=count {
            let id = TypeId { blob: 0, id };
            let _ = (types.convert(id), types.definition(id), types.members(id), types.enum_type(id));
            let _ = (types.struct_type(id), types.proto(id, 0), types.declared_params(id, 0));
        }
        assert!(start.elapsed().as_secs() < 5, "round {round} took {:?}", start.elapsed());
    }
}

fn kernel() -> Option<KernelTypes> {
    let types = KernelTypes::default();
    match types.vmlinux() {
        Ok(_) => Some(types),
        Err(e) => {
            eprintln!("skipped: {e}");
            None
        }
    }
}

#[test]
fn the_kernels_structs() {
    let Some(types) = kernel() else { return };
    let id = types.find(None, KindTag::Struct, "sk_buff").unwrap().expect("struct sk_buff");
    let ty = types.struct_type(id).unwrap();
    assert_eq!((ty.kind, &*ty.name), (StructKind::Struct, "sk_buff"));
    assert!(ty.size >= 200 && ty.align == 8 && TypeId::from_key(ty.key) == Some(id));
    let fields = types.members(id).unwrap();
    let len = fields.iter().find(|f| &*f.name == "len").expect("len");
    assert_eq!(len.ty, Type::int(4, false));
    assert!(fields.iter().any(|f| f.name.is_empty()), "anonymous members stay anonymous");
}

#[test]
fn every_struct_and_enum_of_the_kernel_converts() {
    let Some(types) = kernel() else { return };
    let btf = types.vmlinux().unwrap();
    let mut bit_fields = 0;
    for tag in [KindTag::Struct, KindTag::Union] {
        for id in btf.of_kind(tag).map(|id| TypeId { blob: 0, id }) {
            let ty = types.struct_type(id).expect("a struct");
            assert!(ty.align.is_power_of_two() && ty.size % ty.align == 0, "{ty:?}");
            for f in types.members(id).expect("members").iter() {
                assert!(f.offset + f.ty.size() <= ty.size, "{} {f:?}", ty.name);
                bit_fields += usize::from(f.bits.is_some());
                let bits = f.bits.map_or(0, |b| u32::from(b.shift) + u32::from(b.width));
                assert!(bits <= f.ty.size() * 8, "{} {f:?}", ty.name);
            }
        }
    }
    assert!(bit_fields > 1000);
    for id in btf.of_kind(KindTag::Enum) {
        assert!(types.enum_type(TypeId { blob: 0, id }).is_some());
    }
    for id in btf.of_kind(KindTag::Func) {
        assert!(types.proto(TypeId { blob: 0, id }, 0).is_some());
    }
}

#[test]
fn the_kernels_functions() {
    let Some(types) = kernel() else { return };
    let id = types.find(None, KindTag::Func, "vfs_read").unwrap().expect("vfs_read");
    let proto = types.proto(id, 0).unwrap();
    let text: Vec<String> = proto.params.iter().map(|(n, t)| format!("{t} {n}")).collect();
    assert_eq!(text, ["struct file * file", "int8 * buf", "uint64 count", "int64 * pos"]);
    assert_eq!(proto.ret, Type::int(8, true));
    let declared = types.declared_params(id, 0).unwrap();
    assert_eq!(declared.params[0], ("struct file *".into(), "file".into()));
    assert_eq!(declared.ret.as_deref(), Some("ssize_t"));
}
