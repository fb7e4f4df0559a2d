# In a mount namespace of one's own: what a machine may lack.
no_tracefs() {
  for at in /sys/kernel/debug/tracing /sys/kernel/debug /sys/kernel/tracing; do
    umount $at 2> /dev/null || true
  done
}
empty_sys() { mount -t tmpfs none /sys; }
