//! Structs, enums and typedefs of the kernel.

use super::LiveSystem;
use super::ctype::base_type;
use super::named::{NameOf, name_of};
use crate::files::btf::{BtfError, KindTag, TypeId};
use crate::near;
use rbtrace_lang::system::{Answer, FuncProto, SystemError};
use rbtrace_lang::types::{EnumType, Field, StructKind, StructType, Type};
use std::rc::Rc;

impl LiveSystem {
    pub(super) fn find_struct(&self, kind: StructKind, name: &str) -> Answer<Rc<StructType>> {
        let (tag, word) = match kind {
            StructKind::Struct => (KindTag::Struct, "struct"),
            StructKind::Union => (KindTag::Union, "union"),
        };
        let found = self.lookup(None, tag, name)?;
        let found = found.and_then(|id| self.types().struct_type(id));
        found.ok_or_else(|| self.unknown(tag, &format!("{word} {name}"), name))
    }

    pub(super) fn find_enum(&self, name: &str) -> Answer<Rc<EnumType>> {
        let id = match self.lookup(None, KindTag::Enum, name)? {
            Some(id) => Some(id),
            None => self.lookup(None, KindTag::Enum64, name)?,
        };
        let found = id.and_then(|id| self.types().enum_type(id));
        found.ok_or_else(|| self.unknown(KindTag::Enum, &format!("enum {name}"), name))
    }

    pub(super) fn find_named(&self, name: &str) -> Answer<Type> {
        if let Some(ty) = base_type(name) {
            return Ok(ty);
        }
        let id = match self.lookup(None, KindTag::Typedef, name)? {
            Some(id) => Some(id),
            None => self.lookup(None, KindTag::Int, name)?,
        };
        let found = id.and_then(|id| self.types().convert(id));
        found.ok_or_else(|| self.unknown(KindTag::Typedef, name, name))
    }

    pub(super) fn find_constant(&self, name: &str) -> Option<(i64, Rc<EnumType>)> {
        if !self.types().available() {
            return None;
        }
        let (id, value) = self.types().find_enum_constant(name).ok()??;
        Some((value, self.types().enum_type(id)?))
    }

    pub(super) fn fields_of(&self, ty: &StructType) -> Answer<Rc<[Field]>> {
        if let Some(done) = ty.fields.get() {
            return Ok(done.clone());
        }
        if let Some(fields) = self.user_types().members(ty) {
            let fields = fields?;
            return Ok(ty.fields.get_or_init(|| fields).clone());
        }
        let fields = match TypeId::from_key(ty.key) {
            Some(id) => self.members_of(id, ty)?,
            None => match self.resolve_type(&shell(ty)) {
                Type::Struct(full) if full.key != ty.key => self.fields_of(&full)?,
                _ => return Err(undefined(ty)),
            },
        };
        Ok(ty.fields.get_or_init(|| fields).clone())
    }

    /// Members by number; a type that one blob only declares may be defined in another.
    fn members_of(&self, id: TypeId, ty: &StructType) -> Answer<Rc<[Field]>> {
        if let Some(fields) = self.types().members(id) {
            return Ok(fields);
        }
        let full = self.find_struct(ty.kind, &ty.name).map_err(|_| undefined(ty))?;
        TypeId::from_key(full.key)
            .filter(|full| *full != id)
            .and_then(|full| self.types().members(full))
            .ok_or_else(|| undefined(ty))
    }

    /// A type that is known by name only becomes the kernel's; unknown ones stay as they are.
    pub(super) fn resolve_type(&self, ty: &Type) -> Type {
        match ty {
            Type::Ptr { to, space } => Type::ptr(self.resolve_type(to), *space),
            Type::Array { elem, len } => Type::Array { elem: Box::new(self.resolve_type(elem)), len: *len },
            Type::Struct(s) if let Some(full) = self.user_types().resolve(s) => Type::Struct(full),
            Type::Struct(s) => self.resolve_name(s).unwrap_or_else(|| ty.clone()),
            Type::Enum(e) if e.values.is_empty() && !e.name.is_empty() => match self.find_enum(&e.name) {
                // The record may hold the enum in fewer bytes than C gives it.
                Ok(full) if full.size == e.size => Type::Enum(full),
                Ok(full) => Type::Enum(Rc::new(EnumType {
                    name: full.name.clone(),
                    size: e.size,
                    signed: full.signed,
                    values: full.values.clone(),
                })),
                Err(_) => ty.clone(),
            },
            _ => ty.clone(),
        }
    }

    fn resolve_name(&self, s: &StructType) -> Option<Type> {
        let found = match name_of(s)? {
            NameOf::Struct => self.find_struct(StructKind::Struct, &s.name).map(Type::Struct),
            NameOf::Union => self.find_struct(StructKind::Union, &s.name).map(Type::Struct),
            NameOf::Typedef => self.find_named(&s.name),
        };
        found.ok()
    }

    pub(super) fn function_proto(&self, module: Option<&str>, func: &str) -> Answer<FuncProto> {
        let id = self.lookup(module, KindTag::Func, func)?;
        let proto = id.and_then(|id| self.types().proto(id, 0));
        proto.ok_or_else(|| {
            SystemError::with_hint(
                format!("the parameters of {func} are not known: the kernel's BTF has no such function"),
                "arg0, arg1, … read them without their types",
            )
        })
    }

    /// A type by kind and name; the error is that of a kernel without usable BTF.
    pub(super) fn lookup(&self, module: Option<&str>, kind: KindTag, name: &str) -> Answer<Option<TypeId>> {
        self.types().find(module, kind, name).map_err(|e| no_btf(&e))
    }

    fn unknown(&self, kind: KindTag, shown: &str, name: &str) -> SystemError {
        let known = self.types().vmlinux().map_err(|e| no_btf(&e));
        let hint = known.ok().and_then(|btf| {
            let names = btf.of_kind(kind).filter_map(|id| Some(btf.ty(id)?.name()));
            near::hint(name, names)
        });
        SystemError::missing(format!("there is no type '{shown}'"), hint)
    }
}

fn undefined(ty: &StructType) -> SystemError {
    SystemError::new(format!("the members of {} are not known here", shell(ty)))
}

/// The same type without its members.
fn shell(ty: &StructType) -> Type {
    Type::Struct(Rc::new(StructType {
        name: ty.name.clone(),
        kind: ty.kind,
        size: ty.size,
        align: ty.align,
        key: ty.key,
        fields: Default::default(),
    }))
}

/// The error of a kernel whose types cannot be read.
pub(super) fn no_btf(e: &BtfError) -> SystemError {
    const UNKNOWN: &str = "the kernel's types are not known";
    let kind = if let BtfError::Io { source, .. } = e { Some(source.kind()) } else { None };
    let hint = match kind {
        Some(std::io::ErrorKind::NotFound) => {
            "kernel types need BTF: a kernel built with CONFIG_DEBUG_INFO_BTF, or the struct defined in the script"
        }
        Some(std::io::ErrorKind::PermissionDenied) => "rbtrace needs root: run it with sudo",
        _ => return SystemError::with_hint(UNKNOWN, e.to_string()),
    };
    SystemError::with_hint(format!("{UNKNOWN}: {e}"), hint)
}
