//! Start-up: CPU time and peak memory of a process that compiles, attaches and leaves.

use super::{Tool, median, table};
use anyhow::{Context, Result, bail};
use std::io;
use std::process::{Command, Stdio};

/// Rounds that count, after one that warms.
const ROUNDS: usize = 7;

/// Item, program, whether it ends by itself (else `--dry-run` ends it once attached).
const ITEMS: &[(&str, &str, bool)] = &[
    ("hello", r#"BEGIN { printf("hi\n"); exit(); }"#, true),
    (
        "tracepoint, str(args)",
        r#"tracepoint:syscalls:sys_enter_openat { printf("%s %s\n", comm, str(args.filename)); }"#,
        false,
    ),
    ("count by comm", "tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }", false),
    (
        "opensnoop-like",
        r#"BEGIN { printf("PID COMM ERR PATH\n"); }
tracepoint:syscalls:sys_enter_openat, tracepoint:syscalls:sys_enter_open { @name[tid] = args.filename; }
tracepoint:syscalls:sys_exit_openat, tracepoint:syscalls:sys_exit_open /@name[tid]/ {
  $ret = args.ret;
  printf("%-6d %-16s %3d %s\n", pid, comm, $ret >= 0 ? 0 : -$ret, str(@name[tid]));
  delete(@name, tid);
}
END { clear(@name); }"#,
        false,
    ),
    (
        "tcpdrop-like",
        r#"tracepoint:skb:kfree_skb {
  $skb = (struct sk_buff *)args.skbaddr;
  $sk = $skb->sk;
  if ($sk != 0) {
    printf("%s:%d %s:%d\n", ntop($sk->__sk_common.skc_rcv_saddr), $sk->__sk_common.skc_num,
      ntop($sk->__sk_common.skc_daddr), $sk->__sk_common.skc_dport);
    printf("%s\n", kstack);
  }
}"#,
        false,
    ),
];

pub(super) fn run(tools: &[Tool]) -> Result<()> {
    let mut cpu = vec![];
    let mut rss = vec![];
    for &(item, program, ends) in ITEMS {
        let mut figures = vec![(vec![], vec![]); tools.len()];
        for round in 0..=ROUNDS {
            for (tool, (cpu_ms, rss_mib)) in tools.iter().zip(&mut figures) {
                let (c, r) = one(tool, program, ends).with_context(|| format!("{}: {item}", tool.name))?;
                if round > 0 {
                    cpu_ms.push(c);
                    rss_mib.push(r);
                }
            }
        }
        cpu.push((item, figures.iter().map(|f| median(&f.0)).collect()));
        rss.push((item, figures.iter().map(|f| median(&f.1)).collect()));
    }
    table("start-up: CPU time", "ms", tools, &cpu);
    table("start-up: peak memory", "MiB", tools, &rss);
    Ok(())
}

/// CPU milliseconds and peak MiB of one run.
fn one(tool: &Tool, program: &str, ends: bool) -> Result<(f64, f64)> {
    let mut cmd = Command::new(&tool.path);
    if !ends {
        cmd.arg("--dry-run");
    }
    cmd.args(["-e", program]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // The child is waited for with wait4 below, which gives its own figures; std's wait gives none.
    #[allow(clippy::zombie_processes, reason = "reaped by wait4")]
    let child = cmd.spawn()?;
    let mut status = 0;
    // SAFETY: rusage is plain data; the child is ours and not yet waited for.
    let (r, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(child.id() as i32, &mut status, 0, &mut usage), usage)
    };
    if r < 0 {
        return Err(io::Error::last_os_error()).context("wait4");
    }
    if status != 0 {
        bail!("ended with wait status {status:#x}");
    }
    let ms = |t: libc::timeval| t.tv_sec as f64 * 1e3 + t.tv_usec as f64 / 1e3;
    Ok((ms(usage.ru_utime) + ms(usage.ru_stime), usage.ru_maxrss as f64 / 1024.0))
}
