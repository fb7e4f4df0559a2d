//! The kernel's BTF and that of its modules, opened when first asked.

use super::KindTag;
use super::blob::{Btf, BtfError};
use super::kind::{BtfType, Kind};
use crate::sys::kernelfs;
use rbtrace_lang::types::{EnumType, StructType};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where in sysfs the kernel shows its blobs: `vmlinux` and one file for each module.
pub(super) const SYSFS: &str = "kernel/btf";

/// A type of one of the blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeId {
    /// Which blob: 0 is the kernel's, the others are modules'.
    pub blob: u32,
    /// Number of the type in it.
    pub id: u32,
}

/// One blob and its name.
struct Named {
    name: Rc<str>,
    btf: Rc<Btf>,
}

/// All types that the kernel describes.
pub struct KernelTypes {
    /// The file with another kernel's types; `None`: the running kernel's, from sysfs.
    file: Option<PathBuf>,
    vmlinux: OnceCell<Rc<Btf>>,
    /// Modules' blobs that are open. Their numbers begin at 1.
    modules: RefCell<Vec<Named>>,
    all_modules_open: OnceCell<()>,
    pub(super) structs: RefCell<HashMap<TypeId, Rc<StructType>>>,
    pub(super) enums: RefCell<HashMap<TypeId, Rc<EnumType>>>,
}

/// A blob of the running kernel.
fn running(name: &str, base: Option<Rc<Btf>>) -> Result<Btf, BtfError> {
    let (sysfs, path) = (kernelfs::sysfs(), format!("{SYSFS}/{name}"));
    Btf::read(sysfs.open(&path), sysfs.show(&path), base)
}

impl Default for KernelTypes {
    fn default() -> Self {
        KernelTypes::of(None)
    }
}

impl KernelTypes {
    /// Types from a file: raw BTF or an ELF file with it.
    pub fn from_file(path: &Path) -> Self {
        KernelTypes::of(Some(path.to_owned()))
    }

    fn of(file: Option<PathBuf>) -> Self {
        KernelTypes {
            file,
            vmlinux: OnceCell::new(),
            modules: RefCell::default(),
            all_modules_open: OnceCell::new(),
            structs: RefCell::default(),
            enums: RefCell::default(),
        }
    }

    /// Is there BTF at all? Opens nothing.
    pub fn available(&self) -> bool {
        match &self.file {
            Some(file) => file.exists(),
            None => kernelfs::sysfs().exists(&format!("{SYSFS}/vmlinux")),
        }
    }

    /// Has anything been opened?
    pub fn is_open(&self) -> bool {
        self.vmlinux.get().is_some()
    }

    /// The kernel's blob.
    pub fn vmlinux(&self) -> Result<Rc<Btf>, BtfError> {
        if let Some(btf) = self.vmlinux.get() {
            return Ok(btf.clone());
        }
        let btf = Rc::new(match &self.file {
            Some(file) => Btf::open(file, None)?,
            None => running("vmlinux", None)?,
        });
        Ok(self.vmlinux.get_or_init(|| btf).clone())
    }

    /// The blob of this number, if it is open.
    pub(super) fn blob(&self, number: u32) -> Option<Rc<Btf>> {
        match number.checked_sub(1) {
            None => self.vmlinux.get().cloned(),
            Some(i) => self.modules.borrow().get(i as usize).map(|m| m.btf.clone()),
        }
    }

    /// Name of the blob of this number: `vmlinux` or a module's.
    pub fn blob_name(&self, number: u32) -> Rc<str> {
        let module =
            number.checked_sub(1).and_then(|i| Some(self.modules.borrow().get(i as usize)?.name.clone()));
        module.unwrap_or_else(|| "vmlinux".into())
    }

    /// Number of a module's blob, opened if need be; `None` where there is none.
    fn module(&self, name: &str) -> Result<Option<u32>, BtfError> {
        let name = name.replace('-', "_");
        if name == "vmlinux" {
            return self.vmlinux().map(|_| Some(0));
        }
        if let Some(i) = self.modules.borrow().iter().position(|m| *m.name == *name) {
            return Ok(Some(i as u32 + 1));
        }
        let foreign = self.file.is_some() || name.contains('/');
        if foreign || !kernelfs::sysfs().exists(&format!("{SYSFS}/{name}")) {
            return Ok(None);
        }
        let btf = Rc::new(running(&name, Some(self.vmlinux()?))?);
        let mut modules = self.modules.borrow_mut();
        modules.push(Named { name: name.into(), btf });
        Ok(Some(modules.len() as u32))
    }

