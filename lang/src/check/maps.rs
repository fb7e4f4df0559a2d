//! Maps: keys, values, and what is known of their types over the whole script.

use super::shape::{Conflict, Shape};
use super::{Checker, Typed};
use crate::ast;
use crate::hir::{Expr, ExprKind, Map, MapDeclKind, MapId};
use crate::types::{Agg, Type};
use crate::{Diagnostic, Span};
use std::collections::HashMap;
use std::rc::Rc;

/// What is known of a map.
struct State {
    /// Name with `@`.
    name: Rc<str>,
    /// First use.
    span: Span,
    /// Used with a key? And where that was seen first.
    keyed: Option<(bool, Span)>,
    key: Option<(Shape, Span)>,
    value: Option<(Shape, Span)>,
    /// What is assigned could not be typed: its unknown type is not reported a second time.
    failed: bool,
}

/// A map declaration of the script.
struct Declared {
    name: Rc<str>,
    kind: MapDeclKind,
    entries: u32,
    span: Span,
}

/// All maps of the script.
pub(crate) struct Maps {
    /// In the order of their first use.
    used: Vec<State>,
    /// The numbers of those in use, by their names.
    numbers: HashMap<Rc<str>, MapId>,
    declared: Vec<Declared>,
    default_entries: u32,
}

impl Maps {
    pub(crate) fn new(script: &ast::Script, default_entries: u32, diags: &mut Vec<Diagnostic>) -> Self {
        let mut declared: Vec<Declared> = vec![];
        for d in &script.map_decls {
            match declaration(d) {
                Ok(new) => match declared.iter().find(|o| o.name == new.name) {
                    Some(old) => diags.push(
                        Diagnostic::error(d.name.span, format!("{} is declared twice", new.name))
                            .related(old.span, "first declared here"),
                    ),
                    None => declared.push(new),
                },
                Err(e) => diags.push(*e),
            }
        }
        Maps { used: vec![], numbers: HashMap::new(), declared, default_entries }
    }

    /// Starts inference again; the numbers of the maps stay.
    pub(crate) fn forget_types(&mut self) {
        for m in &mut self.used {
            (m.keyed, m.key, m.value, m.failed) = (None, None, None, false);
        }
    }

    /// Maps that are declared and never used.
    pub(crate) fn unused(&self) -> Vec<(Rc<str>, Span)> {
        let used = |d: &&Declared| !self.numbers.contains_key(&d.name);
        self.declared.iter().filter(used).map(|d| (Rc::clone(&d.name), d.span)).collect()
    }

    /// The maps as the code generator gets them.
    pub(crate) fn finish(&self) -> Vec<Map> {
        let declared: HashMap<&str, &Declared> = self.declared.iter().map(|d| (&*d.name, d)).collect();
        self.used
            .iter()
            .map(|m| {
                let decl = declared.get(&*m.name);
                Map {
                    name: Rc::clone(&m.name),
                    key: m.key.as_ref().map(|(k, _)| k.to_type()),
                    value: m.value.as_ref().map_or(crate::types::I64, |(v, _)| v.to_type()),
                    decl: decl.map(|d| d.kind),
                    max_entries: decl.map_or(self.default_entries, |d| d.entries),
                    span: m.span,
                }
            })
            .collect()
    }

    /// Declarations whose kind of map cannot hold what the script keeps in it.
    pub(crate) fn misdeclared(&self) -> Vec<Diagnostic> {
        let used = self.used.iter().filter_map(|m| Some((m, m.value.as_ref()?)));
        let wrong = used.filter_map(|(m, (value, first))| {
            let declared = self.declared.iter().find(|d| d.name == m.name)?;
            let collects = matches!(value.to_type(), Type::Agg(_));
            let by_cpu = matches!(declared.kind, MapDeclKind::PerCpuHash | MapDeclKind::LruPerCpuHash);
            (collects != by_cpu).then_some((declared, collects, *first))
        });
        wrong.map(|(declared, collects, first)| mismatch(declared, collects, first)).collect()
    }

    /// The names of all maps, for near matches.
    fn names(&self) -> Vec<String> {
        self.used.iter().filter(|m| m.value.is_some()).map(|m| m.name.to_string()).collect()
    }
}

fn mismatch(declared: &Declared, collects: bool, first: Span) -> Diagnostic {
    let name = &declared.name;
    let (what, hint) = if collects {
        ("of its own for each CPU, which a hash has not", "declare it as percpuhash or percpulruhash")
    } else {
        ("for all CPUs, not one for each", "declare it as hash or lruhash")
    };
    Diagnostic::error(declared.span, format!("{name} keeps a value {what}"))
        .related(first, "it is assigned here")
        .hint(hint)
}

