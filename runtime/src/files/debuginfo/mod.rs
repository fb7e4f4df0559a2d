//! Finding the files that hold debug information: of the kernel, of a module, of a program.

mod checksum;
mod program;
mod split;
#[cfg(test)]
mod tests;

pub use program::{of_elf, search, separate_file};
pub use split::{package, shared, split_off};

use crate::files::Error;
use crate::files::dwarf::DebugInfo;
use crate::files::elf::Elf;
use crate::sys::kernelfs;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Environment variable that names a kernel image with debug information.
pub const VMLINUX_VARIABLE: &str = "RBTRACE_VMLINUX";

/// Root of separate debug files (`gdb`'s `debug-file-directory`).
const DEBUG_ROOT: &str = "/usr/lib/debug";

/// Folders of the user's (`--debuginfo`): a property of the whole process, as the paths of a loader are.
static FOLDERS: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Names folders that are looked through before the usual ones. The first call counts.
pub fn look_in(folders: Vec<PathBuf>) {
    let _ = FOLDERS.set(folders);
}

fn folders() -> &'static [PathBuf] {
    FOLDERS.get().map_or(&[], Vec::as_slice)
}

/// The user's folders for a program: those with a relative name lie beside the program, or where we are.
fn folders_for(program: &Path) -> Vec<PathBuf> {
    let beside = program.parent().unwrap_or(Path::new("/"));
    let both = |folder: &PathBuf| match folder.is_absolute() {
        true => vec![folder.clone()],
        false => vec![beside.join(folder), folder.clone()],
    };
    folders().iter().flat_map(both).collect()
}

/// The roots of separate debug files for a program, and whether the user named them. A program of a container is
/// looked for in the container, too.
fn roots(program: &Path) -> Vec<(PathBuf, bool)> {
    let usual = DEBUG_ROOT.trim_start_matches('/');
    let inside = container(program).map(|root| (root.join(usual), false));
    let named = folders_for(program).into_iter().map(|folder| (folder, true));
    named.chain([(PathBuf::from(DEBUG_ROOT), false)]).chain(inside).collect()
}

/// `/proc/PID/root` of a path below it.
fn container(path: &Path) -> Option<PathBuf> {
    let mut parts = path.components();
    let root: PathBuf = parts.by_ref().take(4).collect();
    (root.starts_with("/proc") && root.ends_with("root")).then_some(root)
}

/// Release of the running kernel, as `uname -r` prints it.
pub fn kernel_release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(|_| String::new(), |r| r.trim().to_string())
}

/// Opens the debug information of the running kernel. The error says where it was looked for and what
/// to install.
pub fn kernel() -> Result<DebugInfo, Error> {
    if let Some(path) = std::env::var_os(VMLINUX_VARIABLE) {
        // A named file is taken as it is: the user may ask about another kernel.
        return DebugInfo::open(Path::new(&path));
    }
    let release = kernel_release();
    let wanted = kernel_build_id();
    first_fitting(&kernel_paths(&release, wanted.as_deref()), wanted.as_deref()).map_err(|looked| {
        Error::missing_with_hint(
            format!("no debug information for the kernel {release}"),
            format!(
                "{}, or name a vmlinux by {VMLINUX_VARIABLE}; looked at {looked}",
                kernel_package(&release)
            ),
        )
    })
}

/// Opens the debug information of the running kernel and of no other.
pub fn running_kernel() -> Result<DebugInfo, Error> {
    let info = kernel()?;
    match (kernel_build_id(), info.elf().build_id()) {
        (Some(wanted), Some(own)) if wanted != own => {
            let path = info.elf().path().display();
            Err(Error::missing(format!("{path} is not of the kernel that runs")))
        }
        _ => Ok(info),
    }
}

/// Is there a file that looks like the running kernel's debug information? Opens nothing.
pub fn kernel_is_at_hand() -> bool {
    let release = kernel_release();
    std::env::var_os(VMLINUX_VARIABLE).is_some()
        || kernel_paths(&release, kernel_build_id().as_deref()).iter().any(|p| p.exists())
}

