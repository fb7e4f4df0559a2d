//! Telling the service manager how far we are (sd_notify(3)).

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The socket of the service manager, from the environment.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// What it wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything is attached.
    Ready,
    /// The run is about to end.
    Stopping,
}

/// Sends the state where somebody waits for it.
pub fn announce(state: State) -> io::Result<()> {
    let Some(socket) = std::env::var_os(VARIABLE).filter(|s| !s.is_empty()) else { return Ok(()) };
    send(state, &socket)
}

fn send(state: State, socket: &OsString) -> io::Result<()> {
    let text: &[u8] = match state {
        State::Ready => b"READY=1\nSTATUS=Tracing",
        State::Stopping => b"STOPPING=1\nSTATUS=Detached",
    };
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(text, &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_hears_of_it() {
        let path = std::env::temp_dir().join(format!("rbtrace-notify-{}", std::process::id()));
        let manager = UnixDatagram::bind(&path).unwrap();
        send(State::Ready, &path.clone().into_os_string()).unwrap();
        let mut text = [0; 64];
        let n = manager.recv(&mut text).unwrap();
        assert!(text[..n].starts_with(b"READY=1\n"));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn names_without_a_file() {
        let name = format!("rbtrace-notify-{}", std::process::id());
        let manager =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
        send(State::Stopping, &format!("@{name}").into()).unwrap();
        let mut text = [0; 64];
        let n = manager.recv(&mut text).unwrap();
        assert!(text[..n].starts_with(b"STOPPING=1\n"));
        assert!(send(State::Ready, &"/nonexistent/socket".into()).is_err());
    }
}
