//! The interference graph: which registers are live at once, which copies join them, what spilling costs.

use super::liveness::{Live, Liveness};
use crate::emit::mach::{MFunc, Reg};
use crate::hash::FastSet;
use crate::steps;

/// With more nodes than this the edge set is a hash set instead of a bit matrix.
const MATRIX_LIMIT: usize = 2048;

/// Undirected edges with lists of neighbours.
#[derive(Debug)]
pub struct Edges {
    nodes: usize,
    matrix: Vec<u64>,
    hashed: FastSet<(u32, u32)>,
    lists: Vec<Vec<u32>>,
}

impl Edges {
    fn new(nodes: usize) -> Self {
        let words = if nodes <= MATRIX_LIMIT { (nodes * nodes).div_ceil(64) } else { 0 };
        Edges { nodes, matrix: vec![0; words], hashed: FastSet::default(), lists: vec![vec![]; nodes] }
    }

    /// Adds an edge; true if it was not there.
    pub fn insert(&mut self, a: usize, b: usize) -> bool {
        steps::count(1);
        if a == b || self.contains(a, b) {
            return false;
        }
        if self.matrix.is_empty() {
            self.hashed.insert((a.min(b) as u32, a.max(b) as u32));
        } else {
            for i in [a * self.nodes + b, b * self.nodes + a] {
                self.matrix[i / 64] |= 1 << (i % 64);
            }
        }
        self.lists[a].push(b as u32);
        self.lists[b].push(a as u32);
        true
    }

    /// Is there an edge?
    pub fn contains(&self, a: usize, b: usize) -> bool {
        if self.matrix.is_empty() {
            return self.hashed.contains(&(a.min(b) as u32, a.max(b) as u32));
        }
        let i = a * self.nodes + b;
        self.matrix[i / 64] & (1 << (i % 64)) != 0
    }

    /// All that `a` has an edge to.
    pub fn neighbours(&self, a: usize) -> &[u32] {
        steps::count(1);
        &self.lists[a]
    }
}

/// A copy that would vanish if both sides had one colour.
#[derive(Debug)]
pub struct Move {
    /// Destination node.
    pub dst: usize,
    /// Source node.
    pub src: usize,
    /// How often it is expected to run.
    pub weight: f64,
}

/// The graph.
#[derive(Debug)]
pub struct Graph {
    /// Number of nodes: the function's registers.
    pub nodes: usize,
    /// Interference.
    pub edges: Edges,
    /// Copies.
    pub moves: Vec<Move>,
    /// What spilling a node would cost.
    pub cost: Vec<f64>,
    /// Does the node occur at all?
    pub used: Vec<bool>,
}

impl Graph {
    /// Builds it; `weights` says how often each block runs, `no_spill` which registers must not be spilled again.
    pub fn new(f: &MFunc, weights: &[f64], no_spill: &FastSet<Reg>) -> Self {
        let nodes = f.regs as usize;
        let mut g = Graph {
            nodes,
            edges: Edges::new(nodes),
            moves: vec![],
            cost: vec![0.0; nodes],
            used: vec![false; nodes],
        };
        let liveness = Liveness::new(f);
        for (b, live) in liveness.out.into_iter().enumerate() {
            g.block(f, b, live, weights[b]);
        }
        for r in no_spill {
            g.cost[r.index()] = 1e30;
        }
        g
    }

    fn block(&mut self, f: &MFunc, b: usize, mut live: Live, weight: f64) {
        f.blocks[b].term.uses(|r| {
            live.insert(r);
            self.touch(r, weight);
        });
        for inst in f.blocks[b].insts.iter().rev() {
            let copy = inst.op.as_copy().filter(|(d, s)| *d != Reg::R10 && *s != Reg::R10);
            if let Some((dst, src)) = copy {
                live.remove(src);
                self.moves.push(Move { dst: dst.index(), src: src.index(), weight });
            }
            inst.op.defs(|d| {
                self.touch(d, weight);
                live.insert(d);
            });
            inst.op.defs(|d| live.iter().for_each(|l| self.interfere(d.index(), l.index())));
            inst.op.uses(|u| self.touch(u, weight));
            live.step_back(inst);
        }
    }

    fn touch(&mut self, r: Reg, weight: f64) {
        self.used[r.index()] = true;
        self.cost[r.index()] += weight;
    }

    /// r10 never conflicts: nothing else is ever put there.
    fn interfere(&mut self, a: usize, b: usize) {
        let fixed = |i: usize| i < Reg::FIRST_VIRTUAL as usize;
        if a != Reg::R10.index() && b != Reg::R10.index() && !(fixed(a) && fixed(b)) {
            self.edges.insert(a, b);
        }
    }
}
