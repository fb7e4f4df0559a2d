//! Structs, unions and enums.

use super::Lister;
use crate::files::btf::{KindTag, TypeId};
use crate::glob;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

impl Lister<'_> {
    /// `struct NAME`, `union NAME`, `enum NAME`; with `-v` their definitions.
    pub(super) fn types(&mut self, word: &str, pattern: &str) -> io::Result<()> {
        let kinds: &[KindTag] = match word {
            "struct" => &[KindTag::Struct],
            "union" => &[KindTag::Union],
            _ => &[KindTag::Enum, KindTag::Enum64],
        };
        let found = match self.find_types(kinds, pattern) {
            Ok(found) => found,
            Err(e) => {
                self.warn(e.to_string());
                return Ok(());
            }
        };
        if found.is_empty() {
            self.warn(format!("no type matches {word} {pattern}"));
        }
        for (name, id) in found {
            match self.system.types().definition(id).filter(|_| self.options.verbose) {
                Some(text) => writeln!(self.out, "{}: {text}\n", self.system.types().blob_name(id.blob))?,
                None => writeln!(self.out, "{word} {name}")?,
            }
        }
        Ok(())
    }

    /// By name; a type of the kernel hides those of modules.
    fn find_types(
        &self,
        kinds: &[KindTag],
        pattern: &str,
    ) -> Result<BTreeMap<Rc<str>, TypeId>, crate::files::btf::BtfError> {
        let mut found = BTreeMap::new();
        for &kind in kinds {
            if !glob::is_pattern(pattern) {
                let one = self.system.types().find(None, kind, pattern)?;
                found.extend(one.map(|id| (pattern.into(), id)));
                continue;
            }
            for (id, name) in self.system.types().search(kind, &|name| glob::matches(pattern, name))? {
                found.entry(name).or_insert(id);
            }
        }
        Ok(found)
    }
}
