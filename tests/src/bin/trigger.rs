//! Makes the events that the cases trace: known system calls, processes, packets, in known numbers.
//!
//! `trigger WHAT ARGUMENTS…`; the table in `main` is the list.

use anyhow::{Context as _, Result, bail};
use rbtrace_tests::{sys, traffic};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let a: Vec<&str> = args.iter().map(String::as_str).collect();
    match a.as_slice() {
        ["open", paths @ ..] => open(paths),
        ["read", path, size, count] => read(path, size.parse()?, count.parse()?),
        ["write", path, size, count] => write(path, size.parse()?, count.parse()?),
        ["getppid", count] => getppid(count.parse()?),
        ["children", count] => children(count.parse()?),
        ["threads", count] => threads(count.parse()?),
        ["crowd", threads, count] => crowd(threads.parse()?, count.parse()?),
        ["spin", ms] => spin(millis(ms)?, || ()),
        ["kspin", ms] => kspin(millis(ms)?),
        ["sleep", ms] => {
            std::thread::sleep(millis(ms)?);
            Ok(())
        }
        ["terminal", program, rest @ ..] => terminal(program, rest),
        ["as-nobody", program, rest @ ..] => become_other(sys::become_nobody, program, rest),
        ["without-mounting", program, rest @ ..] => become_other(sys::give_up_mounting, program, rest),
        ["notified", program, rest @ ..] => notified(program, rest),
        ["arp", iface, sender, target] => arp(iface, sender.parse()?, target.parse()?),
        ["frame", iface, mac, from, to, port] => frame(iface, mac, from.parse()?, to.parse()?, port.parse()?),
        ["udp", to, port, count] => udp(to, port.parse()?, count.parse()?),
        ["udp-wait", addr, port, ms] => udp_wait(addr, port.parse()?, millis(ms)?, false),
        ["udp-wait-transparent", addr, port, ms] => udp_wait(addr, port.parse()?, millis(ms)?, true),
        ["tcp", count] => tcp(count.parse()?),
        ["tcp-refused", to, port] => tcp_refused(to, port.parse()?),
        _ => bail!("trigger: cannot do {args:?}"),
    }
}

fn millis(text: &str) -> Result<Duration> {
    Ok(Duration::from_millis(text.parse()?))
}

/// Opens each path for reading; a path that is not there is fine.
fn open(paths: &[&str]) -> Result<()> {
    for path in paths {
        let _ = std::fs::File::open(path);
    }
    Ok(())
}

/// `count` calls of read(2) of `size` bytes each, all from the start of the file.
fn read(path: &str, size: usize, count: usize) -> Result<()> {
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0; size];
    for _ in 0..count {
        file.rewind()?;
        let _ = file.read(&mut buffer)?;
    }
    Ok(())
}

/// `count` calls of write(2) of `size` bytes each.
fn write(path: &str, size: usize, count: usize) -> Result<()> {
    let mut file = std::fs::File::options().write(true).create(true).truncate(false).open(path)?;
    let buffer = vec![b'x'; size];
    for _ in 0..count {
        let _ = file.write(&buffer)?;
    }
    Ok(())
}

fn getppid(count: usize) -> Result<()> {
    for _ in 0..count {
        sys::getppid();
    }
    Ok(())
}

/// Runs `count` children, the n-th of which exits with status n.
fn children(count: u32) -> Result<()> {
    for n in 1..=count {
        Command::new("sh").arg("-c").arg(format!("exit {n}")).status()?;
    }
    Ok(())
}

fn threads(count: usize) -> Result<()> {
    for _ in 0..count {
        std::thread::spawn(sys::getppid).join().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
    }
    Ok(())
}

/// As many threads, all there at once, each with `count` calls of getppid(2).
fn crowd(threads: usize, count: usize) -> Result<()> {
    let all_there = std::sync::Barrier::new(threads);
    let run = || {
        all_there.wait();
        (0..count).for_each(|_| _ = sys::getppid());
        all_there.wait();
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, run)?;
        }
        Ok(())
    })
}

fn spin(time: Duration, mut work: impl FnMut()) -> Result<()> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        work();
    }
    Ok(())
}

/// Keeps a CPU busy inside the kernel.
fn kspin(time: Duration) -> Result<()> {
    let mut zero = std::fs::File::open("/dev/zero")?;
    let mut buffer = vec![0; 1 << 20];
    spin(time, || {
        let _ = zero.read(&mut buffer);
    })
}

