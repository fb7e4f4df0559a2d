//! Structs and what lies in memory: members, address spaces.

use super::Checker;
use crate::Span;
use crate::types::{Bits, Field, StructType, Type};
use std::rc::Rc;

/// A member that was found, anonymous structs on the way added up.
pub(crate) struct Member {
    pub ty: Type,
    /// Bytes from the start of the outermost struct.
    pub offset: u32,
    pub bits: Option<Bits>,
    pub data_loc: bool,
}

impl Checker<'_> {
    /// A type whose members are about to be looked at; a script's own types are whole already.
    pub(crate) fn resolved(&self, ty: &Type) -> Type {
        let mut core = ty;
        while let Type::Ptr { to, .. } | Type::Array { elem: to, .. } = core {
            core = to;
        }
        match core {
            Type::Struct(s) if !self.c.owns(s) => self.system.resolve(ty),
            Type::Enum(_) => self.system.resolve(ty),
            _ => ty.clone(),
        }
    }

    /// The members of a struct, asked of the system when they are first needed.
    pub(crate) fn fields_of(&mut self, s: &Rc<StructType>, span: Span) -> Option<Rc<[Field]>> {
        if let Some(fields) = s.fields.get() {
            return Some(Rc::clone(fields));
        }
        if self.c.owns(s) {
            return self.user_fields(s, span);
        }
        let answer = self.system.complete(s);
        let fields = self.ask(span, answer)?;
        // The system may have set them itself.
        let _ = s.fields.set(Rc::clone(&fields));
        Some(fields)
    }

    /// The member of this name, those of anonymous structs and unions included. Outer `None`: the
    /// members are not known.
    pub(crate) fn member(&mut self, s: &Rc<StructType>, name: &str, span: Span) -> Option<Option<Member>> {
        let fields = self.fields_of(s, span)?;
        if let Some(f) = fields.iter().find(|f| &*f.name == name) {
            return Some(Some(Member {
                ty: f.ty.clone(),
                offset: f.offset,
                bits: f.bits,
                data_loc: f.data_loc,
            }));
        }
        for f in fields.iter().filter(|f| f.name.is_empty()) {
            let Type::Struct(inner) = &f.ty else { continue };
            if let Some(found) = self.member(inner, name, span)? {
                return Some(Some(Member { offset: f.offset + found.offset, ..found }));
            }
        }
        Some(None)
    }

    /// The names of all members, for near matches.
    pub(crate) fn member_names(&mut self, s: &Rc<StructType>, span: Span) -> Vec<Rc<str>> {
        let mut out = vec![];
        for f in self.fields_of(s, span).iter().flat_map(|f| f.iter()) {
            match &f.ty {
                Type::Struct(inner) if f.name.is_empty() => out.extend(self.member_names(inner, span)),
                _ => out.push(Rc::clone(&f.name)),
            }
        }
        out
    }

    /// Completes all structs that lie in a value of this type, for the printer.
    pub(crate) fn complete_deep(&mut self, ty: &Type, span: Span) -> Option<()> {
        match ty {
            Type::Struct(s) => {
                let known = s.fields.get().is_some();
                for f in self.fields_of(s, span)?.iter() {
                    // What was complete before was completed deeply, save a record of a tracepoint.
                    if !known || !matches!(f.ty, Type::Int { .. } | Type::Ptr { .. }) {
                        self.complete_deep(&f.ty, span)?;
                    }
                }
                Some(())
            }
            Type::Array { elem, .. } => self.complete_deep(elem, span),
            Type::Tuple(t) => {
                for (_, ty) in &t.fields {
                    self.complete_deep(ty, span)?;
                }
                Some(())
            }
            _ => Some(()),
        }
    }
}
