//! Static probes (USDT) of user-level binaries.

use super::{LiveSystem, binaries, linked};
use crate::files::elf::{self, Elf};
use crate::{glob, near};
use object::Architecture;
use rbtrace_lang::system::{Answer, StaticProbe, SystemError, UserFiles};
use rbtrace_lang::target::StaticPlace;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The places of a file's probes by provider and name, then by offset: a note that is there twice is one place.
type ByName = BTreeMap<(String, String), BTreeMap<u64, StaticPlace>>;

impl LiveSystem {
    pub(super) fn find_static_probes(
        &self,
        files: UserFiles,
        provider: &str,
        name: &str,
    ) -> Answer<Vec<StaticProbe>> {
        let paths = paths(files)?;
        let mut found = vec![];
        for path in &paths {
            match self.probes_of(path, provider, name) {
                Ok(probes) => found.extend(probes),
                // Among several files are some that are no ELF, or have no probes.
                Err(_) if paths.len() > 1 => {}
                Err(e) => return Err(e),
            }
        }
        if found.is_empty() {
            let asked = if provider == "*" { name.to_owned() } else { format!("{provider}:{name}") };
            let hint = if let [only] = &paths[..] { self.near_probes(only, &asked) } else { None };
            return Err(SystemError::missing(format!("nothing matches usdt:{}", shown(files, &asked)), hint));
        }
        Ok(found)
    }

    /// Those of one file that match.
    fn probes_of(&self, path: &Path, provider: &str, name: &str) -> Answer<Vec<StaticProbe>> {
        let elf = self.elf(path)?;
        let mut all = elf.static_probes()?;
        all.retain(|probe| glob::matches(provider, &probe.provider) && glob::matches(name, &probe.name));
        let mut fit = ByName::new();
        for probe in all {
            let place = place(&elf, &probe)?;
            let key = (probe.provider.into_owned(), probe.name.into_owned());
            fit.entry(key).or_default().entry(place.offset).or_insert(place);
        }
        let file: std::rc::Rc<str> = path.to_string_lossy().into();
        let probes = fit.into_iter().map(|((provider, name), places)| StaticProbe {
            path: file.clone(),
            provider: provider.into(),
            name: name.into(),
            places: places.into_values().collect(),
        });
        Ok(probes.collect())
    }

    /// What to say where a file has no such probe.
    fn near_probes(&self, path: &Path, asked: &str) -> Option<String> {
        let elf = self.elf(path).ok()?;
        let all = elf.static_probes().ok()?;
        if all.is_empty() {
            return Some(format!("{} has no static probes", path.display()));
        }
        let whole = |p: &elf::StaticProbe| [p.name.to_string(), format!("{}:{}", p.provider, p.name)];
        let names: Vec<String> = all.iter().flat_map(whole).collect();
        near::hint(asked, names.iter().map(String::as_str))
    }

    pub(super) fn find_static_symbol(&self, path: &str, name: &str) -> Answer<u64> {
        let elf = self.elf(Path::new(path))?;
        let mut addresses: Vec<u64> = elf.symbols_named(name).iter().map(|s| s.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        match addresses[..] {
            [address] => Ok(address),
            [] => Err(SystemError::new(format!("{path} has no symbol '{name}'"))),
            _ => Err(SystemError::new(format!("{path} has {} symbols '{name}'", addresses.len()))),
        }
    }
}

fn paths(files: UserFiles) -> Answer<Vec<PathBuf>> {
    match files {
        UserFiles::Named(binary, pid) => binaries::resolve(binary, pid),
        UserFiles::Mapped => Ok(binaries::mapped_by_all()),
        UserFiles::Program(program) => Ok(linked::with_libraries(Path::new(program))),
    }
}

fn shown(files: UserFiles, asked: &str) -> String {
    match files {
        UserFiles::Named(binary, _) => format!("{binary}:{asked}"),
        UserFiles::Mapped => format!("*:{asked}"),
        UserFiles::Program(_) => asked.to_owned(),
    }
}

/// Where a probe is in the file, and its semaphore.
fn place(elf: &Elf, probe: &elf::StaticProbe) -> Answer<StaticPlace> {
    let broken = |what: &str| {
        let file = elf.path().display();
        SystemError::new(format!("{file}: {what} of {}:{} is not in the file", probe.provider, probe.name))
    };
    let machine = elf.architecture();
    if !matches!(machine, Architecture::X86_64 | Architecture::X86_64_X32 | Architecture::I386) {
        let file = elf.path().display();
        return Err(SystemError::new(format!("{file} is for another processor ({machine:?})")));
    }
    let offset = elf.offset_of_address(probe.address).ok_or_else(|| broken("the code"))?;
    let semaphore = probe.semaphore.map(|s| elf.offset_of_address(s).ok_or_else(|| broken("the semaphore")));
    Ok(StaticPlace {
        offset,
        address: probe.address,
        semaphore: semaphore.transpose()?,
        arguments: (&*probe.arguments).into(),
    })
}