/// Opens the debug information of a loaded module.
pub fn module(name: &str) -> Result<DebugInfo, Error> {
    if name == "vmlinux" || name == "kernel" {
        return kernel();
    }
    let release = kernel_release();
    let wanted = module_build_id(name);
    first_fitting(&module_paths(name, &release, wanted.as_deref()), wanted.as_deref()).map_err(|looked| {
        let message = format!("no debug information for the module {name}");
        Error::missing_with_hint(message, format!("{}; looked at {looked}", kernel_package(&release)))
    })
}

/// Opens the first file that exists, has debug information and is of the right build. Else says, for
/// each, why not.
fn first_fitting(paths: &[PathBuf], wanted: Option<&[u8]>) -> Result<DebugInfo, String> {
    let mut looked = Vec::new();
    for path in paths {
        let shown = path.display().to_string();
        if !path.exists() {
            looked.push(shown);
            continue;
        }
        match fitting(path, wanted) {
            Ok(info) => return Ok(info),
            Err(why) => looked.push(format!("{shown}: {why}")),
        }
    }
    Err(looked.join(", "))
}

fn fitting(path: &Path, wanted: Option<&[u8]>) -> Result<DebugInfo, String> {
    let elf = Elf::open(path).map_err(|e| e.to_string())?;
    if let (Some(wanted), Some(own)) = (wanted, elf.build_id())
        && wanted != own
    {
        return Err("of another build".into());
    }
    if !elf.has_debug_info() {
        return Err("has none".into());
    }
    DebugInfo::of(elf).map_err(|e| e.to_string())
}

fn kernel_paths(release: &str, build_id: Option<&[u8]>) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = build_id_paths(build_id);
    for folder in folders() {
        let names = [format!("vmlinux-{release}"), format!("boot/vmlinux-{release}"), "vmlinux".into()];
        paths.extend(names.map(|name| folder.join(name)));
    }
    let places = [
        format!("{DEBUG_ROOT}/boot/vmlinux-{release}"),
        format!("{DEBUG_ROOT}/lib/modules/{release}/vmlinux"),
        format!("{DEBUG_ROOT}/lib/modules/{release}/vmlinux.debug"),
        format!("{DEBUG_ROOT}/boot/vmlinux-{release}.debug"),
        format!("{DEBUG_ROOT}/usr/lib/modules/{release}/vmlinux"),
        format!("/lib/modules/{release}/build/vmlinux"),
        format!("/lib/modules/{release}/vmlinux"),
        format!("/boot/vmlinux-{release}"),
    ];
    paths.extend(places.into_iter().map(PathBuf::from));
    paths
}

fn module_paths(name: &str, release: &str, build_id: Option<&[u8]>) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = build_id_paths(build_id);
    let base = format!("/lib/modules/{release}");
    let Some(relative) = module_file(name, &base) else {
        paths.push(PathBuf::from(format!("{DEBUG_ROOT}{base}/**/{name}.ko")));
        return paths;
    };
    let plain = relative.split_once(".ko").map_or(relative.as_str(), |(stem, _)| stem);
    for root in [DEBUG_ROOT, &format!("{DEBUG_ROOT}/usr"), ""] {
        paths.extend(["ko", "ko.debug"].map(|end| PathBuf::from(format!("{root}{base}/{plain}.{end}"))));
    }
    paths
}

/// A module's file relative to the release's directory, from `modules.dep` (`depmod(8)`).
fn module_file(name: &str, base: &str) -> Option<String> {
    let same = |file: &str| {
        let stem = file.rsplit('/').next().and_then(|f| f.split_once(".ko")).map_or("", |(s, _)| s);
        stem.replace('-', "_") == name.replace('-', "_")
    };
    let list = fs::read_to_string(format!("{base}/modules.dep")).ok()?;
    let mut files = list.lines().filter_map(|l| l.split_once(':').map(|(file, _)| file));
    files.find(|f| same(f)).map(str::to_string)
}

/// Where a file of this build ID is looked for.
fn build_id_paths(id: Option<&[u8]>) -> Vec<PathBuf> {
    let Some(id) = id else { return vec![] };
    let all = folders().iter().map(PathBuf::as_path).chain([Path::new(DEBUG_ROOT)]);
    all.filter_map(|root| build_id_path(root, id)).collect()
}

