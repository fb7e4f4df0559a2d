//! Functions whose parameters are of Rust's own types.

use std::hint::black_box;

struct Item {
    serial: u32,
    name: &'static str,
    sizes: [u16; 3],
}

#[derive(Clone, Copy)]
struct Tag(u64);

#[inline(never)]
fn by_reference(item: &Item, count: usize, negative: i8, letter: char, yes: bool) -> usize {
    black_box((item.name, negative, letter, yes));
    item.serial as usize + count + usize::from(item.sizes[1])
}

#[inline(never)]
fn by_parts(text: &str, list: &[u32], tag: Tag) -> usize {
    text.len() + list.len() + tag.0 as usize
}

fn main() {
    let item = Item { serial: 7, name: "pear", sizes: [1, 2, 3] };
    let sum = by_reference(black_box(&item), 3, -4, 'é', true);
    let more = by_parts(black_box("grapes"), black_box(&[5, 6]), Tag(70));
    println!("{}", sum + more);
}
