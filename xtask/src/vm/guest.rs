//! What is inside a guest: the two init scripts, the tools, the modules.

/// Modules that find the disks, in the order of insertion.
pub(crate) const DISK_MODULES: [&str; 6] =
    ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk"];

/// Folders of modules that a guest has; a trailing `/*` means: without the folders below.
pub(crate) const MODULES: [&str; 8] =
    ["net", "drivers/net/*", "drivers/virtio", "drivers/block", "lib", "crypto", "arch", "fs/overlayfs"];

/// Programs copied from this machine, with the libraries that they are linked with.
pub(crate) const PROGRAMS: [&str; 14] = [
    "ip",
    "tc",
    "ss",
    "bridge",
    "nstat",
    "iptables",
    "iptables-legacy",
    "iptables-nft",
    "nft",
    "ping",
    "arping",
    "bpftool",
    "sysctl",
    "addr2line",
];

/// Folders with plugins of these programs.
pub(crate) const PLUGINS: [&str; 2] = ["xtables", "tc"];

/// The initramfs: finds the root disk and goes there.
pub(crate) const EARLY_INIT: &str = r#"#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for m in /modules/*; do /bin/busybox insmod $m; done
n=0; while [ ! -b /dev/vdb ] && [ $n -lt 50 ]; do /bin/busybox usleep 100000; n=$((n+1)); done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /init
"#;

/// The root disk's init: a machine with everything mounted, the work folder at /t, the command in /t/job.
/// Disks come in the order vda (root), vdb (work), then the one with vmlinux and the one for /opt.
pub(crate) const INIT: &str = r#"#!/bin/sh
export PATH=/t/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /tmp; mount -t tmpfs run /run
mount -t tracefs tracefs /sys/kernel/tracing; mount -t debugfs debugfs /sys/kernel/debug
mount -t bpf bpf /sys/fs/bpf; mount -t cgroup2 cgroup /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm
ln -sf /proc/self/fd /dev/fd; ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout; ln -sf /proc/self/fd/2 /dev/stderr
mount /dev/vdb /t
for d in /dev/vdc /dev/vdd; do
  [ -b $d ] || continue
  mount $d /opt
  ls /opt/vmlinux-* > /dev/null 2>&1 && umount /opt && mount -o ro $d /usr/lib/debug/boot
done
busybox dmesg -n 1; busybox hostname rbtrace; ip link set lo up; ulimit -c 0
stty -onlcr < /dev/ttyS0 2>/dev/null
cd /t; echo "@vm start"; sh /t/job < /dev/null; rc=$?; echo; echo "@vm exit $rc"
sync; busybox poweroff -f
"#;

/// Users that the cases know.
pub(crate) const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n";