fn declaration(d: &ast::MapDecl) -> Result<Declared, Box<Diagnostic>> {
    let kind = match &*d.kind.text {
        "hash" => MapDeclKind::Hash,
        "lruhash" => MapDeclKind::LruHash,
        "percpuhash" => MapDeclKind::PerCpuHash,
        "percpulruhash" => MapDeclKind::LruPerCpuHash,
        other => {
            return Err(Box::new(
                Diagnostic::error(d.kind.span, format!("there is no map type '{other}'"))
                    .hint("map types are hash, lruhash, percpuhash, percpulruhash"),
            ));
        }
    };
    let entries = u32::try_from(d.entries).ok().filter(|&n| n > 0).ok_or_else(|| {
        Box::new(Diagnostic::error(d.span, format!("a map has 1 to {} entries, not {}", u32::MAX, d.entries)))
    })?;
    Ok(Declared { name: format!("@{}", d.name.text).into(), kind, entries, span: d.span })
}

impl Checker<'_> {
    /// The number of a map.
    pub(crate) fn map_id(&mut self, name: &str, span: Span) -> MapId {
        let full: Rc<str> = format!("@{name}").into();
        if let Some(id) = self.maps.numbers.get(&full) {
            return *id;
        }
        let id = MapId(self.maps.used.len() as u32);
        self.maps.numbers.insert(Rc::clone(&full), id);
        self.maps.used.push(State { name: full, span, keyed: None, key: None, value: None, failed: false });
        id
    }

    fn map(&mut self, id: MapId) -> &mut State {
        &mut self.maps.used[id.0 as usize]
    }

    /// The name of a map with its `@`.
    pub(crate) fn map_name(&self, id: MapId) -> Rc<str> {
        Rc::clone(&self.maps.used[id.0 as usize].name)
    }

    /// Notes that a map is used with or without a key; an error where it was otherwise before.
    pub(crate) fn note_keyed(&mut self, id: MapId, keyed: bool, span: Span) -> Option<()> {
        let Some((before, first)) = self.map(id).keyed else {
            self.map(id).keyed = Some((keyed, span));
            return Some(());
        };
        if before == keyed {
            return Some(());
        }
        let name = self.map_name(id);
        let text = |k| if k { "with a key" } else { "without a key" };
        self.diags.push(
            Diagnostic::error(span, format!("{name} is used {} here, {} before", text(keyed), text(before)))
                .related(first, format!("used {} here", text(before))),
        );
        None
    }

    /// Is the map used with keys? `None`: not known yet.
    pub(crate) fn is_keyed(&mut self, id: MapId) -> Option<bool> {
        self.map(id).keyed.map(|(k, _)| k)
    }

    /// Is a map of this name used with keys, as far as is known?
    pub(crate) fn has_keys(&mut self, name: &str, span: Span) -> bool {
        let map = self.map_id(name, span);
        self.is_keyed(map) == Some(true)
    }

    /// The key of an entry: joins its type and widens it to the map's.
    pub(crate) fn map_key(&mut self, id: MapId, key: &ast::Expr, whole: Span) -> Typed {
        let keyed = self.note_keyed(id, true, whole);
        let key = self.value(key)?;
        keyed?;
        self.check_key_type(&key)?;
        self.complete_deep(&key.ty, key.span)?;
        let shape = Shape::of_expr(&key);
        let state = self.map(id);
        let Some((old, first)) = state.key.clone() else {
            state.key = Some((shape.clone(), whole));
            self.changed = true;
            return Some(self.coerce(key, &shape.to_type()));
        };
        let mut new = old.clone();
        match new.join(&shape) {
            Ok(()) => {}
            Err(Conflict::ProbeText) => return self.probe_as_text(),
            Err(Conflict::Types) => {
                let name = self.map_name(id);
                self.diags.push(
                    Diagnostic::error(
                        whole,
                        format!("the keys of {name} are '{}': '{}' cannot be one", old.to_type(), key.ty),
                    )
                    .related(first, format!("'{}' since here", old.to_type())),
                );
                return None;
            }
        }
        if new != old {
            self.map(id).key = Some((new.clone(), first));
            self.changed = true;
        }
        Some(self.coerce(key, &new.to_type()))
    }

    fn check_key_type(&mut self, key: &Expr) -> Option<()> {
        match &key.ty {
            Type::Void => self.error(key.span, "this has no value that could be a key"),
            Type::Agg(_) => self.error(key.span, format!("'{}' cannot be a key", key.ty)),
            _ => Some(()),
        }
    }

    /// Notes that what is assigned to a map could not be typed.
    pub(crate) fn note_failed(&mut self, id: MapId) {
        if !std::mem::replace(&mut self.map(id).failed, true) {
            // Uses before this place are looked at again.
            self.changed = true;
        }
    }

    /// Gives an error where maps get their values only from each other: no single use is at fault, so none reported it.
    pub(crate) fn report_circular_maps(&mut self) {
        if self.has_errors() {
            return;
        }
        let circular = self.maps.used.iter().find(|m| m.failed && m.value.is_none());
        if let Some((name, span)) = circular.map(|m| (Rc::clone(&m.name), m.span)) {
            let hint = format!("assign something else to {name} first, for example in begin");
            self.error_hint::<()>(span, format!("{name} gets its values only from itself"), Some(hint));
        }
    }

    /// Widens a map's value by what is assigned; gives its type.
    pub(crate) fn join_value(&mut self, id: MapId, shape: &Shape, ty: &Type, span: Span) -> Option<Type> {
        let shape = shape.in_memory();
        let state = self.map(id);
        let Some((old, first)) = state.value.clone() else {
            state.value = Some((shape.clone(), span));
            self.changed = true;
            return Some(shape.to_type());
        };
        let mut new = old.clone();
        match new.join(&shape) {
            Ok(()) => {}
            Err(Conflict::ProbeText) => return self.probe_as_text(),
            Err(Conflict::Types) => return self.value_mismatch(id, ty, &old.to_type(), first, span),
        }
        if new != old {
            self.map(id).value = Some((new.clone(), first));
            self.changed = true;
        }
        Some(new.to_type())
    }

    fn value_mismatch<T>(
        &mut self,
        id: MapId,
        value: &Type,
        map: &Type,
        first: Span,
        span: Span,
    ) -> Option<T> {
        let name = self.map_name(id);
        self.diags.push(
            Diagnostic::error(span, format!("{name} holds '{map}': '{value}' cannot be assigned to it"))
                .related(first, format!("{name} is '{map}' since here")),
        );
        None
    }

    /// The type of a map's values so far, aggregations as such.
    pub(crate) fn value_type(&mut self, id: MapId, span: Span) -> Option<Type> {
        if let Some((shape, _)) = &self.map(id).value {
            return Some(shape.to_type());
        }
        self.unknown = true;
        if self.phase == super::Phase::Report && !self.map(id).failed {
            let name = self.map_name(id);
            let hint = super::suggest::did_you_mean(&name, self.maps.names());
            return self.error_hint(span, format!("nothing is ever assigned to {name}"), hint);
        }
        None
    }

    /// Like [`Self::value_type`], but says nothing of a map that is not assigned.
    pub(crate) fn known_value_type(&mut self, id: MapId) -> Option<Type> {
        self.map(id).value.as_ref().map(|(shape, _)| shape.to_type())
    }

    /// The type of a map's keys so far.
    pub(crate) fn key_type(&mut self, id: MapId, span: Span) -> Option<Type> {
        if let Some((shape, _)) = &self.map(id).key {
            return Some(shape.to_type());
        }
        let name = self.map_name(id);
        if self.map(id).failed {
            return None;
        }
        self.unknown(span, || format!("nothing is ever assigned to {name}"))
    }

    /// `@m` or `@m[key]` as a value; an aggregation as its scalar.
    pub(crate) fn read_map(&mut self, name: &str, key: Option<&ast::Expr>, span: Span) -> Typed {
        let map = self.map_id(name, span);
        let key = match key {
            Some(key) => {
                let key = self.map_key(map, key, span);
                self.value_type(map, span)?;
                Some(Box::new(key?))
            }
            None => {
                self.note_keyed(map, false, span)?;
                None
            }
        };
        let ty = match self.value_type(map, span)? {
            Type::Agg(agg) => self.scalar_of(agg, map, span)?,
            ty => ty,
        };
        Some(Expr { kind: ExprKind::MapGet { map, key }, ty, span })
    }

    fn scalar_of(&mut self, agg: Agg, map: MapId, span: Span) -> Option<Type> {
        if let Some(ty) = agg.scalar() {
            return Some(ty);
        }
        let name = self.map_name(map);
        self.error_hint(
            span,
            format!("{name} holds '{}', which has no single value", Type::Agg(agg)),
            Some(format!("print({name}) prints it")),
        )
    }

    /// The map that an expression names, as functions on maps take it.
    pub(crate) fn named_map(&mut self, e: &ast::Expr) -> Option<MapId> {
        match &e.kind {
            ast::ExprKind::Map(name) => Some(self.map_id(name, e.span)),
            _ => None,
        }
    }
}
