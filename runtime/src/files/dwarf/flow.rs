//! Which of several places of a source line control comes to first.

use crate::files::instructions::{self, Flow, Insn};
use std::collections::{HashMap, HashSet};

/// The flow of control of one function, instruction by instruction.
#[derive(Debug)]
pub(super) struct FlowGraph {
    index: HashMap<u64, usize>,
    next: Vec<[Option<usize>; 2]>,
    entry: usize,
}

impl FlowGraph {
    /// The graph of code that stands in several pieces; the first is the one that is entered.
    pub(super) fn new(pieces: &[(u64, &[u8])]) -> FlowGraph {
        let insns: Vec<Insn> = pieces.iter().flat_map(|(at, code)| instructions::decode(code, *at)).collect();
        let index: HashMap<u64, usize> = insns.iter().enumerate().map(|(i, n)| (n.address, i)).collect();
        let place = |address: u64| index.get(&address).copied();
        let successors = |i: &Insn| match i.flow {
            Flow::Next | Flow::Call(_) => [place(i.end()), None],
            Flow::Jump(target) => [target.and_then(place), None],
            Flow::Branch(target) => [place(i.end()), place(target)],
            Flow::Return | Flow::Stop => [None, None],
        };
        let next = insns.iter().map(successors).collect();
        FlowGraph { next, index, entry: 0 }
    }

    /// Leaves out the places that are only come to through another one of `places`: those that remain
    /// are each the first of them on some way through the function, or again and again in a loop that
    /// has no other. So what is left is hit whenever control comes to the line, and once where the
    /// line's code is scattered.
    pub(super) fn first_places(&self, places: &[u64]) -> Vec<u64> {
        let nodes: HashSet<usize> = places.iter().filter_map(|p| self.index.get(p).copied()).collect();
        let anywhere = self.reach([Some(self.entry), None], &HashSet::new());
        let first = self.reach([Some(self.entry), None], &nodes);
        let keep = |place: &u64| match self.index.get(place) {
            // Control comes there by a way that the code does not name, as through a table.
            Some(node) if !anywhere.contains(node) => true,
            Some(node) => first.contains(node) || self.reach(self.next[*node], &nodes).contains(node),
            None => true,
        };
        places.iter().copied().filter(keep).collect()
    }

    /// What can be reached from `start` without going through `walls`; walls that are reached are part
    /// of it.
    fn reach(&self, start: [Option<usize>; 2], walls: &HashSet<usize>) -> HashSet<usize> {
        let mut reached = HashSet::new();
        let mut todo: Vec<usize> = start.into_iter().flatten().collect();
        while let Some(node) = todo.pop() {
            if node >= self.next.len() || !reached.insert(node) || walls.contains(&node) {
                continue;
            }
            todo.extend(self.next[node].into_iter().flatten());
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 nop; 1 je 6; 3 nop; 4 jmp 7; 6 nop; 7 nop; 8 jne 7; 10 ret
    const CODE: &[u8] = &[0x90, 0x74, 0x03, 0x90, 0xeb, 0x01, 0x90, 0x90, 0x75, 0xfd, 0xc3];

    fn first(places: &[u64]) -> Vec<u64> {
        let places: Vec<u64> = places.iter().map(|p| p + 0x100).collect();
        let graph = FlowGraph::new(&[(0x100, CODE)]);
        graph.first_places(&places).iter().map(|p| p - 0x100).collect()
    }

    #[test]
    fn what_follows_another_place_is_left_out() {
        assert_eq!(first(&[0, 3, 6]), [0]);
        assert_eq!(first(&[3, 10]), [3, 10]);
        assert_eq!(first(&[0, 10]), [0]);
    }

    #[test]
    fn two_arms_of_a_branch_both_count() {
        assert_eq!(first(&[3, 6]), [3, 6]);
    }

    #[test]
    fn a_loop_of_its_own_counts() {
        assert_eq!(first(&[0, 7]), [0, 7]);
        assert_eq!(first(&[7, 8]), [7]);
    }
}
