//! Which features decide how a program is compiled and attached.

use super::{Feature as F, FeatureSet};
use rbtrace_codegen::lower::slots;
use rbtrace_codegen::lower::visit::{Node, walk_program};
use rbtrace_lang::hir::{Attach, Builtin, ExprKind, Place, Probe, Program, StmtKind};
use rbtrace_lang::types::Type;

/// The features that matter to `program`; the others need not be tried. Those that neither code generation
/// nor attaching makes use of yet (BTF-typed tracepoints, …) are left out.
pub fn needed(program: &Program) -> FeatureSet {
    // Branches, sign extensions and divisions of any program have a shorter form in v4.
    let mut set: FeatureSet = [F::IsaV4].into_iter().collect();
    program.probes.iter().flat_map(attaching).for_each(|f| set.insert(f));
    let mut looks_into_map = false;
    walk_program(program, &mut |node| {
        features_of(node).iter().for_each(|f| set.insert(*f));
        looks_into_map |= looks_into_a_map(node);
    });
    // Reading or emptying an aggregation asks for every CPU's part.
    if looks_into_map && program.maps.iter().any(|m| matches!(m.value, Type::Agg(_))) {
        set.insert(F::LookupPercpuElem);
    }
    if !slots::maps(program).is_empty() {
        set.insert(F::Atomics);
    }
    set
}

/// Is an entry of a map read, looked for or deleted?
fn looks_into_a_map(node: Node) -> bool {
    use ExprKind::{Delete, HasKey, MapGet, MapLen};
    match node {
        Node::Expr(e) => {
            matches!(e.kind, MapGet { .. } | HasKey { .. } | Delete { .. } | MapLen(_))
        }
        Node::Stmt(stmt) => matches!(stmt, StmtKind::ForMap { .. }),
        Node::Place(_) => false,
    }
}

/// What attaching a body depends on.
fn attaching(probe: &Probe) -> impl Iterator<Item = super::Feature> {
    let many = probe.attach.len() > 1;
    let any = |f: fn(&Attach) -> bool| probe.attach.iter().any(|a| f(&a.kind));
    let calls = any(|a| matches!(a, Attach::Tracepoint { syscall: Some(_), .. }));
    [
        (many, F::AttachCookie),
        (calls, F::CurrentTaskBtf),
        (many && any(|a| matches!(a, Attach::Kprobe { .. })), F::KprobeMulti),
        (many && any(|a| matches!(a, Attach::Uprobe { .. })), F::UprobeMulti),
    ]
    .into_iter()
    .filter_map(|(wanted, feature)| wanted.then_some(feature))
}

/// What lowering one node depends on.
fn features_of(node: Node) -> &'static [super::Feature] {
    match node {
        Node::Stmt(stmt) => match stmt {
            StmtKind::While { .. } | StmtKind::ForRange { .. } => &[F::BpfLoop],
            StmtKind::ForMap { .. } => &[F::ForEachMapElem],
            _ => &[],
        },
        Node::Place(Place::Map { .. }) => &[F::Atomics],
        Node::Place(Place::Local(_)) => &[],
        Node::Expr(e) => match &e.kind {
            ExprKind::MapLen(_) => &[F::ForEachMapElem],
            ExprKind::Signal(_) => &[F::SendSignal],
            ExprKind::Override(_) => &[F::OverrideReturn],
            ExprKind::Builtin(builtin) => builtin_features(*builtin),
            _ => &[],
        },
    }
}

fn builtin_features(builtin: Builtin) -> &'static [super::Feature] {
    match builtin {
        Builtin::NsecsBoot | Builtin::NsecsSwTai | Builtin::Elapsed => &[F::KtimeBoot],
        Builtin::NsecsTai => &[F::KtimeTai],
        Builtin::Jiffies => &[F::Jiffies64],
        Builtin::Func => &[F::GetFuncIp],
        Builtin::Curtask => &[F::CurrentTaskBtf],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::ALL;
    use rbtrace_lang::Source;
    use rbtrace_lang::fixture::Fixture;

    fn check(text: &str, expected: &[super::super::Feature]) {
        let source = Source::new("stdin", text);
        let (script, diags) = rbtrace_lang::parse(&source, 0);
        assert!(diags.is_empty(), "{diags:?}");
        let program = rbtrace_lang::check(&script, vec![source], &Fixture::new(), &Default::default());
        let program = program.unwrap_or_else(|d| panic!("{d:?}"));
        let set = needed(&program);
        let found: Vec<_> = ALL.into_iter().filter(|f| set.contains(*f)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn hello_needs_next_to_nothing() {
        check("begin { printf(\"hi\\n\"); exit(); }", &[F::IsaV4]);
    }

    #[test]
    fn what_is_used_is_needed() {
        check("begin { @ = nsecs; }", &[F::KtimeBoot, F::IsaV4]);
        check(
            "begin { @[1] = count(); for ($kv : @) { print($kv.0); } }",
            &[F::ForEachMapElem, F::LookupPercpuElem, F::IsaV4],
        );
        check("begin { @ = count(); delete(@); }", &[F::LookupPercpuElem, F::IsaV4]);
        check("begin { @[1] = count(); }", &[F::IsaV4]);
        check(
            "tracepoint:syscalls:sys_enter_openat { @[pid] = count(); }",
            &[F::CurrentTaskBtf, F::IsaV4, F::Atomics],
        );
        check("begin { $i = 0; while ($i < 5) { $i++; } }", &[F::BpfLoop, F::IsaV4]);
    }
}
