//! The kernel's lists of its objects.

use super::Lister;
use crate::files::btf::KindTag;
use crate::glob;
use std::collections::BTreeSet;
use std::io;

/// How the names of the structs begin that programs of iterators have as contexts.
const CONTEXT: &str = "bpf_iter__";
/// How those end that only tell the verifier something.
const TRUSTED: &str = "__safe_trusted";

/// The list that a struct belongs to.
fn list_of(context: &str) -> Option<&str> {
    context.strip_prefix(CONTEXT).filter(|name| !name.ends_with(TRUSTED))
}

impl Lister<'_> {
    /// `iter`
    pub(super) fn iterators(&mut self, rest: &str) -> io::Result<()> {
        // A pin is the user's to choose.
        let wanted = rest.split(':').next().unwrap_or(rest);
        let fits = |name: &str| list_of(name).is_some_and(|list| glob::matches(wanted, list));
        let found = match self.system.types().search(KindTag::Struct, &fits) {
            Ok(found) => found,
            Err(e) => {
                self.warn(e.to_string());
                return Ok(());
            }
        };
        let names: BTreeSet<&str> = found.iter().filter_map(|(_, name)| list_of(name)).collect();
        if names.is_empty() && !self.many {
            self.warn(format!("nothing matches iter:{wanted}"));
        }
        for name in names {
            writeln!(self.out, "iter:{name}")?;
            self.iterator_fields(name)?;
        }
        Ok(())
    }

    /// The fields of `ctx`.
    pub(super) fn iterator_fields(&mut self, name: &str) -> io::Result<()> {
        match self.system.types().find(None, KindTag::Func, &format!("bpf_iter_{name}")) {
            // The first parameter is `struct bpf_iter_meta *meta`.
            Ok(Some(id)) => self.named_arguments(id, 1, false),
            Ok(None) | Err(_) => Ok(()),
        }
    }
}
