//! Child processes with their output gathered and a limit of time.

use std::io::{Read, Write as _};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A line of its own by which the tracer says that everything is attached.
pub const ATTACHED: &str = "__BPFTRACE_NOTIFY_PROBES_ATTACHED";

type Buffer = Arc<Mutex<Vec<u8>>>;

/// A running shell command, leader of its own process group.
pub struct Running {
    child: Child,
    out: Buffer,
    err: Buffer,
    readers: Vec<JoinHandle<()>>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit status, 128 + N for a death by signal N; `None`: it had to be killed at the limit of time.
    pub status: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Running {
    /// Starts `script` under `sh -c` with `stdin` as its input.
    pub fn start(script: &str, env: &[(String, String)], stdin: &str) -> std::io::Result<Running> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).envs(env.iter().map(|(k, v)| (k, v))).process_group(0);
        // SAFETY: signal(2) is async-signal-safe, and nothing else happens between fork and exec.
        unsafe {
            command.pre_exec(|| {
                // Ignored where the tests themselves run in a shell's background.
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                Ok(())
            });
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            let text = stdin.to_owned();
            // A child that does not read its input must not block the test.
            std::thread::spawn(move || pipe.write_all(text.as_bytes()));
        }
        let (out, err) = (Buffer::default(), Buffer::default());
        let readers = [
            child.stdout.take().map(|p| gather(p, out.clone())),
            child.stderr.take().map(|p| gather(p, err.clone())),
        ];
        Ok(Running { child, out, err, readers: readers.into_iter().flatten().collect() })
    }

    /// Waits until the tracer says that it is attached; false when it ended before, or at the limit.
    pub fn wait_attached(&mut self, until: Instant) -> bool {
        while Instant::now() < until {
            if says_attached(&text(&self.out), &text(&self.err)) {
                return true;
            }
            if self.has_ended() {
                // Its last words may still be in the pipe.
                self.join_readers();
                return says_attached(&text(&self.out), &text(&self.err));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        false
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Sends a signal to the whole group, as a terminal does.
    pub fn signal(&self, signal: i32) {
        crate::sys::kill_group(self.child.id(), signal);
    }

    /// Waits for the end, at most until then; kills the group at the limit.
    pub fn finish(mut self, until: Instant) -> Ended {
        let mut status = None;
        while status.is_none() && Instant::now() < until {
            status = self.child.try_wait().ok().flatten();
            std::thread::sleep(Duration::from_millis(2));
        }
        // Also what it left in the background is ended, else the pipes stay open.
        if status.is_none() || !self.readers.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(20));
            self.signal(libc::SIGKILL);
            let _ = self.child.wait();
        }
        self.join_readers();
        Ended { status: status.map(code), out: text(&self.out), err: text(&self.err) }
    }

    /// Readers of pipes that a stray process still holds are given up after a moment.
    fn join_readers(&mut self) {
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until && !self.readers.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// bpftrace says it on standard error, and on standard output in JSON.
fn says_attached(out: &str, err: &str) -> bool {
    let json = |l: &str| l.starts_with("{\"type\": \"attached_probes\"");
    out.lines().any(|l| l == ATTACHED || json(l)) || err.lines().any(|l| l.starts_with("Attached "))
}

/// The exit status, or 128 + N for a death by signal N.
pub(crate) fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn gather(mut pipe: impl Read + AsFd + Send + 'static, into: Buffer) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut chunk = [0; 65536];
        // Not waiting within read(2): a kretprobe there sees only a few calls at a time, in 5.10 one for each CPU.
        while let Ok(n @ 1..) = crate::sys::wait_readable(pipe.as_fd()).and_then(|()| pipe.read(&mut chunk)) {
            if let Ok(mut buffer) = into.lock() {
                buffer.extend_from_slice(&chunk[..n]);
            }
        }
    })
}

fn text(buffer: &Buffer) -> String {
    buffer.lock().map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn output_and_status() {
        let ended = Running::start("cat; echo e >&2; exit 3", &[], "in\n").unwrap().finish(soon());
        assert_eq!((ended.status, ended.out.as_str(), ended.err.as_str()), (Some(3), "in\n", "e\n"));
    }

    #[test]
    fn signal_and_limit() {
        let mut running = Running::start(&format!("echo {ATTACHED}; exec sleep 60"), &[], "").unwrap();
        assert!(running.wait_attached(soon()));
        running.signal(libc::SIGINT);
        assert_eq!(running.finish(soon()).status, Some(130));
        let running = Running::start("sleep 60", &[], "").unwrap();
        assert_eq!(running.finish(Instant::now() + Duration::from_millis(50)).status, None);
    }

    #[test]
    fn attached_and_ended_at_once() {
        for _ in 0..100 {
            let mut running = Running::start(&format!("echo {ATTACHED}"), &[], "").unwrap();
            assert!(running.wait_attached(soon()));
        }
    }

    #[test]
    fn end_without_attachment() {
        let mut running = Running::start("echo no; exit 1", &[], "").unwrap();
        assert!(!running.wait_attached(soon()));
        assert_eq!(running.finish(soon()).status, Some(1));
    }
}