    /// Names of the modules that have a blob, sorted.
    pub fn module_names(&self) -> Vec<String> {
        if self.file.is_some() {
            return vec![];
        }
        let entries = kernelfs::sysfs().names(SYSFS).unwrap_or_default();
        let mut names: Vec<String> = entries.into_iter().map(|(n, _)| n).filter(|n| n != "vmlinux").collect();
        names.sort();
        names
    }

    /// Opens all modules' blobs. One that is broken is passed over: it describes nothing.
    fn open_modules(&self) {
        self.all_modules_open.get_or_init(|| {
            for name in self.module_names() {
                let _ = self.module(&name);
            }
        });
    }

    /// Numbers of the blobs to search: the one of `module`, else the kernel's and then all modules'.
    fn blobs(&self, module: Option<&str>) -> Result<Vec<u32>, BtfError> {
        self.vmlinux()?;
        if let Some(name) = module {
            return Ok(self.module(name)?.into_iter().collect());
        }
        self.open_modules();
        Ok((0..=self.modules.borrow().len() as u32).collect())
    }

    /// Numbers of the blobs of the kernel and all modules.
    pub(super) fn all_blobs(&self) -> Result<Vec<u32>, BtfError> {
        self.blobs(None)
    }

    /// A type by kind and name: in `module` (`vmlinux` for the kernel itself), else in the kernel, else in
    /// any module.
    pub fn find(&self, module: Option<&str>, kind: KindTag, name: &str) -> Result<Option<TypeId>, BtfError> {
        // Modules are opened only for what the kernel itself does not have.
        if module.is_none()
            && let Some(id) = self.vmlinux()?.find(kind, name)
        {
            return Ok(Some(TypeId { blob: 0, id }));
        }
        let found = self.blobs(module)?.into_iter().find_map(|blob| {
            let id = self.blob(blob)?.find(kind, name)?;
            Some(TypeId { blob, id })
        });
        Ok(found)
    }

    /// All types of one kind whose name passes `want`, each with its name; duplicates between modules
    /// included.
    pub fn search(
        &self,
        kind: KindTag,
        want: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<(TypeId, Rc<str>)>, BtfError> {
        let mut found = vec![];
        for blob in self.blobs(None)? {
            let Some(btf) = self.blob(blob) else { continue };
            for id in btf.of_kind(kind) {
                let name = btf.ty(id).map_or("", |t| t.name());
                if !name.is_empty() && want(name) {
                    found.push((TypeId { blob, id }, name.into()));
                }
            }
        }
        Ok(found)
    }

    /// The enum that has a constant of this name.
    pub fn find_enum_constant(&self, name: &str) -> Result<Option<(TypeId, i64)>, BtfError> {
        if let Some((id, value)) = self.vmlinux()?.find_enum_constant(name) {
            return Ok(Some((TypeId { blob: 0, id }, value)));
        }
        Ok(self.blobs(None)?.into_iter().skip(1).find_map(|blob| {
            let (id, value) = self.blob(blob)?.find_enum_constant(name)?;
            Some((TypeId { blob, id }, value))
        }))
    }

    /// Follows typedefs, qualifiers and tags to the type that they stand for.
    pub(super) fn strip(btf: &Btf, mut id: u32) -> u32 {
        // A chain in a sound blob has a handful of links; the limit stops one that runs in a circle.
        for _ in 0..64 {
            match btf.ty(id).map(|t| t.kind) {
                Some(Kind::Typedef(next) | Kind::Qualifier(_, next) | Kind::TypeTag(next)) => id = next,
                _ => break,
            }
        }
        id
    }

    /// Runs `f` on a type.
    pub(super) fn with<T>(&self, id: TypeId, f: impl FnOnce(&Btf, BtfType<'_>) -> Option<T>) -> Option<T> {
        let btf = self.blob(id.blob)?;
        let ty = btf.ty(id.id)?;
        f(&btf, ty)
    }
}
