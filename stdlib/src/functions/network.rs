//! Addresses of networks.

use super::{Function, Kind, optional, param};

pub(super) const NETWORK: &[Function] = &[
    Function {
        name: "ntop",
        params: &[param("address or family", Kind::Any), optional("address", Kind::Any)],
        result: "inet",
        brief: "An IP address that prints as such.",
        doc: "An integer or four bytes are IPv4, sixteen bytes are IPv6; a family (AF_INET, AF_INET6) before the \
              address decides otherwise.",
        example: "kprobe:tcp_connect { print(ntop(((struct sock *)arg0).__sk_common.skc_daddr)); }",
        ..Function::PLAIN
    },
    Function {
        name: "pton",
        params: &[param("address", Kind::Literal)],
        result: "uint8[4] or uint8[16]",
        brief: "The bytes of an IP address, in network order.",
        example: "kprobe:tcp_connect /((struct sock *)arg0).__sk_common.skc_daddr == (uint32)pton(\"127.0.0.1\")/ { @ = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "socket_cookie",
        params: &[param("sock", Kind::Any)],
        result: "uint64",
        brief: "The number that the kernel gives to a socket, for the socket's whole life.",
        doc: "In fentry and fexit the socket must be an argument of the function, and gets a number where it has none yet (Linux \
              5.12); elsewhere it is 0 then.",
        example: "fentry:tcp_rcv_established { @[socket_cookie(args.sk)] = count(); }",
        ..Function::PLAIN
    },
    Function {
        name: "macaddr",
        params: &[param("address", Kind::Any)],
        result: "mac_address",
        brief: "Six bytes that print as a hardware address.",
        example: "kprobe:eth_header { print(macaddr((uint8 *)arg3)); }",
        ..Function::PLAIN
    },
];
