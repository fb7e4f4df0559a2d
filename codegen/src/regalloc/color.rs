//! Colouring of the interference graph with iterated coalescing (George and Appel, 1996).
//!
//! Nodes are registers. r0 to r9 are coloured from the start; calls define r0 to r5, so that values live across
//! them end in r6 to r9. Copies are coalesced where that cannot make the graph harder to colour.

use super::graph::Graph;
use crate::emit::mach::Reg;
use crate::hash::FastMap;
use crate::steps;

/// Colours.
const K: usize = Reg::ALLOCATABLE as usize;

/// Which colour to try first: what calls destroy, then what the JIT has to save. r4 is the x86-64 JIT's shift
/// register, so it comes late.
const ORDER: [u8; K] = [1, 2, 3, 0, 5, 4, 6, 7, 8, 9];

/// What came out of an attempt.
#[derive(Debug)]
pub enum Outcome {
    /// The colour of each register.
    Colored(Vec<u8>),
    /// Registers that must live in memory; each group shares one place, its members were coalesced.
    Spill(Vec<Vec<Reg>>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Precolored,
    Simplify,
    Freeze,
    Spill,
    Coalesced,
    Stacked,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MoveState {
    Worklist,
    Active,
    Done,
}

/// Colours the graph.
pub fn color(graph: Graph) -> Outcome {
    let mut c = Colorer::new(graph);
    c.run();
    c.assign()
}

struct Colorer {
    graph: Graph,
    state: Vec<State>,
    alias: Vec<usize>,
    degree: Vec<usize>,
    /// By node: how many of its neighbours in the graph have K neighbours or more.
    high: Vec<usize>,
    /// Moves of each node, grown by coalescing.
    moves_of: Vec<Vec<usize>>,
    moves: Vec<MoveState>,
    move_queue: Vec<usize>,
    simplify: Vec<usize>,
    freeze: Vec<usize>,
    spill: Vec<usize>,
    stack: Vec<usize>,
}

impl Colorer {
    fn new(graph: Graph) -> Self {
        let n = graph.nodes;
        let mut c = Colorer {
            state: vec![State::Precolored; n],
            alias: (0..n).collect(),
            degree: vec![usize::MAX / 2; n],
            high: vec![0; n],
            moves_of: vec![vec![]; n],
            moves: vec![MoveState::Worklist; graph.moves.len()],
            move_queue: (0..graph.moves.len()).collect(),
            simplify: vec![],
            freeze: vec![],
            spill: vec![],
            stack: vec![],
            graph,
        };
        let moves = &c.graph.moves;
        // The heaviest move is taken from the end of the queue.
        c.move_queue.sort_by(|&a, &b| moves[a].weight.total_cmp(&moves[b].weight));
        for (m, mv) in moves.iter().enumerate() {
            c.moves_of[mv.dst].push(m);
            c.moves_of[mv.src].push(m);
        }
        (K + 1..n).for_each(|v| c.degree[v] = c.graph.edges.neighbours(v).len());
        for v in 0..n {
            c.high[v] = c.graph.edges.neighbours(v).iter().filter(|w| c.degree[**w as usize] >= K).count();
        }
        for v in (K + 1)..n {
            if c.graph.used[v] {
                c.enqueue(v);
            } else {
                c.state[v] = State::Stacked;
            }
        }
        c
    }

    fn run(&mut self) {
        loop {
            if let Some(v) = pop(&mut self.simplify, &self.state, State::Simplify) {
                self.push_on_stack(v);
            } else if let Some(m) = self.move_queue.pop() {
                self.coalesce(m);
            } else if let Some(v) = pop(&mut self.freeze, &self.state, State::Freeze) {
                self.freeze_moves(v);
                self.state[v] = State::Simplify;
                self.simplify.push(v);
            } else if let Some(v) = self.cheapest_spill() {
                self.freeze_moves(v);
                self.state[v] = State::Simplify;
                self.simplify.push(v);
            } else {
                return;
            }
        }
    }

    fn enqueue(&mut self, v: usize) {
        let (state, list) = if self.degree[v] >= K {
            (State::Spill, &mut self.spill)
        } else if self.moves_of[v].iter().any(|&m| self.moves[m] != MoveState::Done) {
            (State::Freeze, &mut self.freeze)
        } else {
            (State::Simplify, &mut self.simplify)
        };
        self.state[v] = state;
        list.push(v);
    }

    fn find(&self, mut v: usize) -> usize {
        while self.state[v] == State::Coalesced {
            v = self.alias[v];
        }
        v
    }

    /// The neighbours that are still in the graph.
    fn adjacent(&self, v: usize) -> impl Iterator<Item = usize> + '_ {
        let neighbours = self.graph.edges.neighbours(v);
        steps::count(neighbours.len());
        neighbours.iter().map(|w| *w as usize).filter(|w| self.present(*w))
    }

    fn present(&self, v: usize) -> bool {
        !matches!(self.state[v], State::Stacked | State::Coalesced)
    }

    /// The `n`-th neighbour, if it is still in the graph: for loops that change the graph, though not the neighbours of `v`.
    fn nth_adjacent(&self, v: usize, n: usize) -> Option<usize> {
        Some(self.graph.edges.neighbours(v)[n] as usize).filter(|w| self.present(*w))
    }

    fn push_on_stack(&mut self, v: usize) {
        self.state[v] = State::Stacked;
        self.stack.push(v);
        let was_high = usize::from(self.degree[v] >= K);
        for n in 0..self.graph.edges.neighbours(v).len() {
            if let Some(w) = self.nth_adjacent(v, n) {
                self.high[w] -= was_high;
                self.lower_degree(w);
            }
        }
    }

    fn lower_degree(&mut self, w: usize) {
        if self.state[w] == State::Precolored {
            return;
        }
        self.degree[w] -= 1;
        if self.degree[w] == K - 1 {
            self.wake_moves(w);
            // A move between a machine's register and a neighbour is among the neighbour's.
            for n in 0..self.graph.edges.neighbours(w).len() {
                let Some(x) = self.nth_adjacent(w, n) else { continue };
                self.high[x] -= 1;
                if self.state[x] != State::Precolored {
                    self.wake_moves(x);
                }
            }
            if self.state[w] == State::Spill {
                self.enqueue(w);
            }
        }
    }

    fn raise_degree(&mut self, u: usize) {
        self.degree[u] += 1;
        if self.degree[u] == K {
            for n in 0..self.graph.edges.neighbours(u).len() {
                if let Some(t) = self.nth_adjacent(u, n) {
                    self.high[t] += 1;
                }
            }
        }
    }

    fn wake_moves(&mut self, v: usize) {
        for &m in &self.moves_of[v] {
            if self.moves[m] == MoveState::Active {
                self.moves[m] = MoveState::Worklist;
                self.move_queue.push(m);
            }
        }
    }

    fn coalesce(&mut self, m: usize) {
        let (x, y) = (self.find(self.graph.moves[m].dst), self.find(self.graph.moves[m].src));
        let (u, v) = if self.state[y] == State::Precolored { (y, x) } else { (x, y) };
        if u == v {
            self.moves[m] = MoveState::Done;
            self.settle(u);
        } else if self.state[v] == State::Precolored || self.graph.edges.contains(u, v) {
            self.moves[m] = MoveState::Done;
            self.settle(u);
            self.settle(v);
        } else if self.may_combine(u, v) {
            self.moves[m] = MoveState::Done;
            self.combine(u, v);
            self.settle(u);
        } else {
            self.moves[m] = MoveState::Active;
        }
    }

    /// A node without open moves and of low degree can be simplified.
    fn settle(&mut self, v: usize) {
        let open = |c: &Self| c.moves_of[v].iter().any(|&m| c.moves[m] != MoveState::Done);
        if self.state[v] == State::Freeze && !open(self) {
            self.state[v] = State::Simplify;
            self.simplify.push(v);
        }
    }

    fn may_combine(&self, u: usize, v: usize) -> bool {
        if self.state[u] == State::Precolored {
            // George: each neighbour of v is harmless to u.
            return self.adjacent(v).all(|t| {
                self.degree[t] < K || self.state[t] == State::Precolored || self.graph.edges.contains(t, u)
            });
        }
        // Briggs: the union has fewer than K neighbours of high degree.
        let most = self.high[u] + self.high[v];
        most < K || most - self.counted_twice(u, v) < K
    }

    /// Of the neighbours of high degree that two nodes have: how many are among both's, once more for those whose degree
    /// would not be high any more.
    fn counted_twice(&self, u: usize, v: usize) -> usize {
        let len = |v: usize| self.graph.edges.neighbours(v).len();
        let (few, many) = if len(u) < len(v) { (u, v) } else { (v, u) };
        let common =
            self.adjacent(few).filter(|t| self.degree[*t] >= K && self.graph.edges.contains(*t, many));
        common.map(|t| 1 + usize::from(self.degree[t] == K)).sum()
    }

    fn combine(&mut self, u: usize, v: usize) {
        self.state[v] = State::Coalesced;
        self.alias[v] = u;
        self.graph.cost[u] += self.graph.cost[v];
        let moves = std::mem::take(&mut self.moves_of[v]);
        for &m in &moves {
            if self.moves[m] == MoveState::Active {
                self.moves[m] = MoveState::Worklist;
                self.move_queue.push(m);
            }
        }
        self.moves_of[u].extend(&moves);
        let was_high = usize::from(self.degree[v] >= K);
        for n in 0..self.graph.edges.neighbours(v).len() {
            let Some(t) = self.nth_adjacent(v, n) else { continue };
            self.high[t] -= was_high;
            if self.graph.edges.insert(t, u) {
                // t loses v and gains u.
                self.high[u] += usize::from(self.degree[t] >= K);
                self.high[t] += usize::from(self.degree[u] >= K);
                if self.state[u] != State::Precolored {
                    self.raise_degree(u);
                }
            } else {
                self.lower_degree(t);
            }
        }
        if self.degree[u] >= K && self.state[u] == State::Freeze {
            self.state[u] = State::Spill;
            self.spill.push(u);
        }
    }

    fn freeze_moves(&mut self, v: usize) {
        for m in self.moves_of[v].clone() {
            if self.moves[m] == MoveState::Done {
                continue;
            }
            self.moves[m] = MoveState::Done;
            let mv = &self.graph.moves[m];
            let (x, y) = (self.find(mv.dst), self.find(mv.src));
            self.settle(if x == v { y } else { x });
        }
    }

    fn cheapest_spill(&mut self) -> Option<usize> {
        let state = &self.state;
        steps::count(self.spill.len());
        self.spill.retain(|&v| state[v] == State::Spill);
        let rank = |v: usize| self.graph.cost[v] / self.degree[v] as f64;
        let best =
            (0..self.spill.len()).min_by(|&a, &b| rank(self.spill[a]).total_cmp(&rank(self.spill[b])))?;
        Some(self.spill.swap_remove(best))
    }

    fn assign(mut self) -> Outcome {
        let n = self.graph.nodes;
        let mut colors = vec![u8::MAX; n];
        (0..K).for_each(|r| colors[r] = r as u8);
        colors[K] = Reg::R10.0 as u8;
        let mut failed = vec![];
        while let Some(v) = self.stack.pop() {
            let mut free = [true; K];
            for &w in self.graph.edges.neighbours(v) {
                let c = colors[self.find(w as usize)];
                if let Some(slot) = free.get_mut(c as usize) {
                    *slot = false;
                }
            }
            match self.preferred(v, &free, &colors) {
                Some(c) => colors[v] = c,
                None => failed.push(v),
            }
        }
        if !failed.is_empty() {
            return Outcome::Spill(self.groups(&failed));
        }
        for v in 0..n {
            colors[v] = colors[self.find(v)];
        }
        Outcome::Colored(colors)
    }

    /// A free colour, that of a partner in a copy where possible.
    fn preferred(&self, v: usize, free: &[bool; K], colors: &[u8]) -> Option<u8> {
        for &m in &self.moves_of[v] {
            let mv = &self.graph.moves[m];
            for w in [self.find(mv.dst), self.find(mv.src)] {
                let c = colors[w];
                if w != v && (c as usize) < K && free[c as usize] {
                    return Some(c);
                }
            }
        }
        ORDER.into_iter().find(|&c| free[c as usize])
    }

    /// Each of these with what was coalesced with it.
    fn groups(&self, heads: &[usize]) -> Vec<Vec<Reg>> {
        let mut groups: FastMap<usize, Vec<Reg>> = heads.iter().map(|&v| (v, vec![])).collect();
        for w in 0..self.graph.nodes {
            if let Some(group) = groups.get_mut(&self.find(w)) {
                group.push(Reg(w as u32));
            }
        }
        heads.iter().filter_map(|v| groups.remove(v)).collect()
    }
}

/// Takes the last node of a list that is still in the list's state.
fn pop(list: &mut Vec<usize>, state: &[State], wanted: State) -> Option<usize> {
    while let Some(v) = list.pop() {
        if state[v] == wanted {
            return Some(v);
        }
    }
    None
}