/// Runs a program as a service manager does; prints the first line of what it said of its state once it has ended.
fn notified(program: &str, args: &[&str]) -> Result<()> {
    let path = std::env::temp_dir().join(format!("trigger-notify-{}", std::process::id()));
    let socket = UnixDatagram::bind(&path)?;
    let status = Command::new(program).args(args).env("NOTIFY_SOCKET", &path).status();
    std::fs::remove_file(&path)?;
    socket.set_nonblocking(true)?;
    let mut message = [0; 256];
    while let Ok(n) = socket.recv(&mut message) {
        println!("{}", String::from_utf8_lossy(&message[..n]).lines().next().unwrap_or_default());
    }
    anyhow::ensure!(status?.success(), "{program} failed");
    Ok(())
}

/// Runs a program after giving up some rights.
fn become_other(change: fn() -> std::io::Result<()>, program: &str, args: &[&str]) -> Result<()> {
    change()?;
    Err(Command::new(program).args(args).exec()).with_context(|| format!("cannot run {program}"))
}

/// Runs a command whose three streams are a terminal, and copies what it shows to standard output.
fn terminal(program: &str, args: &[&str]) -> Result<()> {
    let (ours, theirs) = sys::terminal()?;
    let mut command = Command::new(program);
    command.args(args).stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
    let mut child = command.spawn().with_context(|| format!("cannot run {program}"))?;
    drop(command);
    sys::ignore_interrupt();
    let (mut ours, mut out) = (std::fs::File::from(ours), std::io::stdout());
    let mut chunk = [0; 4096];
    // When nobody has the other end any more, the read fails (EIO).
    while let Ok(n @ 1..) = ours.read(&mut chunk) {
        out.write_all(&chunk[..n])?;
        out.flush()?;
    }
    std::process::exit(child.wait()?.code().unwrap_or(1))
}

fn mac_of(iface: &str) -> Result<traffic::Mac> {
    let text = std::fs::read_to_string(format!("/sys/class/net/{iface}/address"))?;
    traffic::parse_mac(text.trim()).with_context(|| format!("{iface} has no Ethernet address"))
}

fn arp(iface: &str, sender: Ipv4Addr, target: Ipv4Addr) -> Result<()> {
    let frame = traffic::arp_request(mac_of(iface)?, sender, target);
    sys::send_frame(iface, &frame).context("cannot send")
}

fn frame(iface: &str, mac: &str, from: Ipv4Addr, to: Ipv4Addr, port: u16) -> Result<()> {
    let to_mac = traffic::parse_mac(mac).context("bad hardware address")?;
    let path = traffic::Path { to_mac, from_mac: mac_of(iface)?, from, to };
    sys::send_frame(iface, &traffic::udp_frame(path, port, b"rbtrace")).context("cannot send")
}

fn udp(to: &str, port: u16, count: usize) -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    for _ in 0..count {
        // A refusal of the previous datagram (ICMP) is reported here: not of interest.
        let _ = socket.send_to(b"rbtrace", (to, port));
    }
    Ok(())
}

/// Says `ready`, then `got N bytes from ADDR` for a datagram or `nothing came`.
fn udp_wait(addr: &str, port: u16, time: Duration, transparent: bool) -> Result<()> {
    let socket = UdpSocket::bind((addr, port))?;
    if transparent {
        sys::set_transparent(socket.as_raw_fd())?;
    }
    socket.set_read_timeout(Some(time))?;
    println!("ready");
    match socket.recv_from(&mut [0; 2048]) {
        Ok((n, from)) => println!("got {n} bytes from {}", from.ip()),
        Err(_) => println!("nothing came"),
    }
    Ok(())
}

/// `count` connections over loopback, each carrying seven bytes.
fn tcp(count: usize) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let to = listener.local_addr()?;
    for _ in 0..count {
        let mut client = TcpStream::connect(to)?;
        let (mut server, _) = listener.accept()?;
        client.write_all(b"rbtrace")?;
        server.read_exact(&mut [0; 7])?;
    }
    Ok(())
}

fn tcp_refused(to: &str, port: u16) -> Result<()> {
    match TcpStream::connect((to, port)) {
        Ok(_) => bail!("someone listens there"),
        Err(_) => Ok(()),
    }
}
