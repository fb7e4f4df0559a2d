//! What is known of a map's or variable's type while it is still being inferred.
//!
//! **Invariant**: joining is commutative, associative and only ever widens, so the order in which
//! probes are read does not decide a type and inference ends.

use crate::hir;
use crate::types::{AddrSpace, Agg, TupleType, Type};
use std::rc::Rc;

/// A type in the making.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// An integer: the join of the types of values that have one, and the range of the literals,
    /// which adapt to it.
    Int {
        /// Size in bytes and signedness of what has a type of its own.
        fixed: Option<(u8, bool)>,
        /// Least and greatest literal.
        literals: Option<(i128, i128)>,
    },
    /// Field by field.
    Tuple(Vec<(Option<Rc<str>>, Shape)>),
    /// Any other type.
    Other(Type),
}

/// Why two shapes have no join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The types do not go together.
    Types,
    /// They would, if the `probe` builtin were a text.
    ProbeText,
}

impl Shape {
    /// The shape of a type that is settled.
    pub(crate) fn of_type(ty: &Type) -> Shape {
        match ty {
            Type::Int { size, signed } => Shape::Int { fixed: Some((*size, *signed)), literals: None },
            Type::Tuple(t) => {
                Shape::Tuple(t.fields.iter().map(|(n, t)| (n.clone(), Shape::of_type(t))).collect())
            }
            other => Shape::Other(other.clone()),
        }
    }

    /// The shape of an expression: integer literals stay flexible, in tuples too.
    pub(crate) fn of_expr(e: &hir::Expr) -> Shape {
        match (&e.kind, &e.ty) {
            (hir::ExprKind::Const(bits), Type::Int { signed, .. }) => {
                let value = if *signed { i128::from(*bits as i64) } else { i128::from(*bits) };
                Shape::Int { fixed: None, literals: Some((value, value)) }
            }
            (hir::ExprKind::Tuple(fields), Type::Tuple(t)) => Shape::Tuple(
                fields
                    .iter()
                    .zip(&t.fields)
                    .map(|(e, (name, _))| (name.clone(), Shape::of_expr(e)))
                    .collect(),
            ),
            _ => Shape::of_type(&e.ty),
        }
    }

    /// The type as far as it is known.
    pub(crate) fn to_type(&self) -> Type {
        match self {
            Shape::Int { fixed, literals } => int_type(*fixed, *literals),
            Shape::Tuple(fields) => Type::Tuple(Rc::new(TupleType {
                fields: fields.iter().map(|(n, s)| (n.clone(), s.to_type())).collect(),
            })),
            Shape::Other(ty) => ty.clone(),
        }
    }

    /// What a map keeps of it.
    pub(crate) fn in_memory(&self) -> Shape {
        match self {
            Shape::Other(ty) => Shape::Other(ty.as_address()),
            shape => shape.clone(),
        }
    }

    /// Widens `self` so that it also holds what `other` holds.
    pub(crate) fn join(&mut self, other: &Shape) -> Result<(), Conflict> {
        let joined = match (&mut *self, other) {
            (Shape::Int { fixed, literals }, Shape::Int { fixed: f, literals: l }) => {
                *fixed = join_option(*fixed, *f, join_ints);
                *literals = join_option(*literals, *l, |a, b| (a.0.min(b.0), a.1.max(b.1)));
                return Ok(());
            }
            (Shape::Tuple(a), Shape::Tuple(b)) => return join_tuples(a, b),
            (Shape::Other(a), Shape::Other(b)) => join_types(a, b).map(Shape::Other),
            // An enum and a plain integer: the integer wins.
            (Shape::Other(Type::Enum(e)), int @ Shape::Int { .. }) => {
                let mut int = int.clone();
                int.join(&Shape::of_type(&Type::int(e.size, e.signed)))?;
                Ok(int)
            }
            (int @ Shape::Int { .. }, Shape::Other(Type::Enum(e))) => {
                int.join(&Shape::of_type(&Type::int(e.size, e.signed)))?;
                return Ok(());
            }
            _ => Err(Conflict::Types),
        }?;
        *self = joined;
        Ok(())
    }
}

