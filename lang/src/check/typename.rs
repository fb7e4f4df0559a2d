//! Types as written.

use super::Checker;
use crate::Span;
use crate::ast::{Expr, ExprKind, TypeExpr, TypeExprKind, TypeOrExpr};
use crate::system::{Answer, TypeName};
use crate::types::{EnumType, StackType, StructKind, StructType, TupleType, Type};
use std::rc::Rc;

/// Most bytes of an array or struct of the script.
pub(crate) const MAX_BYTES: u64 = 16 << 20;

/// Types that every program knows: the language's own and C's.
pub(crate) fn base_type(name: &str) -> Option<Type> {
    let int = |size, signed| Some(Type::int(size, signed));
    match name {
        "void" => Some(Type::Void),
        "bool" | "_Bool" => Some(Type::Bool),
        "uint8" | "u8" | "__u8" | "uint8_t" | "unsigned char" => int(1, false),
        "int8" | "s8" | "__s8" | "int8_t" | "char" | "signed char" => int(1, true),
        "uint16" | "u16" | "__u16" | "uint16_t" | "unsigned short" | "unsigned short int"
        | "short unsigned int" | "__be16" | "__le16" => int(2, false),
        "int16" | "s16" | "__s16" | "int16_t" | "short" | "short int" | "signed short" => int(2, true),
        "uint32" | "u32" | "__u32" | "uint32_t" | "unsigned" | "unsigned int" | "__be32" | "__le32" => {
            int(4, false)
        }
        "int32" | "s32" | "__s32" | "int32_t" | "int" | "signed" | "signed int" => int(4, true),
        "uint64"
        | "u64"
        | "__u64"
        | "uint64_t"
        | "size_t"
        | "uintptr_t"
        | "unsigned long"
        | "unsigned long int"
        | "long unsigned int"
        | "unsigned long long"
        | "unsigned long long int"
        | "long long unsigned int"
        | "__be64"
        | "__le64" => int(8, false),
        "int64" | "s64" | "__s64" | "int64_t" | "ssize_t" | "intptr_t" | "long" | "long int"
        | "signed long" | "long long" | "long long int" | "signed long long" => int(8, true),
        "float" => Some(Type::Float(4)),
        "double" => Some(Type::Float(8)),
        _ => None,
    }
}

