//! A well-typed program for each seed.

mod expr;
mod loops;
mod maps;
mod memory;
mod stmt;
mod themes;

use super::ast::*;
use super::rng::Rng;

/// What a program is mostly about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Theme {
    Loops,
    Arithmetic,
    Maps,
    Strings,
    Memory,
    Headers,
    Variables,
    Tables,
    Conditions,
}

impl Theme {
    /// All themes, by name.
    pub const ALL: [(&'static str, Theme); 9] = [
        ("loops", Theme::Loops),
        ("arithmetic", Theme::Arithmetic),
        ("maps", Theme::Maps),
        ("strings", Theme::Strings),
        ("memory", Theme::Memory),
        ("headers", Theme::Headers),
        ("variables", Theme::Variables),
        ("tables", Theme::Tables),
        ("conditions", Theme::Conditions),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Theme::ALL.iter().find(|(_, t)| *t == self).map_or("?", |(n, _)| n)
    }

    /// The theme of a seed.
    pub fn of(seed: u64) -> Theme {
        Theme::ALL[Rng::new(!seed).below(Theme::ALL.len())].1
    }
}

/// Statements that a program may execute, and how many of them may print.
const EXECUTED: u64 = 60_000;
const PRINTED: u64 = 120;

/// The program of a seed.
pub fn generate(seed: u64, theme: Theme) -> Program {
    let mut g = Generator {
        rng: Rng::new(seed ^ (theme as u64) << 32),
        theme,
        p: Program::default(),
        scopes: vec![vec![]],
        fixed: vec![],
        busy: vec![],
        hidden: vec![],
        breakable: false,
        continuable: false,
        runs: 1,
        free_from: None,
    };
    g.program();
    g.p
}

struct Generator {
    rng: Rng,
    theme: Theme,
    p: Program,
    /// Variables that can be seen, by block.
    scopes: Vec<Vec<VarId>>,
    /// Variables that must not be assigned: loops count with them.
    fixed: Vec<VarId>,
    /// Maps that a loop walks through, or that are built by one: neither read nor written now.
    busy: Vec<MapId>,
    /// Variables that a loop through a map sums up in: not read in it.
    hidden: Vec<VarId>,
    /// Inside a loop that can be left, and one whose round can be.
    breakable: bool,
    continuable: bool,
    /// How often the statement being made is executed at most.
    runs: u64,
    /// In a loop through a map, whose order is the kernel's: only what gives the same in any order, and only
    /// variables of the blocks from here on.
    free_from: Option<usize>,
}

impl Generator {
    fn new_var(&mut self, ty: Ty, declared: bool) -> VarId {
        self.p.vars.push(Var { ty, declared });
        self.p.vars.len() - 1
    }

    /// A variable that can be seen from here on.
    fn show(&mut self, v: VarId) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(v);
        }
    }

    fn new_map(&mut self, key: Vec<Ty>, holds: Holds) -> MapId {
        self.p.maps.push(Map { key, holds });
        self.p.maps.len() - 1
    }

    fn visible(&self) -> Vec<VarId> {
        self.scopes.iter().flatten().copied().filter(|v| !self.hidden.contains(v)).collect()
    }

    /// Variables that may be assigned here.
    fn assignable(&self, fits: impl Fn(&Ty) -> bool) -> Vec<VarId> {
        let scopes = &self.scopes[self.free_from.unwrap_or(0)..];
        let all = scopes.iter().flatten().copied();
        all.filter(|v| !self.fixed.contains(v) && !self.hidden.contains(v) && fits(&self.p.vars[*v].ty))
            .collect()
    }

    /// Whether programs of this kind trace the runner's system calls.
    fn traced(&self) -> bool {
        !self.p.calls.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::{evaluate, text};

    #[test]
    fn a_seed_is_a_program() {
        for seed in 0..300 {
            let theme = Theme::of(seed);
            let p = generate(seed, theme);
            assert_eq!(p, generate(seed, theme));
            let out = evaluate::evaluate(&p);
            assert!(!(out.lines.is_empty() && out.maps.is_empty()), "{}", text::program(&p));
        }
    }
}
