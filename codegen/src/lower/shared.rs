//! What all programs of one script share: maps, record kinds, counters.

use super::{Unit, Units, locker_maps, tallied_maps};
use crate::hash::FastMap;
use crate::kernel::Kernel;
use crate::layout::{self, MapHome};
use crate::object::{Control, Counter, Fault, Form, MapDef, MapRole, ObjMapId, Point, Record};
use rbtrace_lang::Span;
use rbtrace_lang::hir::{self, EmitKind, MapId};
use rbtrace_lang::types::{StackMode, StackType};
use std::rc::Rc;

/// Number of the control map.
pub(super) const CONTROL: ObjMapId = ObjMapId(0);

/// State of the compilation of one script.
pub(super) struct Shared<'p> {
    pub(super) program: &'p hir::Program,
    pub(super) kernel: &'p dyn Kernel,
    pub(super) form: Form,
    maps: Vec<MapDef>,
    homes: Vec<MapHome>,
    events: Option<ObjMapId>,
    zeros: Option<(ObjMapId, u32)>,
    data: Option<(ObjMapId, Vec<u8>)>,
    stacks: Vec<(StackType, bool, ObjMapId)>,
    unwind: Option<ObjMapId>,
    announced: Option<ObjMapId>,
    tallies: Option<ObjMapId>,
    lockers: Option<ObjMapId>,
    records: Vec<Record>,
    counters: Vec<Counter>,
    /// The numbers of the records and the counters of each place.
    of_place: FastMap<Span, Numbers>,
}

/// Numbers of records and of counters.
#[derive(Default)]
struct Numbers {
    records: Vec<usize>,
    counters: Vec<usize>,
}

impl<'p> Shared<'p> {
    pub(super) fn new(program: &'p hir::Program, kernel: &'p dyn Kernel, form: Form) -> Self {
        let mut maps = vec![layout::control_map(0)];
        let uses = super::collect::uses(program, kernel);
        let (defs, homes) = layout::script_maps(&program.maps, &uses, ObjMapId(CONTROL.0 + 1));
        maps.extend(defs);
        let mut add = |def: MapDef| {
            maps.push(def);
            ObjMapId(maps.len() as u32 - 1)
        };
        let tallies = tallied_maps::definition(tallied_maps::maps(program, &uses), kernel);
        let tallies = tallies.map(&mut add);
        let lockers = locker_maps::definition(locker_maps::maps(program), kernel);
        let lockers = lockers.map(&mut add);
        Shared {
            program,
            kernel,
            form,
            maps,
            homes,
            events: None,
            zeros: None,
            data: None,
            stacks: vec![],
            unwind: None,
            announced: None,
            tallies,
            lockers,
            records: vec![],
            counters: vec![],
            of_place: FastMap::default(),
        }
    }

    /// The kernel object of a script's map.
    pub(super) fn map_id(&self, map: MapId) -> ObjMapId {
        self.home(map).object
    }

    /// Where a script's map lies.
    pub(super) fn home(&self, map: MapId) -> MapHome {
        self.homes[map.0 as usize]
    }

    /// Does each CPU collect a value of its own in a script's map?
    pub(super) fn is_per_cpu(&self, map: MapId) -> bool {
        self.def(self.map_id(map)).kind.is_per_cpu()
    }

    /// The tallies in front of a script's map, where it has some: the kernel object, and its number there.
    pub(super) fn tallies(&self, map: MapId) -> Option<(ObjMapId, u32)> {
        let id = self.tallies?;
        let MapRole::Tallies(maps) = &self.def(id).role else { return None };
        maps.iter().position(|m| *m == map).map(|n| (id, n as u32))
    }

    /// The lockers in front of a script's map, likewise.
    pub(super) fn lockers(&self, map: MapId) -> Option<(ObjMapId, u32)> {
        let id = self.lockers?;
        let MapRole::Lockers(maps) = &self.def(id).role else { return None };
        maps.iter().position(|m| *m == map).map(|n| (id, n as u32))
    }

    /// The definition of a map.
    pub(super) fn def(&self, map: ObjMapId) -> &MapDef {
        &self.maps[map.0 as usize]
    }

    /// The ring buffer, made on first use.
    pub(super) fn events(&mut self) -> ObjMapId {
        let id = self.events.unwrap_or_else(|| self.add_map(layout::events_map()));
        self.events = Some(id);
        id
    }

    /// A frozen map with at least this many zero bytes.
    pub(super) fn zeros(&mut self, bytes: u32) -> ObjMapId {
        let (id, size) = self.zeros.unwrap_or_else(|| (self.add_map(layout::data_map(Rc::from([]))), 0));
        self.zeros = Some((id, size.max(bytes.next_multiple_of(8))));
        id
    }