/// `ROOT/.build-id/ab/cdef….debug`
fn build_id_path(root: &Path, id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = id.split_first()?;
    let rest: String = rest.iter().map(|b| format!("{b:02x}")).collect();
    Some(root.join(format!(".build-id/{first:02x}/{rest}.debug")))
}

/// Build id of the running kernel.
fn kernel_build_id() -> Option<Vec<u8>> {
    gnu_build_id(&kernelfs::sysfs().read("kernel/notes").ok()?)
}

/// Build id of a loaded module.
fn module_build_id(name: &str) -> Option<Vec<u8>> {
    gnu_build_id(&kernelfs::sysfs().read(&format!("module/{name}/notes/.note.gnu.build-id")).ok()?)
}

/// The note `NT_GNU_BUILD_ID` (3) of the owner `GNU` among ELF notes (`elf.h`).
fn gnu_build_id(mut notes: &[u8]) -> Option<Vec<u8>> {
    const NT_GNU_BUILD_ID: u32 = 3;
    loop {
        let word = |at: usize| Some(u32::from_le_bytes(notes.get(at..at + 4)?.try_into().ok()?));
        let (name_size, size, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let data_at = 12 + name_size.next_multiple_of(4);
        if kind == NT_GNU_BUILD_ID && notes.get(12..16)? == b"GNU\0" {
            return notes.get(data_at..data_at + size).map(<[u8]>::to_vec);
        }
        notes = notes.get(data_at + size.next_multiple_of(4)..)?;
    }
}

/// How to get the kernel's debug information on this distribution (`os-release(5)`).
pub fn kernel_package(release: &str) -> String {
    let os = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let field = |name: &str| {
        let line = os.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_string()
    };
    let ids = format!("{} {}", field("ID"), field("ID_LIKE"));
    for id in ids.split_whitespace() {
        match id {
            "ubuntu" => return format!("install linux-image-{release}-dbgsym (ddebs.ubuntu.com)"),
            "debian" => return format!("install linux-image-{release}-dbg"),
            "fedora" | "rhel" | "centos" => return format!("run dnf debuginfo-install kernel-{release}"),
            "suse" | "opensuse" => return "install kernel-default-debuginfo".into(),
            "arch" => return "install linux-debug (debug repositories)".into(),
            _ => {}
        }
    }
    format!("install the debug package of the kernel (Debian: linux-image-{release}-dbg)")
}

#[cfg(test)]
mod kernel_tests {
    use super::*;
    use crate::files::dwarf::tests::Scratch;

    fn note(name: &[u8], kind: u32, data: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [name.len() as u32, data.len() as u32, kind] {
            note.extend(word.to_le_bytes());
        }
        for part in [name, data] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let notes =
            [note(b"Linux\0", 3, &[9; 5]), note(b"GNU\0", 1, &[1]), note(b"GNU\0", 3, &[7; 20])].concat();
        assert_eq!(gnu_build_id(&notes), Some(vec![7; 20]));
        assert_eq!(gnu_build_id(&notes[..30]), None);
        assert_eq!(gnu_build_id(&[0xff; 24]), None);
    }

    #[test]
    fn a_build_id_is_a_path() {
        let path = build_id_path(Path::new(DEBUG_ROOT), &[0xab, 0x01, 0xff]).unwrap();
        assert_eq!(path, Path::new("/usr/lib/debug/.build-id/ab/01ff.debug"));
        assert_eq!(build_id_path(Path::new(DEBUG_ROOT), &[]), None);
    }

    #[test]
    fn what_was_looked_at_is_said() {
        let scratch = Scratch::new();
        let (none, text) = (scratch.0.join("none"), scratch.0.join("text"));
        fs::write(&text, "no ELF").unwrap();
        let looked = first_fitting(&[none.clone(), text.clone()], None).unwrap_err();
        assert!(looked.starts_with(&format!("{}, {}: ", none.display(), text.display())), "{looked}");
    }
}
