//! From addresses to functions, inlined calls and source lines, and back.
//!
//! A file is mapped and read lazily: `.debug_aranges` (or the units' own ranges) to the unit,
//! abbreviations once per unit, the one function's tree, the one line program. Nothing here knows
//! whether the file is a kernel, a module or a program.

mod call;
mod copies;
mod flow;
mod function;
mod index;
mod line;
mod node;
mod scan;
mod source;
mod split;
mod types;
mod unit;

pub(crate) use call::Call;
pub(crate) use types::UserTypes;

pub use copies::InlinedCopy;
pub use function::{CallSite, FunctionTree, Inlined, Range};
pub use line::{LineRow, Lines};
pub use source::{LinePlace, LineQuery, normal as normal_path};
pub use unit::Unit;

#[cfg(test)]
pub(crate) mod tests;

use super::Error;
use super::elf::{Elf, Kept};
use gimli::{UnitOffset, UnitType};
use index::UnitIndex;
use split::{Package, Split};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

fn load(elf: &Elf) -> Result<gimli::Dwarf<Reader>, Error> {
    gimli::Dwarf::load(|id| {
        // SAFETY: kept in `dwarf`, beside the file in `kept`, and by units, which hold that, too; none hands it out.
        unsafe { elf.debug_section(id.name()) }.map(|data| Reader::new(data, gimli::LittleEndian))
    })
}

/// Reads bytes of a mapped section.
pub(crate) type Reader = gimli::EndianSlice<'static, gimli::LittleEndian>;

/// One step of the chain of inlined calls at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineStep {
    /// The function, as the linker would call it (mangled, in languages that mangle).
    pub function: Option<Rc<str>>,
    /// The source file's whole path as debug information has it.
    pub file: Option<Rc<str>>,
    /// The source line, from 1; 0: not known.
    pub line: u32,
    /// The column, from 1; 0: not known.
    pub column: u32,
}

/// The DWARF of one ELF file.
#[derive(Debug)]
pub struct DebugInfo {
    // A view of what `kept` maps. Units keep that themselves: they may outlive us.
    dwarf: gimli::Dwarf<Reader>,
    index: OnceCell<UnitIndex>,
    units: RefCell<HashMap<usize, Rc<Unit>>>,
    elf: Rc<Elf>,
    /// The program, where its code is not in `elf`.
    code: Option<Rc<Elf>>,
    /// What this file shares with others.
    shared: Option<Rc<DebugInfo>>,
    /// Of what was split off: the unit that stayed in the program.
    skeleton: Option<Rc<Unit>>,
    /// What was split off, by the offset of the unit that stayed.
    splits: RefCell<HashMap<usize, Split>>,
    package: OnceCell<Option<Package>>,
    /// The bytes of all files that are looked into.
    kept: Rc<[Kept]>,
}

impl DebugInfo {
    /// Opens a file that has debug information.
    pub fn open(path: &Path) -> Result<DebugInfo, Error> {
        DebugInfo::of(Elf::open(path)?)
    }

    /// Opens the debug information of a program whose code lies in another file.
    pub fn of_program(path: &Path, program: Rc<Elf>) -> Result<DebugInfo, Error> {
        let code = (path != program.path()).then_some(program);
        Ok(DebugInfo { code, ..DebugInfo::open(path)? })
    }

    /// The debug information in an open file.
    pub fn of(elf: Elf) -> Result<DebugInfo, Error> {
        if !elf.has_debug_info() {
            let path = elf.path().display();
            return Err(Error::missing(format!("{path} has no debug information (.debug_info)")));
        }
        let mut dwarf = load(&elf)?;
        let shared = split::shared(&elf).map(Rc::new);
        let mut kept = vec![elf.kept()];
        if let Some(shared) = &shared {
            dwarf.set_sup(load(&shared.elf)?);
            kept.extend_from_slice(&shared.kept);
        }
        Ok(DebugInfo { shared, kept: kept.into(), ..DebugInfo::new(dwarf, Rc::new(elf)) })
    }

    fn new(dwarf: gimli::Dwarf<Reader>, elf: Rc<Elf>) -> DebugInfo {
        DebugInfo {
            dwarf,
            index: OnceCell::new(),
            units: RefCell::default(),
            code: None,
            shared: None,
            skeleton: None,
            splits: RefCell::default(),
            package: OnceCell::new(),
            kept: [elf.kept()].into(),
            elf,
        }
    }

    /// The file.
    pub fn elf(&self) -> &Elf {
        &self.elf
    }

    /// The file that holds the code: the same one, or the program that it describes.
    fn program(&self) -> &Elf {
        self.code.as_deref().unwrap_or(&self.elf)
    }

    /// The chain of calls at an address, innermost first: the last frame is the function that has
    /// symbol and stack frame, the others are inlined into it. Empty where nothing is known.
    pub fn frames(&self, address: u64) -> Result<Vec<InlineStep>, Error> {
        let Some(unit) = self.unit_at(address)? else { return Ok(Vec::new()) };
        let function = self.function_in(&unit, address)?;
        let row = unit.lines(self)?.row_at(address);
        if function.is_none() && row.is_none() {
            return Ok(Vec::new());
        }
        self.chain(&unit, function.as_deref(), address, row)
    }