fn join_option<T: Copy>(a: Option<T>, b: Option<T>, join: impl Fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(join(a, b)),
        (a, b) => a.or(b),
    }
}

/// The integer that holds both: of mixed signs the next signed one, int64 where there is none.
pub(crate) fn join_ints(a: (u8, bool), b: (u8, bool)) -> (u8, bool) {
    match (a, b) {
        ((n, s), (m, t)) if s == t => (n.max(m), s),
        ((n, true), (m, _)) | ((m, _), (n, true)) => (n.max(m.saturating_mul(2)).min(8), true),
        ((n, s), _) => (n, s),
    }
}

/// The smallest integer type that holds a range of literals.
pub(crate) fn literal_type(least: i128, most: i128) -> Type {
    if most > i128::from(i64::MAX) && least >= 0 {
        return crate::types::U64;
    }
    let fits = |size: u32| {
        let half = 1i128 << (size * 8 - 1);
        least >= -half && most < half
    };
    Type::int([1u8, 2, 4].into_iter().find(|&s| fits(u32::from(s))).unwrap_or(8), true)
}

/// Does an integer type hold this value?
pub(crate) fn int_holds(size: u8, signed: bool, value: i128) -> bool {
    let bits = u32::from(size) * 8;
    if signed {
        (-(1i128 << (bits - 1))..1i128 << (bits - 1)).contains(&value)
    } else {
        (0..1i128 << bits).contains(&value)
    }
}

fn int_type(fixed: Option<(u8, bool)>, literals: Option<(i128, i128)>) -> Type {
    let Some((size, signed)) = fixed else {
        let (least, most) = literals.unwrap_or((0, 0));
        return literal_type(least, most);
    };
    let Some((least, most)) = literals else { return Type::int(size, signed) };
    // Where a negative literal meets an unsigned type both become the next signed one.
    let (size, signed) =
        if !signed && least < 0 { join_ints((size, false), (1, true)) } else { (size, signed) };
    let wide = [1u8, 2, 4, 8]
        .into_iter()
        .find(|&n| n >= size && int_holds(n, signed, least) && int_holds(n, signed, most))
        .unwrap_or(8);
    Type::int(wide, signed)
}

fn join_tuples(a: &mut [(Option<Rc<str>>, Shape)], b: &[(Option<Rc<str>>, Shape)]) -> Result<(), Conflict> {
    if a.len() != b.len() {
        return Err(Conflict::Types);
    }
    for (at, (name, shape)) in a.iter_mut().enumerate() {
        // Records join by name whatever the order of their fields.
        let other = match name {
            Some(name) => b.iter().find(|(n, _)| n.as_deref() == Some(name)),
            None => b.get(at).filter(|(n, _)| n.is_none()),
        };
        shape.join(&other.ok_or(Conflict::Types)?.1)?;
    }
    Ok(())
}

fn join_types(a: &Type, b: &Type) -> Result<Type, Conflict> {
    match (a, b) {
        (a, b) if a == b => Ok(a.clone()),
        (Type::Str(n), Type::Str(m)) => Ok(Type::Str(*n.max(m))),
        (Type::Buf(n), Type::Buf(m)) => Ok(Type::Buf(*n.max(m))),
        (Type::Enum(e), Type::Enum(f)) => {
            let (size, signed) = join_ints((e.size, e.signed), (f.size, f.signed));
            Ok(Type::int(size, signed))
        }
        (Type::Ptr { to: t, space: s }, Type::Ptr { to: u, space: r }) if same_target(t, u) => {
            Ok(Type::ptr((**t).clone(), join_spaces(*s, *r)))
        }
        (Type::Agg(a), Type::Agg(b)) => join_aggs(*a, *b).map(Type::Agg).ok_or(Conflict::Types),
        (Type::ProbeName, Type::Str(_)) | (Type::Str(_), Type::ProbeName) => Err(Conflict::ProbeText),
        _ => Err(Conflict::Types),
    }
}

