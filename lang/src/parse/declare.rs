//! C declarations: structs, unions, enums, typedefs.

use super::constant::fold;
use super::{Builder, Rule, inner};
use crate::Span;
use crate::ast::{CDef, CDefKind, CField, CStruct, Expr, Name, TypeExpr, TypeExprKind};
use pest::iterators::Pair;

/// One declared name with the type that its stars and brackets make.
struct Declarator {
    name: Option<Name>,
    ty: TypeExpr,
    bits: Option<Expr>,
    span: Span,
}

impl Builder {
    /// `struct x { … };`, `enum x { … };`, `typedef … x;`
    pub(super) fn c_item(&mut self, pair: Pair<Rule>) -> Option<CDefKind> {
        let p = pair.into_inner().find(|p| p.as_rule() != Rule::EOI && p.as_rule() != Rule::semi)?;
        Some(match p.as_rule() {
            Rule::c_typedef => return self.c_typedef(p),
            Rule::c_enum => self.c_enum(p),
            _ => CDefKind::Struct(self.c_struct(p)),
        })
    }

    fn c_typedef(&mut self, pair: Pair<Rule>) -> Option<CDefKind> {
        let span = self.span(&pair);
        let mut ty = None;
        let mut result = None;
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::c_type => ty = Some(self.type_expr(p)),
                Rule::c_struct => {
                    let mut def = self.c_struct(p);
                    self.name_anonymous(&mut def, span);
                    ty = Some(struct_type(&def, span));
                    self.inner_defs.push(CDef { kind: CDefKind::Struct(def), span });
                }
                Rule::c_enum => ty = Some(self.inner_enum(p, span)),
                Rule::c_declarator => {
                    let d = self.declarator(p, ty.clone()?)?;
                    result = Some(CDefKind::Typedef { name: d.name?, ty: d.ty });
                }
                _ => {}
            }
        }
        result
    }

    /// A struct that only a typedef names still needs a name of its own.
    fn name_anonymous(&self, def: &mut CStruct, span: Span) {
        if def.name.is_empty() {
            def.name = format!("(anonymous at {}:{})", span.file, span.start).into();
        }
    }

    /// An enum inside another declaration: a declaration of its own, and the type that names it.
    fn inner_enum(&mut self, pair: Pair<Rule>, span: Span) -> TypeExpr {
        let kind = self.c_enum(pair);
        let ty = match &kind {
            CDefKind::Enum { name, .. } if !name.is_empty() => TypeExprKind::Enum(name.clone()),
            _ => TypeExprKind::Named("unsigned int".into()),
        };
        self.inner_defs.push(CDef { kind, span });
        TypeExpr { kind: ty, span }
    }

    fn c_enum(&mut self, pair: Pair<Rule>) -> CDefKind {
        let mut name = "".into();
        let mut values = vec![];
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::ident => name = p.as_str().into(),
                Rule::c_value => {
                    let mut parts = p.into_inner();
                    let constant = parts.next().map(|p| self.name(&p));
                    let value = parts.find(|p| p.as_rule() == Rule::expr).map(|p| self.expr(p));
                    values.extend(constant.map(|c| (c, value)));
                }
                _ => {}
            }
        }
        CDefKind::Enum { name, values }
    }

    fn c_struct(&mut self, pair: Pair<Rule>) -> CStruct {
        let mut def = CStruct { is_union: false, name: "".into(), fields: vec![], packed: false };
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::kw_union => def.is_union = true,
                Rule::ident => def.name = p.as_str().into(),
                Rule::c_attribute => def.packed |= self.attribute(&p),
                Rule::c_field => self.c_field(p, &mut def.fields),
                _ => {}
            }
        }
        def
    }

    /// Whether it says `packed`; other attributes change the layout in ways that we do not know.
    fn attribute(&mut self, pair: &Pair<Rule>) -> bool {
        let mut packed = false;
        let text =
            pair.as_str().trim_start_matches("__attribute__").replace(['(', ')', ' ', '\n', '\t'], " ");
        for attribute in text.split(',') {
            let words: Vec<_> = attribute.split_whitespace().map(|w| w.trim_matches('_')).collect();
            match words.as_slice() {
                ["packed"] => packed = true,
                // An alignment of 1 raises none.
                [] | ["aligned", "1"] | ["preserve_access_index" | "unused" | "deprecated"] => {}
                _ => {
                    let message = format!("__attribute__(({})) is not supported", words.join(" "));
                    self.error(self.span(pair), message);
                }
            }
        }
        packed
    }

    /// `T a, *b[3], c : 4;`, `struct { … } d;`, `union { … };`
    fn c_field(&mut self, pair: Pair<Rule>, fields: &mut Vec<CField>) {
        let span = self.span(&pair);
        let mut base = None;
        let mut inline = None;
        let mut declared = false;
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::c_type => base = Some(self.type_expr(p)),
                Rule::c_enum => base = Some(self.inner_enum(p, span)),
                Rule::c_struct => {
                    let def = self.c_struct(p);
                    base = Some(struct_type(&def, span));
                    inline = Some(Box::new(def));
                }
                Rule::c_declarators => {
                    declared = true;
                    for d in inner(p, Rule::c_declarator) {
                        let Some(ty) = base.clone() else { return };
                        let field = self.declarator(d, ty).map(|d| self.field(d, inline.clone()));
                        fields.extend(field);
                    }
                }
                _ => {}
            }
        }
        if let (false, Some(ty), Some(_)) = (declared, base, &inline) {
            fields.push(CField { name: "".into(), ty, inline, bits: None, span });
        }
    }

    fn field(&mut self, d: Declarator, inline: Option<Box<CStruct>>) -> CField {
        let bits = d.bits.and_then(|e| match fold(&e, &|_| None) {
            Some(n @ 0..=64) => Some(n as u8),
            _ => {
                self.error(e.span, "syntax: the width of a bit field must be a number from 0 to 64");
                None
            }
        });
        CField { name: d.name.map_or("".into(), |n| n.text), ty: d.ty, inline, bits, span: d.span }
    }

    fn declarator(&mut self, pair: Pair<Rule>, base: TypeExpr) -> Option<Declarator> {
        let span = self.span(&pair);
        let mut d = Declarator { name: None, ty: base, bits: None, span };
        let mut dims = vec![];
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::c_star => d.ty = pointer(d.ty, span),
                Rule::ident => d.name = Some(self.name(&p)),
                Rule::c_dim => dims.push(inner(p, Rule::expr).next().map(|e| Box::new(self.expr(e)))),
                Rule::c_bits => d.bits = inner(p, Rule::expr).next().map(|e| self.expr(e)),
                Rule::c_attribute => {
                    self.attribute(&p);
                }
                Rule::c_func => self.pointer_declarator(p, &mut d, &mut dims),
                _ => {}
            }
        }
        // `a[2][3]` is an array of two arrays of three.
        for dim in dims.into_iter().rev() {
            let size = dim.or_else(|| Some(Box::new(Self::nothing(span))));
            d.ty = TypeExpr { kind: TypeExprKind::Array(Box::new(d.ty), size), span };
        }
        Some(d)
    }

    /// `(*name)(args)`, `(*name)[N]`, `(*name[N])(args)`.
    fn pointer_declarator(
        &mut self,
        pair: Pair<Rule>,
        d: &mut Declarator,
        dims: &mut Vec<Option<Box<Expr>>>,
    ) {
        let span = d.span;
        let mut closed = false;
        let mut stars = 0;
        let mut outer = vec![];
        let is_function = pair.clone().into_inner().any(|p| p.as_rule() == Rule::c_params);
        for p in pair.into_inner() {
            match p.as_rule() {
                Rule::c_star => stars += 1,
                Rule::ident => d.name = Some(self.name(&p)),
                Rule::rparen => closed = true,
                Rule::c_dim => {
                    let size = inner(p, Rule::expr).next().map(|e| Box::new(self.expr(e)));
                    if closed { outer.push(size) } else { dims.push(size) }
                }
                _ => {}
            }
        }
        if is_function {
            // What a function pointer points to cannot be read.
            d.ty = TypeExpr { kind: TypeExprKind::Named("void".into()), span };
        }
        for size in outer.into_iter().rev() {
            d.ty = TypeExpr { kind: TypeExprKind::Array(Box::new(d.ty.clone()), size), span };
        }
        for _ in 0..stars {
            d.ty = pointer(d.ty.clone(), span);
        }
    }
}

fn pointer(to: TypeExpr, span: Span) -> TypeExpr {
    TypeExpr { kind: TypeExprKind::Ptr(Box::new(to)), span }
}

fn struct_type(def: &CStruct, span: Span) -> TypeExpr {
    let name = def.name.clone();
    let kind = if def.is_union { TypeExprKind::Union(name) } else { TypeExprKind::Struct(name) };
    TypeExpr { kind, span }
}
