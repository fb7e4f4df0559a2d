//! Addresses of networks.

use crate::Span;
use crate::ast;
use crate::check::convert::{convert, to_int};
use crate::check::{Checker, Typed};
use crate::hir::{Expr, ExprKind, Function};
use crate::types::{I64, StructKind, Type, U32, U64};
use std::net::IpAddr;

/// Structs that begin with `struct sock_common`.
const SOCKETS: [&str; 9] = [
    "sock",
    "sock_common",
    "inet_sock",
    "inet_connection_sock",
    "tcp_sock",
    "udp_sock",
    "tcp6_sock",
    "udp6_sock",
    "unix_sock",
];

/// A char array, which counts as a text elsewhere, as the bytes that it is here.
fn as_bytes(e: Expr) -> Expr {
    let Type::Str(len) = e.ty else { return e };
    let ty = Type::Array { elem: Box::new(Type::int(1, false)), len };
    Expr { span: e.span, ty, kind: ExprKind::Reinterpret(Box::new(e)) }
}

impl Checker<'_> {
    /// `ntop(address)`, `ntop(family, address)`
    pub(crate) fn ntop(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let (family, addr) = match args {
            [family, addr] => {
                let family = self.int_value(family, "ntop()")?;
                (Some(Box::new(to_int(family, I64))), addr)
            }
            _ => (None, &args[0]),
        };
        let typed = self.expr(addr)?;
        let typed = match &typed.ty {
            Type::Int { .. } => to_int(typed, U32),
            Type::Array { .. } | Type::Str(_) if matches!(typed.ty.size(), 4 | 16) => as_bytes(typed),
            Type::Array { .. } | Type::Str(_) => {
                return self.error(addr.span, "ntop() takes an address of 4 or 16 bytes");
            }
            ty => {
                let message = format!("ntop() takes an integer or an array, not {ty}");
                return self.error(addr.span, message);
            }
        };
        let kind = ExprKind::Ntop { family, addr: Box::new(typed) };
        Some(Expr { kind, ty: Type::Inet, span })
    }

    /// `pton("127.0.0.1")`: the address's bytes.
    pub(crate) fn pton(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let text = self.name_arg("pton", args, 0)?;
        let bytes: Vec<u8> = match text.parse() {
            Ok(IpAddr::V4(a)) => a.octets().to_vec(),
            Ok(IpAddr::V6(a)) => a.octets().to_vec(),
            Err(_) => {
                let message = format!("'{text}' is neither an IPv4 nor an IPv6 address");
                return self.error(args[0].span, message);
            }
        };
        let ty = Type::Array { elem: Box::new(Type::int(1, false)), len: bytes.len() as u32 };
        Some(Expr { kind: ExprKind::Text(bytes.into()), ty, span })
    }

    /// `socket_cookie(sock)`
    pub(crate) fn socket_cookie(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let sock = self.expr(&args[0])?;
        match &sock.ty {
            Type::Ptr { to, .. } if matches!(&**to, Type::Struct(s) if SOCKETS.contains(&&*s.name)) => {
                if !matches!(self.view.context.kind, "fentry" | "fexit") {
                    return self.cookie_so_far(sock, span);
                }
                let kind = ExprKind::Call(Function::SocketCookie, vec![sock]);
                Some(Expr { kind, ty: U64, span })
            }
            ty => {
                let message = format!("socket_cookie() takes a pointer to struct sock, not {ty}");
                self.error(args[0].span, message)
            }
        }
    }

    /// The number that a socket has already: only programs that are bound to a function can have the kernel give one.
    fn cookie_so_far(&mut self, sock: Expr, span: Span) -> Typed {
        let common = self.struct_named(StructKind::Struct, "sock_common", span)?;
        // Every kind of socket begins with it.
        let space = if let Type::Ptr { space, .. } = sock.ty { space } else { self.space() };
        let mut value = self.deref(convert(sock, Type::ptr(Type::Struct(common), space)), span)?;
        for name in ["skc_cookie", "counter"] {
            value = self.field_of(value, &ast::Name { text: name.into(), span }, span)?;
        }
        Some(to_int(value, U64))
    }

    /// `macaddr(bytes)`
    pub(crate) fn macaddr(&mut self, args: &[ast::Expr], span: Span) -> Typed {
        let typed = self.expr(&args[0])?;
        match &typed.ty {
            Type::Ptr { .. } => {}
            Type::Int { .. } => {
                let address = self.as_pointer(typed, Type::int(1, false));
                return Some(Expr { kind: ExprKind::MacAddr(Box::new(address)), ty: Type::Mac, span });
            }
            Type::Array { .. } if typed.ty.size() >= 6 => {}
            Type::Array { .. } => {
                return self
                    .error(args[0].span, "macaddr() takes an address of 6 bytes: this array is shorter");
            }
            Type::Str(n) if *n >= 6 && !matches!(typed.kind, ExprKind::Text(_)) => {}
            Type::Str(_) => {
                return self.error(args[0].span, "macaddr() takes bytes in memory, not a text in quotes");
            }
            ty => {
                let message = format!("macaddr() takes an array or a pointer, not {ty}");
                return self.error(args[0].span, message);
            }
        }
        Some(Expr { kind: ExprKind::MacAddr(Box::new(as_bytes(typed))), ty: Type::Mac, span })
    }
}
