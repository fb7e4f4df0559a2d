//! Types as a listing shows them: `struct Foo*`, `const char*`, `int`.

use super::convert::{MAX_DEPTH, lengths};
use crate::files::dwarf::Error;
use crate::files::dwarf::node::Node;

/// A type as the source has it; `None` stands for `void`.
pub(in crate::files::dwarf) fn spelled(node: Option<Node>) -> Result<String, Error> {
    at_depth(node, 0)
}

fn at_depth(node: Option<Node>, depth: u32) -> Result<String, Error> {
    let Some(node) = node.filter(|_| depth < MAX_DEPTH) else { return Ok("void".into()) };
    let inner = || at_depth(node.ty()?, depth + 1);
    let named = |word: &str| {
        let name = node.name();
        Ok(format!("{word}{}", name.as_deref().unwrap_or("<anonymous>")))
    };
    // Rust writes `&str` where C would have a struct.
    if node.unit().language() == Some(gimli::DW_LANG_Rust)
        && let Some(name) = node.name()
    {
        return Ok(name.to_string());
    }
    match node.tag() {
        gimli::DW_TAG_pointer_type => Ok(format!("{}*", inner()?)),
        gimli::DW_TAG_reference_type => Ok(format!("{}&", inner()?)),
        gimli::DW_TAG_rvalue_reference_type => Ok(format!("{}&&", inner()?)),
        gimli::DW_TAG_const_type => qualified("const", &node, &inner()?),
        gimli::DW_TAG_volatile_type => qualified("volatile", &node, &inner()?),
        gimli::DW_TAG_restrict_type | gimli::DW_TAG_atomic_type => inner(),
        gimli::DW_TAG_structure_type => named("struct "),
        gimli::DW_TAG_class_type => named("class "),
        gimli::DW_TAG_union_type => named("union "),
        gimli::DW_TAG_enumeration_type => named("enum "),
        gimli::DW_TAG_array_type => {
            let lengths: String = lengths(&node)?.iter().map(|n| format!("[{n}]")).collect();
            Ok(format!("{}{lengths}", inner()?))
        }
        gimli::DW_TAG_subroutine_type => Ok(format!("{} ()", inner()?)),
        _ => named(""),
    }
}

/// What qualifies a pointer stands behind it.
fn qualified(word: &str, node: &Node, inner: &str) -> Result<String, Error> {
    let of_pointer = node.ty()?.is_some_and(|n| n.tag() == gimli::DW_TAG_pointer_type);
    Ok(if of_pointer { format!("{inner} {word}") } else { format!("{word} {inner}") })
}