    /// The map for stacks of this kind; one for each depth, printing modes share it.
    pub(super) fn stacks(&mut self, ty: StackType, user: bool) -> ObjMapId {
        let build_id = |t: StackType| user && t.mode == StackMode::BuildId;
        let same = |s: &&(StackType, bool, ObjMapId)| {
            s.0.depth == ty.depth && s.1 == user && build_id(s.0) == build_id(ty) && s.0.cfi == ty.cfi
        };
        if let Some(&(_, _, id)) = self.stacks.iter().find(same) {
            return id;
        }
        let id = self.add_map(layout::stack_map(ty, user));
        self.stacks.push((ty, user, id));
        id
    }

    /// The unwind tables, made on first use.
    pub(super) fn unwind_tables(&mut self) -> ObjMapId {
        let id = self.unwind.unwrap_or_else(|| self.add_map(layout::unwind_map()));
        self.unwind = Some(id);
        id
    }

    /// The processes that were announced; made on first use.
    pub(super) fn announced(&mut self) -> ObjMapId {
        let id = self.announced.unwrap_or_else(|| self.add_map(layout::announced_map()));
        self.announced = Some(id);
        id
    }

    /// Constant bytes that programs read, aligned to 8: the map that they lie in, and where.
    pub(super) fn data(&mut self, bytes: &[u8]) -> (ObjMapId, u32) {
        let mut data = self.data.take();
        let (id, all) = data.get_or_insert_with(|| (self.add_map(layout::data_map(Rc::from([]))), vec![]));
        let at = all.len();
        all.extend_from_slice(bytes);
        all.resize(all.len().next_multiple_of(8), 0);
        let id = *id;
        self.data = data;
        (id, at as u32)
    }

    fn add_map(&mut self, def: MapDef) -> ObjMapId {
        self.maps.push(def);
        ObjMapId(self.maps.len() as u32 - 1)
    }

    /// The kind of record that prints a map and was made for a place within `span`.
    pub(super) fn print_of(&self, map: MapId, span: Span) -> Option<u32> {
        let prints = |r: &Record| {
            let same = matches!(r.kind, EmitKind::PrintMap { map: m, .. } if m == map);
            same && r.span.file == span.file && span.start <= r.span.start && r.span.end <= span.end
        };
        self.records.iter().rposition(prints).map(|n| n as u32)
    }

    /// A kind of record; equal ones share a number.
    pub(super) fn record(&mut self, record: Record) -> u32 {
        let same = |r: &Record| {
            r.span == record.span
                && r.kind == record.kind
                && r.fields.len() == record.fields.len()
                && r.fields.iter().zip(&record.fields).all(|(a, b)| a.offset == b.offset && a.ty == b.ty)
        };
        let here = &mut self.of_place.entry(record.span).or_default().records;
        let at = here.iter().copied().find(|at| same(&self.records[*at])).unwrap_or_else(|| {
            here.push(self.records.len());
            self.records.push(record);
            self.records.len() - 1
        });
        at as u32
    }

    /// The number of the counter for a fault at a place.
    pub(super) fn counter(&mut self, what: Fault, span: Span) -> u32 {
        let counter = Counter { what, span };
        let here = &mut self.of_place.entry(span).or_default().counters;
        let at = here.iter().copied().find(|at| self.counters[*at] == counter).unwrap_or_else(|| {
            here.push(self.counters.len());
            self.counters.push(counter);
            self.counters.len() - 1
        });
        at as u32
    }

    /// The word that counts the runs of a program that found no scratch memory.
    pub(super) fn crowded(&mut self, unit: &Unit) -> (ObjMapId, u32) {
        let counter = self.counter(Fault::Crowded, unit.module.funcs[0].span);
        (CONTROL, Control::offset(Control::COUNTERS + counter))
    }

    /// Closes the lists.
    pub(super) fn finish(mut self, units: Vec<Unit>) -> Units {
        self.maps[CONTROL.0 as usize] = layout::control_map(self.counters.len());
        if let Some((id, data)) = self.data {
            self.maps[id.0 as usize] = layout::data_map(data.into());
        }
        if let Some((id, size)) = self.zeros {
            self.maps[id.0 as usize] = layout::data_map(vec![0; size as usize].into());
        }
        let mut points: Vec<Option<Point>> = vec![];
        for point in self.program.attach_points() {
            let at = point.id.0 as usize;
            points.resize(points.len().max(at + 1), None);
            points[at] = Some(Point { name: point.name.clone(), span: point.span });
        }
        // Numbers without an attach point are never sent.
        let none = || Point { name: "".into(), span: Span::default() };
        let points = points.into_iter().map(|p| p.unwrap_or_else(none)).collect();
        Units { units, maps: self.maps, records: self.records, counters: self.counters, points }
    }
}
