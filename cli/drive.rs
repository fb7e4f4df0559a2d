//! One session at the command line: until it ends, or a signal ends it.

use crate::args::Args;
use rbtrace_codegen::object::Object;
use rbtrace_lang::{Diagnostic, Span};
use rbtrace_runtime::run::{Closing, Progress, RunError, RunOptions, Session};
use rbtrace_runtime::show::sink::Sink;
use rbtrace_runtime::sys::describe;
use rbtrace_runtime::sys::poll::Signals;
use rbtrace_runtime::sys::readiness::{self, State};
use std::mem::ManuallyDrop;
use std::time::Duration;

/// Runs a compiled script; its exit status.
pub(crate) fn run<'a>(
    args: &Args,
    object: &'a Object,
    sink: Box<dyn Sink + 'a>,
    options: RunOptions<'a>,
) -> Result<i32, RunError> {
    // Before anything is forked or attached: a signal finds all or nothing to be undone. They are kept until the
    // process ends: one that comes after the script's end must not change the status.
    let signals = Signals::take(&taken(object)).map_err(|e| {
        let text = format!("signals cannot be read: {}", describe(&e));
        Diagnostic { span: None, ..Diagnostic::error(Span::default(), text) }
    })?;
    let signals = ManuallyDrop::new(signals);
    let Ended { status, closing } = drive(args, object, sink, options, &signals)?;
    if args.verbose && closing.count() > 0 {
        let text = format!("{} perf events are closed in the background\n", closing.count());
        rbtrace_runtime::show::terminal::message(&text);
    }
    closing.in_background();
    status
}

struct Ended {
    status: Result<i32, RunError>,
    closing: Closing,
}

fn drive<'a>(
    args: &Args,
    object: &'a Object,
    sink: Box<dyn Sink + 'a>,
    options: RunOptions<'a>,
    signals: &'a Signals,
) -> Result<Ended, RunError> {
    let options = RunOptions { wake: Some(signals.descriptor()), ..options };
    if args.dry_run {
        return Ok(Ended { status: Ok(0), closing: Session::try_out(object, sink, options)? });
    }
    let mut session = Session::start(object, sink, options)?;
    announce(args, State::Ready);
    while session.poll(Duration::MAX)? == Progress::Running {
        while let Some(signal) = signals.next() {
            if !session.signal(signal)? && signal != libc::SIGUSR1 {
                session.interrupt();
                break;
            }
        }
    }
    announce(args, State::Stopping);
    let outcome = session.stop()?;
    let status = outcome.sink_failed.map_or(Ok(outcome.status), |failure| Err(failure.into()));
    Ok(Ended { status, closing: outcome.closing })
}

/// Tells systemd; the run goes on where that fails.
fn announce(args: &Args, state: State) {
    if let Err(error) = readiness::announce(state)
        && !args.no_warnings
    {
        let text = format!("WARNING: cannot send to the socket in NOTIFY_SOCKET: {}\n", describe(&error));
        rbtrace_runtime::show::terminal::message(&text);
    }
}

/// Signals that end the run, those that the script has probes for, and SIGUSR1: many scripts answer it, so it
/// must not end one that does not.
fn taken(object: &Object) -> Vec<i32> {
    [libc::SIGINT, libc::SIGTERM, libc::SIGUSR1].into_iter().chain(Session::signals(object)).collect()
}
