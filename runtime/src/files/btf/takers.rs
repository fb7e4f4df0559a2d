//! Functions by the type of an argument.

use super::blob::{Btf, BtfError};
use super::kernel::{KernelTypes, TypeId};
use super::kind::Kind;
use super::tag::KindTag;
use rbtrace_lang::system::{ArgumentType, Keyword};
use std::collections::HashMap;
use std::rc::Rc;

/// Words of arguments that are passed in registers on x86-64.
const IN_REGISTERS: u32 = 6;

/// Bytes of a word, and of the largest struct that is passed in registers (System V ABI for x86-64, 3.2.3).
const WORD: u32 = 8;
const LARGEST: u32 = 2 * WORD;

/// A function with an argument of the type that was sought.
#[derive(Debug)]
pub struct Found {
    /// The function.
    pub id: TypeId,
    /// Its name.
    pub name: Rc<str>,
    /// How many words of arguments come before the first one of that type.
    pub word: u8,
}

impl KernelTypes {
    /// All functions that take an argument of this type in a register; duplicates between modules included.
    pub fn takers(&self, ty: &ArgumentType) -> Result<Vec<Found>, BtfError> {
        let integer = integer_words(&ty.name);
        let mut found = vec![];
        // Of the kernel's own prototypes, which modules' functions may have, too.
        let mut known: HashMap<u32, Option<u8>> = HashMap::new();
        for blob in self.all_blobs()? {
            let Some(btf) = self.blob(blob) else { continue };
            known.retain(|id, _| *id < btf.first_id());
            for id in btf.of_kind(KindTag::Func) {
                let Some(Kind::Func(proto)) = btf.ty(id).map(|t| t.kind) else { continue };
                let word = *known.entry(proto).or_insert_with(|| word_of(&btf, proto, ty, &integer));
                if let Some(word) = word {
                    let name = btf.ty(id).map_or("", |t| t.name()).into();
                    found.push(Found { id: TypeId { blob, id }, name, word });
                }
            }
        }
        Ok(found)
    }
}

impl KernelTypes {
    /// All functions whose name passes `want`, in the same form.
    pub fn all_functions(&self, want: &dyn Fn(&str) -> bool) -> Result<Vec<Found>, BtfError> {
        let found = self.search(KindTag::Func, want)?;
        Ok(found.into_iter().map(|(id, name)| Found { id, name, word: 0 }).collect())
    }
}

/// How many words come before the first parameter of this type that is passed in a register.
fn word_of(btf: &Btf, proto: u32, ty: &ArgumentType, integer: &[&str]) -> Option<u8> {
    let Some(Kind::FuncProto { params, .. }) = btf.ty(proto).map(|t| t.kind) else { return None };
    let mut word = 0;
    for param in params.types() {
        let words = words(btf, param);
        if word + words > IN_REGISTERS {
            // It lies on the stack, what follows may not.
            continue;
        }
        if is_of_type(btf, param, ty, integer) {
            return u8::try_from(word).ok();
        }
        word += words;
    }
    None
}

/// Registers that an argument takes; more than there are for one that is passed in memory.
fn words(btf: &Btf, param: u32) -> u32 {
    match btf.ty(KernelTypes::strip(btf, param)).map(|t| t.kind) {
        Some(Kind::Struct(c) | Kind::Union(c)) if c.size > LARGEST => IN_REGISTERS + 1,
        Some(Kind::Struct(c) | Kind::Union(c)) => c.size.div_ceil(WORD),
        Some(Kind::Int { size, .. }) => size.div_ceil(WORD),
        _ => 1,
    }
}

fn is_of_type(btf: &Btf, param: u32, ty: &ArgumentType, integer: &[&str]) -> bool {
    let mut id = param;
    for _ in 0..ty.pointers {
        let Some(Kind::Ptr(to)) = btf.ty(KernelTypes::strip(btf, id)).map(|t| t.kind) else { return false };
        id = to;
    }
    if ty.keyword == Keyword::None {
        return is_named(btf, id, &ty.name, integer);
    }
    let Some(found) = btf.ty(KernelTypes::strip(btf, id)) else { return false };
    let fits = match found.kind {
        Kind::Struct(_) | Kind::Fwd { union: false } => ty.keyword == Keyword::Struct,
        Kind::Union(_) | Kind::Fwd { union: true } => ty.keyword == Keyword::Union,
        Kind::Enum { .. } => ty.keyword == Keyword::Enum,
        _ => false,
    };
    fits && found.name() == &*ty.name
}

/// Is it a typedef of this name, or the integer with these words?
fn is_named(btf: &Btf, mut id: u32, name: &str, integer: &[&str]) -> bool {
    // A chain in a sound blob has a handful of links; the limit stops one that runs in a circle.
    for _ in 0..64 {
        let Some(ty) = btf.ty(id) else { return false };
        match ty.kind {
            Kind::Typedef(_) if ty.name() == name => return true,
            Kind::Typedef(next) | Kind::Qualifier(_, next) | Kind::TypeTag(next) => id = next,
            Kind::Void => return name == "void",
            Kind::Int { .. } => return ty.name() == name || integer_words(ty.name()) == integer,
            _ => return false,
        }
    }
    false
}

/// The words of an integer's name in one order: compilers write `long unsigned int` for `unsigned long`.
fn integer_words(name: &str) -> Vec<&str> {
    let words = || name.split_whitespace();
    // `unsigned` and `signed` alone are ints, and so is `int`.
    let sized = words().any(|w| matches!(w, "char" | "short" | "long"));
    let mut words: Vec<&str> = words().filter(|w| !(sized && *w == "int")).collect();
    if matches!(words[..], ["unsigned" | "signed"]) {
        words.push("int");
    }
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_by_any_order_of_words() {
        let same = |a, b| assert_eq!(integer_words(a), integer_words(b), "{a}, {b}");
        same("unsigned long", "long unsigned int");
        same("unsigned", "unsigned int");
        same("long long int", "long long");
        assert_ne!(integer_words("int"), integer_words("unsigned int"));
        assert_ne!(integer_words("char"), integer_words("unsigned char"));
    }

    #[test]
    fn functions_of_this_kernel() {
        let types = KernelTypes::default();
        let sought = |keyword, name: &str, pointers| {
            let found = types.takers(&ArgumentType { keyword, name: name.into(), pointers });
            found.unwrap_or_else(|e| panic!("{e}"))
        };
        if !types.available() {
            eprintln!("skipped: needs BTF");
            return;
        }
        let files = sought(Keyword::Struct, "file", 1);
        let word = |name: &str| files.iter().find(|f| &*f.name == name).map(|f| f.word);
        assert_eq!((word("vfs_read"), word("vfs_fsync_range"), word("kfree")), (Some(0), Some(0), None));
        assert!(sought(Keyword::None, "loff_t", 1).iter().any(|f| &*f.name == "vfs_read" && f.word == 3));
        assert!(sought(Keyword::None, "size_t", 0).iter().any(|f| &*f.name == "vfs_read" && f.word == 2));
        assert!(sought(Keyword::Struct, "file", 3).is_empty());
    }
}
