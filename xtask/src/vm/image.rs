//! Disk images and the initramfs, made without mounting anything.

use super::guest;
use super::{cache, kernel::Kernel, private};
use crate::command::shell;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// The disks of a machine; all are thrown away with what was written to them.
pub(crate) struct Disks {
    pub(crate) root: PathBuf,
    pub(crate) work: PathBuf,
    pub(crate) dwarf: Option<PathBuf>,
    pub(crate) with: Option<PathBuf>,
}

/// The initramfs of a kernel: busybox, the modules for the disks, a few lines of shell.
pub(crate) fn initrd(kernel: &Kernel) -> Result<PathBuf> {
    cached(&format!("initrd-{}", kernel.release), guest::EARLY_INIT, |tmp, out| {
        let modules = guest::DISK_MODULES.join(" ");
        std::fs::write(tmp.join("init"), guest::EARLY_INIT)?;
        script(&format!(
            r#"cd '{tmp}'; chmod +x init; mkdir -p bin modules dev root; cp "$(command -v busybox)" bin/busybox; n=0
               for m in {modules}; do
                 f=$(find '{from}' -name "$m.ko*" | head -1); [ -n "$f" ] || continue
                 n=$((n+1)); case $f in *.xz) xz -dc "$f" > modules/$n.ko ;; *.zst) zstd -qdc "$f" > modules/$n.ko ;; *) cp "$f" modules/$n.ko ;; esac
               done
               find . | cpio -o -H newc --quiet | zstd -q -1 > '{out}'"#,
            tmp = tmp.display(),
            from = kernel.modules().display(),
            out = out.display(),
        ))
    })
}

