//! Debug information that lies in other files: split off by the compiler (`.dwo`, `.dwp`), or shared by several
//! programs (`dwz`).

use super::unit::Unit;
use super::{DebugInfo, Error, Reader};
use crate::files::debuginfo;
use crate::files::elf::{Elf, Kept};
use gimli::{DwoId, SectionId, UnitType};
use std::path::Path;
use std::rc::Rc;

/// What was split off all source files of a program.
#[derive(Debug)]
pub(super) struct Package {
    // A view of what `elf` maps.
    sections: gimli::DwarfPackage<Reader>,
    elf: Rc<Elf>,
}

/// What was split off a source file, or where it should be.
pub(super) type Split = Result<Option<Rc<DebugInfo>>, String>;

impl DebugInfo {
    /// What was split off a unit; `None` where nothing was.
    pub(super) fn split(&self, unit: &Unit) -> Result<Option<Rc<DebugInfo>>, Error> {
        let (Some(id), Some(at)) = (unit.inner.dwo_id, unit.inner.header.debug_info_offset()) else {
            return Ok(None);
        };
        if self.skeleton.is_some() {
            return Ok(None);
        }
        let known = self.splits.borrow().get(&at.0).cloned();
        let found = match known {
            Some(found) => found,
            None => {
                let found = self.find_split(unit, id);
                self.splits.borrow_mut().insert(at.0, found.clone());
                found
            }
        };
        found.map_err(Error::missing)
    }

    fn find_split(&self, unit: &Unit, id: DwoId) -> Split {
        let name = unit.inner.dwo_name().ok().flatten();
        let name = name.and_then(|name| self.dwarf.attr_string(&unit.inner, name).ok());
        let Some(name) = name.map(|n| n.to_string_lossy().into_owned()) else { return Ok(None) };
        if let Some(found) = self.packaged(unit, id) {
            return Ok(Some(Rc::new(found)));
        }
        let mut looked = vec![];
        for path in debuginfo::split_off(self.elf.path(), unit.directory(), &name) {
            if !path.exists() {
                looked.push(path.display().to_string());
                continue;
            }
            match self.open_split(&path, unit, id) {
                Ok(found) => return Ok(Some(Rc::new(found))),
                Err(why) => looked.push(format!("{}: {why}", path.display())),
            }
        }
        let program = self.elf.path().display();
        Err(format!(
            "{program}: its debug information was split off into {name}; looked at {}",
            looked.join(", ")
        ))
    }

    /// What the program's package (`.dwp`) has of a unit.
    fn packaged(&self, unit: &Unit, id: DwoId) -> Option<DebugInfo> {
        let package = self.package.get_or_init(|| {
            let paths = debuginfo::package(self.elf.path());
            paths.iter().filter(|p| p.exists()).find_map(|p| open_package(p))
        });
        let package = package.as_ref()?;
        let dwarf = package.sections.find_cu(id, &self.dwarf).ok()??;
        self.of_split(dwarf, &package.elf, unit, id).ok()
    }

    fn open_split(&self, path: &Path, unit: &Unit, id: DwoId) -> Result<DebugInfo, String> {
        let elf = Rc::new(Elf::open(path).map_err(|e| e.to_string())?);
        let mut dwarf = gimli::Dwarf::load(|id| split_section(&elf, id)).map_err(|e: Error| e.to_string())?;
        dwarf.make_dwo(&self.dwarf);
        self.of_split(dwarf, &elf, unit, id)
    }

    fn of_split(
        &self,
        dwarf: gimli::Dwarf<Reader>,
        elf: &Rc<Elf>,
        unit: &Unit,
        id: DwoId,
    ) -> Result<DebugInfo, String> {
        // What was split off refers to addresses in the program.
        let kept: Rc<[Kept]> = self.kept.iter().cloned().chain([elf.kept()]).collect();
        let skeleton = unit.inner.header.debug_info_offset().map(|o| self.unit(o.0));
        let skeleton = skeleton.transpose().map_err(|e| e.to_string())?;
        let info = DebugInfo {
            skeleton,
            kept,
            shared: self.shared.clone(),
            ..DebugInfo::new(dwarf, Rc::clone(elf))
        };
        let unit = info.split_unit().map_err(|e| e.to_string())?;
        match unit {
            Some(unit) if unit.inner.dwo_id == Some(id) => Ok(info),
            _ => Err("it is of another build (the IDs differ)".into()),
        }
    }

    /// The one unit of a file that was split off.
    pub(super) fn split_unit(&self) -> Result<Option<Rc<Unit>>, Error> {
        let mut headers = self.dwarf.units();
        while let Some(header) = self.read(headers.next())? {
            let of_types = matches!(header.type_(), UnitType::Type { .. } | UnitType::SplitType { .. });
            if let Some(at) = header.debug_info_offset().filter(|_| !of_types) {
                return self.unit(at.0).map(Some);
            }
        }
        Ok(None)
    }
}

fn open_package(path: &Path) -> Option<Package> {
    let elf = Rc::new(Elf::open(path).ok()?);
    let empty = Reader::new(&[], gimli::LittleEndian);
    // A section that cannot be unpacked is as good as none.
    let section = |id| Ok::<_, gimli::Error>(split_section(&elf, id).unwrap_or(empty));
    let sections = gimli::DwarfPackage::load(section, empty).ok()?;
    Some(Package { sections, elf })
}

fn split_section(elf: &Elf, id: SectionId) -> Result<Reader, Error> {
    let Some(name) = id.dwo_name() else { return Ok(Reader::new(&[], gimli::LittleEndian)) };
    // SAFETY: kept beside the file (in `DebugInfo` and `Package`), and by units, which hold `Elf::kept`.
    unsafe { elf.debug_section(name) }.map(|data| Reader::new(data, gimli::LittleEndian))
}

/// The file of `.gnu_debugaltlink`, in which `dwz` has put what several files have in common.
pub(super) fn shared(elf: &Elf) -> Option<DebugInfo> {
    let (name, build_id) = elf.shared_link()?;
    let name = std::str::from_utf8(name).ok()?;
    let paths = debuginfo::shared(elf.path(), name, build_id);
    let files = paths.iter().filter(|p| p.exists()).filter_map(|p| Elf::open(p).ok());
    let fitting = files.into_iter().find(|file| file.build_id() == Some(build_id))?;
    DebugInfo::of(fitting).ok()
}