    fn chain(
        &self,
        unit: &Unit,
        function: Option<&FunctionTree>,
        address: u64,
        row: Option<LineRow>,
    ) -> Result<Vec<InlineStep>, Error> {
        let lines = unit.lines(self)?;
        let split = self.split(unit).ok().flatten();
        let split_unit = split.as_ref().map(|info| info.split_unit()).transpose()?.flatten();
        // Call sites of what was split off number their files by a table of its own.
        let call_lines = match (&split, &split_unit) {
            (Some(info), Some(unit)) if unit.inner.line_program.is_some() => unit.lines(info)?,
            _ => lines,
        };
        let mut place = row.map_or_else(CallSite::default, |r| CallSite {
            file: u64::from(r.file),
            line: r.line,
            column: r.column,
        });
        let mut frames = Vec::new();
        let mut push = |name: Option<&Rc<str>>, place: CallSite| {
            let table = if frames.is_empty() { lines } else { call_lines };
            let file = table.path(place.file);
            frames.push(InlineStep { function: name.cloned(), file, line: place.line, column: place.column });
        };
        if let Some(function) = function {
            for inlined in function.inlined_at(address) {
                push(inlined.name.as_ref(), place);
                place = inlined.call;
            }
        }
        push(function.and_then(|f| f.name.as_ref()), place);
        Ok(frames)
    }

    /// The function whose code an address is, with its inlined calls.
    pub fn function_at(&self, address: u64) -> Result<Option<Rc<FunctionTree>>, Error> {
        match self.unit_at(address)? {
            Some(unit) => self.function_in(&unit, address),
            None => Ok(None),
        }
    }

    fn function_in(&self, unit: &Unit, address: u64) -> Result<Option<Rc<FunctionTree>>, Error> {
        // Where what was split off is not at hand, lines are known and functions are not.
        match self.split(unit).ok().flatten() {
            Some(info) => match info.split_unit()? {
                Some(unit) => unit.function_at(&info, address),
                None => Ok(None),
            },
            None => unit.function_at(self, address),
        }
    }

    /// The unit whose code an address is.
    pub fn unit_at(&self, address: u64) -> Result<Option<Rc<Unit>>, Error> {
        match self.index()?.unit_at(address) {
            Some(offset) => self.unit(offset).map(Some),
            None => Ok(None),
        }
    }

    /// The unit whose header stands at this offset of `.debug_info`.
    fn unit(&self, offset: usize) -> Result<Rc<Unit>, Error> {
        if let Some(unit) = self.units.borrow().get(&offset) {
            return Ok(unit.clone());
        }
        let header = self.read(self.dwarf.unit_header(gimli::DebugInfoOffset(offset)))?;
        let mut unit = self.read(self.dwarf.unit(header))?;
        if let Some(skeleton) = &self.skeleton {
            unit.copy_relocated_attributes(&skeleton.inner);
            // Its table is the only one in its file, and need not be named.
            if unit.line_program.is_none() {
                let (size, folder) = (unit.header.address_size(), unit.comp_dir);
                let first = self.dwarf.debug_line.program(gimli::DebugLineOffset(0), size, folder, None);
                unit.line_program = first.ok();
            }
        }
        let unit = Rc::new(Unit::new(unit, Rc::clone(&self.kept)));
        self.units.borrow_mut().insert(offset, unit.clone());
        Ok(unit)
    }

    /// Offsets of all units, those first of which something was read already.
    fn unit_offsets(&self) -> Result<Vec<usize>, Error> {
        let mut known: Vec<usize> = self.units.borrow().keys().copied().collect();
        known.sort_unstable();
        let mut headers = self.dwarf.units();
        let mut others = vec![];
        while let Some(header) = self.read(headers.next())? {
            let offset = header.debug_info_offset().map(|o| o.0);
            others.extend(offset.filter(|o| known.binary_search(o).is_err()));
        }
        known.extend(others);
        Ok(known)
    }

    /// The unit of a type that is described apart (`-fdebug-types-section`), and the type's entry in it.
    fn type_unit(&self, wanted: gimli::DebugTypeSignature) -> Result<Option<(Rc<Unit>, UnitOffset)>, Error> {
        let mut headers = self.dwarf.units();
        while let Some(header) = self.read(headers.next())? {
            match (header.type_(), header.debug_info_offset()) {
                (UnitType::Type { type_signature, type_offset }, Some(at)) if type_signature == wanted => {
                    return Ok(Some((self.unit(at.0)?, type_offset)));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Forgets all that was read of units, and gives the memory back, when there are more than `most`.
    /// Names that were handed out stay valid.
    pub fn keep_units(&self, most: usize) {
        if self.units.borrow().len() <= most {
            return;
        }
        self.units.borrow_mut().clear();
        for section in [".debug_info", ".debug_abbrev", ".debug_line", ".debug_rnglists", ".text"] {
            self.elf.release(section, 0..usize::MAX);
        }
    }

    fn index(&self) -> Result<&UnitIndex, Error> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        // What was split off is found by the unit that stayed.
        let index = if self.skeleton.is_some() { UnitIndex::default() } else { UnitIndex::read(self)? };
        Ok(self.index.get_or_init(|| index))
    }

    /// Adds the file's name to an error of the DWARF reader.
    fn read<T>(&self, result: gimli::Result<T>) -> Result<T, Error> {
        result.map_err(|source| Error::Dwarf { path: self.elf.path().to_path_buf(), source })
    }
}