/// The root disk of a kernel: busybox for everything ordinary, the network tools, the modules.
pub(crate) fn root(kernel: &Kernel) -> Result<PathBuf> {
    let programs = guest::PROGRAMS.join(" ");
    let stamp = format!("{programs}{:?}{:?}{}", guest::PLUGINS, guest::MODULES, guest::INIT);
    cached(&format!("root-{}", kernel.release), &stamp, |tmp, out| {
        std::fs::write(tmp.join("init"), guest::INIT)?;
        std::fs::create_dir_all(tmp.join("etc"))?;
        std::fs::write(tmp.join("etc/passwd"), guest::PASSWD)?;
        std::fs::write(tmp.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
        script(&skeleton(tmp))?;
        script(&copy_programs(tmp, &programs))?;
        script(&copy_modules(tmp, kernel))?;
        make_disk(tmp, out, "root")
    })
}

fn skeleton(root: &Path) -> String {
    format!(
        r#"cd '{}'; chmod +x init
           mkdir -p proc sys dev tmp run root t opt var/log usr/bin usr/sbin usr/lib/debug/boot usr/lib64 etc/iproute2
           ln -s usr/bin bin; ln -s usr/sbin sbin; ln -s usr/lib lib; ln -s usr/lib64 lib64; ln -s ../run var/run
           cp "$(command -v busybox)" usr/bin/busybox
           for a in $(busybox --list); do [ -e usr/bin/$a ] || ln -s busybox usr/bin/$a; done
           ln -s ../bin/busybox usr/sbin/modprobe
           for f in protocols services; do [ ! -e /etc/$f ] || cp /etc/$f etc/; done
           for d in /etc/iproute2 /usr/share/iproute2; do [ ! -d $d ] || cp -r $d/. etc/iproute2/; done
           : > etc/fstab"#,
        root.display()
    )
}

/// Copies programs with their libraries; a busybox link of the same name gives way.
fn copy_programs(root: &Path, programs: &str) -> String {
    format!(
        r#"export PATH=/usr/sbin:/usr/bin:/sbin:/bin
           place() {{ d='{root}'/usr/${{2#/usr/}}; mkdir -p "$(dirname "$d")"; [ -e "$d" ] && [ ! -L "$d" ] || {{ rm -f "$d"; cp -L "$1" "$d"; }}; }}
           libraries() {{ ldd "$1" 2>/dev/null | sed -n 's/^.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*ld-[^ ]*\).*/\1/p' |
             while read -r l; do place "$l" "$l"; done; }}
           for p in {programs}; do
             f=$(command -v $p) || continue
             case $(readlink -f "$f") in */busybox) continue ;; esac
             rm -f '{root}'/usr/bin/$p; place "$f" "/usr/sbin/$p"; libraries "$f"
           done
           # Not busybox's shell: it prefers its own `ip` to any on the PATH.
           rm -f '{root}'/usr/bin/sh; place "$(command -v sh)" /usr/bin/sh; libraries "$(command -v sh)"
           lib=$(dirname "$(ldd "$(command -v ip)" | sed -n 's/^.*=> \(\/[^ ]*libc\.so[^ ]*\).*/\1/p')")
           for p in {plugins}; do
             for d in /usr$lib/$p $lib/$p /usr/lib/$p; do
               [ -d $d ] || continue
               mkdir -p '{root}'/usr/${{d#/usr/}}; cp -rL $d/. '{root}'/usr/${{d#/usr/}}/
               for l in $d/*.so; do libraries "$l"; done; break
             done
           done"#,
        root = root.display(),
        plugins = guest::PLUGINS.join(" "),
    )
}

fn copy_modules(root: &Path, kernel: &Kernel) -> String {
    format!(
        r#"cd '{from}'; to='{root}'/usr/lib/modules/{release}; mkdir -p $to
           cp modules.builtin modules.order $to/ 2>/dev/null || true
           for m in {modules}; do
             case $m in */\*) deep=1; d=${{m%/*}} ;; *) deep=20; d=$m ;; esac
             [ -d kernel/$d ] && find kernel/$d -maxdepth $deep -name '*.ko*' | cpio -pdm --quiet $to
           done
           find $to -name '*.xz' -exec xz -d {{}} +; find $to -name '*.zst' -exec zstd -qd --rm {{}} +
           busybox depmod -b '{root}' {release}"#,
        from = kernel.modules().display(),
        root = root.display(),
        release = kernel.release,
        modules = guest::MODULES.map(|m| format!("'{m}'")).join(" "),
    )
}

/// The disk with the vmlinux that has DWARF; `None` where it is not to be had.
pub(crate) fn dwarf(kernel: &Kernel) -> Result<Option<PathBuf>> {
    let name = format!("dwarf-{}", kernel.release);
    if !is_fresh(&name, "") && kernel.debug_package()?.is_none() {
        return Ok(None);
    }
    cached(&name, "", |tmp, out| {
        let package = kernel.debug_package()?.context("the package was there a moment ago")?;
        let vmlinux = format!("vmlinux-{}", kernel.release);
        // tar stops after the one file, and dpkg-deb by the broken pipe.
        script(&format!(
            "set +o pipefail; dpkg-deb --fsys-tarfile '{}' 2>/dev/null | \
             tar -xO --occurrence=1 ./usr/lib/debug/boot/{vmlinux} > '{}'",
            package.display(),
            tmp.join(&vmlinux).display()
        ))?;
        make_disk(tmp, out, "dwarf")
    })
    .map(Some)
}

/// The disk with what this run tests, and the command in `job`.
pub(crate) fn work(dir: &Path, command: &str) -> Result<PathBuf> {
    std::fs::write(dir.join("job"), command)?;
    let out = dir.with_extension("ext4");
    make_disk(dir, &out, "work")?;
    Ok(out)
}

/// A disk with any folder.
pub(crate) fn with(dir: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(cache())?;
    let out = cache().join("with.ext4");
    make_disk(dir, &out, "with")?;
    Ok(out)
}

/// An image with a third more room than its content needs.
fn make_disk(dir: &Path, out: &Path, label: &str) -> Result<()> {
    script(&format!(
        "rm -f '{out}'; size=$(du -sm --apparent-size '{dir}' | cut -f1); \
         PATH=$PATH:/usr/sbin:/sbin mke2fs -q -F -t ext4 -L {label} -E root_owner=0:0 -d '{dir}' '{out}' $((size * 4 / 3 + 64))M",
        out = out.display(),
        dir = dir.display()
    ))
}

fn script(text: &str) -> Result<()> {
    shell(text).map(drop)
}

fn is_fresh(name: &str, stamp: &str) -> bool {
    cache().join(name).exists()
        && std::fs::read_to_string(cache().join(format!("{name}.stamp"))).is_ok_and(|s| s == stamp)
}

/// Makes a file of the cache unless it is there and was made from the same `stamp`.
fn cached(name: &str, stamp: &str, make: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<PathBuf> {
    let out = cache().join(name);
    if is_fresh(name, stamp) {
        return Ok(out);
    }
    let tmp = private(&cache().join(format!("{name}.tmp")));
    let made = private(&out);
    let _ = std::fs::remove_dir_all(&tmp);
    std::fs::create_dir_all(&tmp)?;
    let result = make(&tmp, &made).and_then(|()| Ok(std::fs::rename(&made, &out)?));
    let _ = std::fs::remove_dir_all(&tmp);
    result.with_context(|| format!("cannot make {name}"))?;
    std::fs::write(cache().join(format!("{name}.stamp")), stamp)?;
    Ok(out)
}
