//! Types as written.

use super::{Builder, Rule, inner};
use crate::ast::{Expr, ExprKind, TypeExpr, TypeExprKind, TypeOrExpr};
use pest::iterators::Pair;

impl Builder {
    /// `type_ref`, `let_type`, `type_tuple`, `c_type`: a base with suffixes.
    pub(super) fn type_expr(&mut self, pair: Pair<Rule>) -> TypeExpr {
        let span = self.span(&pair);
        let mut ty = TypeExpr { kind: TypeExprKind::Named("void".into()), span };
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::type_ref => ty = self.type_expr(p),
                Rule::type_tuple => {
                    let parts: Vec<_> = inner(p, Rule::let_type).collect();
                    let parts = parts.into_iter().map(|p| self.type_expr(p)).collect();
                    ty = TypeExpr { kind: TypeExprKind::Tuple(parts), span };
                }
                Rule::type_suffix => ty = self.suffix(ty, p),
                Rule::c_qualifier => {}
                _ => ty = self.type_base(p),
            }
        }
        ty
    }

    fn type_base(&mut self, pair: Pair<Rule>) -> TypeExpr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::tagged => Self::tagged(pair),
            Rule::c_words => {
                TypeExprKind::Named(pair.as_str().split_whitespace().collect::<Vec<_>>().join(" ").into())
            }
            Rule::type_of => self.type_of(pair),
            _ => TypeExprKind::Named(pair.as_str().into()),
        };
        TypeExpr { kind, span }
    }

    /// `struct NAME` and its kin.
    fn tagged(pair: Pair<Rule>) -> TypeExprKind {
        let mut parts = pair.into_inner();
        let keyword = parts.next().map(|k| k.as_rule());
        let name = parts.next().map_or("", |p| p.as_str()).into();
        match keyword {
            Some(Rule::kw_union) => TypeExprKind::Union(name),
            Some(Rule::kw_enum) => TypeExprKind::Enum(name),
            _ => TypeExprKind::Struct(name),
        }
    }

    fn type_of(&mut self, pair: Pair<Rule>) -> TypeExprKind {
        let span = self.span(&pair);
        match inner(pair, Rule::type_or_expr).next() {
            Some(p) => TypeExprKind::Typeof(Box::new(self.type_or_expr(p))),
            None => TypeExprKind::Typeof(Box::new(TypeOrExpr::Expr(Self::nothing(span)))),
        }
    }

    fn suffix(&mut self, ty: TypeExpr, pair: Pair<Rule>) -> TypeExpr {
        let span = ty.span.to(self.span(&pair));
        let kind = match pair.into_inner().next() {
            Some(p) if p.as_rule() == Rule::type_dim => {
                let size = p.into_inner().next().map(|n| Box::new(self.dimension(&n)));
                TypeExprKind::Array(Box::new(ty), size)
            }
            _ => TypeExprKind::Ptr(Box::new(ty)),
        };
        TypeExpr { kind, span }
    }

    fn dimension(&mut self, pair: &Pair<Rule>) -> Expr {
        let span = self.span(pair);
        let kind = match pair.as_rule() {
            Rule::int => ExprKind::Int(self.integer(pair)),
            _ => ExprKind::Ident(pair.as_str().into()),
        };
        Expr { kind, span }
    }

    /// The argument of `sizeof`, `typeof`, `offsetof`.
    pub(super) fn type_or_expr(&mut self, pair: Pair<Rule>) -> TypeOrExpr {
        let span = self.span(&pair);
        match pair.into_inner().next() {
            Some(p) if p.as_rule() == Rule::type_ref => TypeOrExpr::Type(self.type_expr(p)),
            Some(p) => TypeOrExpr::Expr(self.expr(p)),
            None => TypeOrExpr::Expr(Self::nothing(span)),
        }
    }

    /// `typeof(…)` as a macro's argument.
    pub(super) fn type_arg(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        Expr { kind: ExprKind::TypeArg(self.type_expr(pair)), span }
    }
}