impl Checker<'_> {
    /// The type that is written; an error where there is none. Pointers point where plain integers of
    /// this body point to.
    pub(crate) fn resolve_type(&mut self, ty: &TypeExpr) -> Option<Type> {
        match &ty.kind {
            TypeExprKind::Named(name) => self.named(name, ty.span),
            TypeExprKind::Struct(name) => {
                self.struct_named(StructKind::Struct, name, ty.span).map(Type::Struct)
            }
            TypeExprKind::Union(name) => {
                self.struct_named(StructKind::Union, name, ty.span).map(Type::Struct)
            }
            TypeExprKind::Enum(name) => self.enum_named(name, ty.span).map(Type::Enum),
            TypeExprKind::Ptr(to) => Some(Type::ptr(self.resolve_type(to)?, self.space())),
            TypeExprKind::Array(elem, len) => self.array(elem, len.as_deref(), ty.span),
            TypeExprKind::Tuple(fields) => {
                let fields = fields.iter().map(|f| Some((None, self.resolve_type(f)?)));
                let fields = fields.collect::<Option<Vec<_>>>()?;
                Some(Type::Tuple(Rc::new(TupleType { fields })))
            }
            TypeExprKind::Typeof(of) => self.type_of(of),
        }
    }

    /// The type that `sizeof`, `typeof` and their kin mean.
    pub(crate) fn type_of(&mut self, of: &TypeOrExpr) -> Option<Type> {
        match of {
            TypeOrExpr::Type(TypeExpr { kind: TypeExprKind::Named(name), span }) => {
                if self.type_named(name).is_err()
                    && let Some(constant) = self.constant(name, *span)
                {
                    return Some(constant.ty);
                }
                self.named(name, *span)
            }
            TypeOrExpr::Type(t) => self.resolve_type(t),
            // Of a map with keys: the type of its keys.
            TypeOrExpr::Expr(Expr { kind: ExprKind::Map(name), span }) if self.has_keys(name, *span) => {
                let map = self.map_id(name, *span);
                self.key_type(map, *span)
            }
            TypeOrExpr::Expr(e) => {
                self.scopes.dead += 1;
                let typed = self.expr(e);
                self.scopes.dead -= 1;
                typed.map(|e| e.ty)
            }
        }
    }

    fn array(&mut self, elem: &TypeExpr, len: Option<&Expr>, span: Span) -> Option<Type> {
        if let TypeExprKind::Named(name) = &elem.kind {
            match &**name {
                "string" => return Some(Type::Str(self.array_len(len)?)),
                "buffer" => return Some(Type::Buf(self.array_len(len)?)),
                "inet" => return Some(Type::Inet),
                _ => {}
            }
        }
        let elem = self.resolve_type(elem)?;
        if elem.size() == 0 {
            return self.error(span, format!("an array cannot have elements of type '{elem}'"));
        }
        let len = self.array_len(len)?;
        if u64::from(elem.size()) * u64::from(len) > MAX_BYTES {
            return self.error(span, format!("an array of {len} '{elem}' is too large"));
        }
        Some(Type::Array { elem: Box::new(elem), len })
    }

    /// The length of an array type; 0 where it is left out.
    pub(crate) fn array_len(&mut self, len: Option<&Expr>) -> Option<u32> {
        let Some(len) = len else { return Some(0) };
        let value = self.const_int(len, "the length of an array")?;
        match u32::try_from(value) {
            Ok(n) if n <= 1 << 20 => Some(n),
            _ => self.error(len.span, format!("an array cannot have {value} elements")),
        }
    }

    fn named(&mut self, name: &Rc<str>, span: Span) -> Option<Type> {
        if let Some(target) = self.c.typedef(name) {
            return self.resolve_type(target);
        }
        match self.type_named(name) {
            Ok(ty) => Some(ty),
            Err(e) => {
                let hint = self.type_hint(name).or(e.hint);
                self.error_hint(span, format!("there is no type '{name}'"), hint)
            }
        }
    }

    fn type_named(&mut self, name: &str) -> Answer<Type> {
        if let Some(ty) = base_type(name).or_else(|| self.language_type(name)) {
            return Ok(ty);
        }
        if let Some(ty) = self.type_of_binary(TypeName::Plain(name)) {
            return Ok(ty);
        }
        self.system.named_type(name).map(|ty| ty.in_space(self.space()))
    }

    /// A type of the program or library that the body is attached to.
    fn type_of_binary(&self, name: TypeName) -> Option<Type> {
        let binary = self.view.context.binary.as_ref()?;
        self.system.user_type(binary, name).ok()
    }

    /// `(sk_buff *)` for `(struct sk_buff *)` is the commonest slip.
    fn type_hint(&mut self, name: &str) -> Option<String> {
        if self.system.struct_type(StructKind::Struct, name).is_ok() {
            return Some(format!("did you mean 'struct {name}'?"));
        }
        const NAMES: [&str; 14] = [
            "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "bool", "string",
            "buffer", "char", "int", "long",
        ];
        super::suggest::did_you_mean(name, NAMES)
    }

    fn language_type(&mut self, name: &str) -> Option<Type> {
        let stack = |c: &Self| StackType { mode: c.settings.stack_mode, depth: 127, cfi: false };
        Some(match name {
            "string" => Type::Str(0),
            "buffer" => Type::Buf(0),
            "inet" => Type::Inet,
            "mac_address" | "macaddr_t" => Type::Mac,
            "username" | "username_t" => Type::Username,
            "ksym_t" => Type::Ksym,
            "usym_t" => Type::Usym,
            "strerror_t" => Type::Strerror,
            "kstack_t" => Type::KStack(stack(self)),
            "ustack_t" => Type::UStack(stack(self)),
            _ => return None,
        })
    }

    /// A struct or union: the script's own, else the system's.
    pub(crate) fn struct_named(
        &mut self,
        kind: StructKind,
        name: &str,
        span: Span,
    ) -> Option<Rc<StructType>> {
        if let Some(own) = self.user_struct(kind, name) {
            return own;
        }
        let of_binary = match kind {
            StructKind::Struct => self.type_of_binary(TypeName::Struct(name)),
            StructKind::Union => self.type_of_binary(TypeName::Union(name)),
        };
        if let Some(Type::Struct(s)) = of_binary {
            return Some(s);
        }
        match self.system.struct_type(kind, name) {
            Ok(s) => Some(s),
            Err(e) => {
                let word = if kind == StructKind::Struct { "struct" } else { "union" };
                let hint = self.other_keyword(kind, name).or(e.hint);
                self.error_hint(span, format!("there is no type '{word} {name}'"), hint)
            }
        }
    }

    fn other_keyword(&mut self, kind: StructKind, name: &str) -> Option<String> {
        let (other, word) = match kind {
            StructKind::Struct => (StructKind::Union, "union"),
            StructKind::Union => (StructKind::Struct, "struct"),
        };
        let known = self.c_has(other, name) || self.system.struct_type(other, name).is_ok();
        known.then(|| format!("there is a '{word} {name}'"))
    }

    fn c_has(&mut self, kind: StructKind, name: &str) -> bool {
        self.user_struct(kind, name).is_some()
    }

    /// An enum: the script's own, else the system's.
    pub(crate) fn enum_named(&mut self, name: &str, span: Span) -> Option<Rc<EnumType>> {
        if let Some(own) = self.user_enum(name) {
            return Some(own);
        }
        if let Some(Type::Enum(e)) = self.type_of_binary(TypeName::Enum(name)) {
            return Some(e);
        }
        match self.system.enum_type(name) {
            Ok(e) => Some(e),
            Err(e) => self.error_hint(span, format!("there is no type 'enum {name}'"), e.hint),
        }
    }
}
