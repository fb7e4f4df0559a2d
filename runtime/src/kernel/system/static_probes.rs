//! Static probes (USDT) of user-level binaries.

use super::{LiveSystem, binaries, linked};
use crate::files::elf::{self, Elf};
use crate::{glob, near};
use object::Architecture;
use rbtrace_lang::system::{Answer, StaticProbe, SystemError, UserFiles};
use rbtrace_lang::target::StaticPlace;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The probes of a file by provider and name.
type ByName = BTreeMap<(String, String), Vec<StaticPlace>>;

impl LiveSystem {
    pub(super) fn find_static_probes(
        &self,
        files: UserFiles,
        provider: &str,
        name: &str,
    ) -> Answer<Vec<StaticProbe>> {
        let paths = paths(files)?;
        let many = paths.len() > 1 || glob::is_pattern(provider) && glob::is_pattern(name);
        let mut found = vec![];
        let mut others = vec![];
        for path in &paths {
            match self.probes_of(path, provider, name) {
                Ok((probes, more)) => {
                    found.extend(probes);
                    others.extend(more);
                }
                // Among several files are some that are no ELF, or have no probes.
                Err(_) if paths.len() > 1 => {}
                Err(e) => return Err(e),
            }
        }
        if found.is_empty() {
            let asked = if provider == "*" { name.to_owned() } else { format!("{provider}:{name}") };
            let hint = if many { None } else { near::hint(&asked, others.iter().map(String::as_str)) };
            let hint = hint.or_else(|| none_at_all(&paths, &others));
            return Err(SystemError::missing(format!("nothing matches usdt:{}", shown(files, &asked)), hint));
        }
        Ok(found)
    }

    /// Those of one file that match, and the names of the others.
    fn probes_of(&self, path: &Path, provider: &str, name: &str) -> Answer<(Vec<StaticProbe>, Vec<String>)> {
        let elf = self.elf(path)?;
        let (mut fit, mut others) = (ByName::new(), vec![]);
        for probe in elf.static_probes()? {
            if !glob::matches(provider, &probe.provider) || !glob::matches(name, &probe.name) {
                others.push(probe.name.to_string());
                others.push(format!("{}:{}", probe.provider, probe.name));
                continue;
            }
            let place = place(&elf, &probe)?;
            let places = fit.entry((probe.provider.to_string(), probe.name.to_string())).or_default();
            if places.iter().all(|p| p.offset != place.offset) {
                places.push(place);
            }
        }
        let file: std::rc::Rc<str> = path.to_string_lossy().into();
        let probes = fit.into_iter().map(|((provider, name), places)| StaticProbe {
            path: file.clone(),
            provider: provider.into(),
            name: name.into(),
            places,
        });
        Ok((probes.collect(), others))
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

/// What to say where there is not even a similar name.
fn none_at_all(paths: &[PathBuf], others: &[String]) -> Option<String> {
    match paths {
        [only] if others.is_empty() => Some(format!("{} has no static probes", only.display())),
        _ => None,
    }
}

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
