//! Parameters and types of programs and libraries, from their debug information.

use super::{LiveSystem, binaries};
use crate::files::dwarf::{Call, DebugInfo, LineQuery, UserTypes};
use crate::files::{Error, debuginfo};

use rbtrace_lang::context::Argument;
use rbtrace_lang::system::{Answer, SourceLine, SystemError, TypeName};
use rbtrace_lang::target::Target;
use rbtrace_lang::types::Type;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Debug information that was looked for, by the path of the program or library.
#[derive(Debug, Default)]
pub(super) struct UserInfo {
    opened: RefCell<HashMap<PathBuf, Answer<Rc<DebugInfo>>>>,
    types: UserTypes,
}

impl LiveSystem {
    /// The types of programs and libraries that were looked at.
    pub(super) fn user_types(&self) -> &UserTypes {
        &self.user.types
    }

    pub(super) fn find_user_arguments(&self, path: &str, offset: u64) -> Answer<Vec<Argument>> {
        let arguments = self.call_at(path, offset)?.arguments(self.user_types());
        arguments.map_err(SystemError::from)
    }

    /// The parameters as a listing shows them.
    pub(crate) fn listed_arguments(&self, path: &str, offset: u64) -> Answer<Vec<String>> {
        Ok(self.call_at(path, offset)?.listed()?)
    }

    pub(super) fn find_user_type(&self, path: &str, name: TypeName) -> Answer<Type> {
        let info = self.debug_info(Path::new(path))?;
        let found = self.user_types().find(&info, name)?;
        found.ok_or_else(|| SystemError::missing(format!("{path} has no such type"), None))
    }

    pub(super) fn find_user_source_line(
        &self,
        binary: &str,
        func: Option<&str>,
        line: SourceLine,
        pid: Option<i32>,
    ) -> Answer<Vec<(u64, Target)>> {
        let mut found = vec![];
        for path in binaries::resolve(binary, pid)? {
            let (elf, info) = (self.elf(&path)?, self.debug_info(&path)?);
            let query = LineQuery { file: line.file, line: line.line, column: line.column };
            for place in info.source_line(func, query)? {
                let Some(offset) = elf.offset_of_address(place.address) else { continue };
                let (path, symbol) = (path.to_string_lossy().into(), place.symbol.into());
                found.push((place.offset, Target::Uprobe { path, symbol, offset, ret: false, pid }));
            }
        }
        Ok(found)
    }

    fn call_at(&self, path: &str, offset: u64) -> Answer<Call> {
        let info = self.debug_info(Path::new(path))?;
        let address = self.elf(Path::new(path))?.address_of_offset(offset);
        let unknown = || {
            let message = format!("the debug information of {path} does not describe this function");
            Error::missing_with_hint(message, USE_NUMBERED)
        };
        let call = address.map(|address| Call::find(&info, address)).transpose()?.flatten();
        Ok(call.ok_or_else(unknown)?)
    }

    /// The debug information of a program or library, opened once.
    fn debug_info(&self, path: &Path) -> Answer<Rc<DebugInfo>> {
        if let Some(known) = self.user.opened.borrow().get(path) {
            return known.clone();
        }
        let found = self.elf(path).and_then(|elf| match debuginfo::search(&elf) {
            Ok(file) => Ok(Rc::new(DebugInfo::of_program(&file, elf)?)),
            Err(refused) => Err(none(path, &refused)),
        });
        self.user.opened.borrow_mut().insert(path.to_owned(), found.clone());
        found
    }
}

fn none(path: &Path, refused: &[String]) -> SystemError {
    let message = format!("{} has no debug information", path.display());
    match refused {
        [] => SystemError::with_hint(message, USE_NUMBERED),
        files => SystemError::with_hint(format!("{message} that fits"), files.join("; ")),
    }
}

const USE_NUMBERED: &str = "arg0, arg1, … are there without it: cast them";