fn join_spaces(a: AddrSpace, b: AddrSpace) -> AddrSpace {
    match (a.outside(), b.outside()) {
        _ if a == b => a,
        (a, b) if a == b => a,
        _ => AddrSpace::Unknown,
    }
}

/// Pointers go together when they point to the same type, in whatever address space.
pub(crate) fn same_target(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Ptr { to: a, .. }, Type::Ptr { to: b, .. }) => same_target(a, b),
        (a, b) => a == b,
    }
}

fn join_aggs(a: Agg, b: Agg) -> Option<Agg> {
    Some(match (a, b) {
        (Agg::Sum { signed: a }, Agg::Sum { signed: b }) => Agg::Sum { signed: a || b },
        (Agg::Min { signed: a }, Agg::Min { signed: b }) => Agg::Min { signed: a || b },
        (Agg::Max { signed: a }, Agg::Max { signed: b }) => Agg::Max { signed: a || b },
        (Agg::Avg { signed: a }, Agg::Avg { signed: b }) => Agg::Avg { signed: a || b },
        (Agg::Stats { signed: a }, Agg::Stats { signed: b }) => Agg::Stats { signed: a || b },
        (
            Agg::TSeries { interval, intervals, how, signed: a },
            Agg::TSeries { interval: i, intervals: n, how: h, signed: b },
        ) if (interval, intervals, how) == (i, n, h) => {
            Agg::TSeries { interval, intervals, how, signed: a || b }
        }
        (a, b) if a == b => a,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(v: i128) -> Shape {
        Shape::Int { fixed: None, literals: Some((v, v)) }
    }

    fn int(size: u8, signed: bool) -> Shape {
        Shape::of_type(&Type::int(size, signed))
    }

    fn joined(shapes: &[Shape]) -> String {
        let mut all = shapes[0].clone();
        for s in &shapes[1..] {
            if all.join(s).is_err() {
                return "conflict".into();
            }
        }
        let mut back = shapes[shapes.len() - 1].clone();
        for s in shapes.iter().rev().skip(1) {
            back.join(s).unwrap();
        }
        assert_eq!(all.to_type(), back.to_type(), "the order matters");
        all.to_type().to_string()
    }

    #[test]
    fn literals_take_the_smallest_signed_type_and_adapt() {
        assert_eq!(joined(&[literal(1)]), "int8");
        assert_eq!(joined(&[literal(1), literal(-1000)]), "int16");
        assert_eq!(joined(&[literal(1), int(8, false)]), "uint64");
        assert_eq!(joined(&[literal(300), int(1, false)]), "uint16");
        assert_eq!(joined(&[literal(-1), int(1, false)]), "int16");
        assert_eq!(joined(&[literal(i128::from(u64::MAX))]), "uint64");
        assert_eq!(joined(&[literal(-1), int(8, false)]), "int64");
    }

    #[test]
    fn mixed_signs_take_the_next_signed_type() {
        assert_eq!(joined(&[int(1, false), int(1, true)]), "int16");
        assert_eq!(joined(&[int(8, false), int(1, true)]), "int64");
        assert_eq!(joined(&[int(2, false), int(8, true)]), "int64");
    }

    #[test]
    fn texts_and_tuples_widen_field_by_field() {
        let tuple = |n, s| Shape::Tuple(vec![(None, literal(n)), (None, Shape::Other(Type::Str(s)))]);
        assert_eq!(joined(&[tuple(1, 4), tuple(300, 16)]), "(int16,string[16])");
        assert_eq!(joined(&[tuple(1, 4), literal(1)]), "conflict");
    }
}
