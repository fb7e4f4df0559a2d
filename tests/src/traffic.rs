//! Packets for the network stories: frames built by hand, so that a case decides on each field.

use std::net::Ipv4Addr;

/// A hardware address.
pub type Mac = [u8; 6];

/// Ethernet types (include/uapi/linux/if_ether.h).
const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;

/// Reads `aa:bb:cc:dd:ee:ff`.
pub fn parse_mac(text: &str) -> Option<Mac> {
    let bytes: Vec<u8> = text.split(':').map(|b| u8::from_str_radix(b, 16).ok()).collect::<Option<_>>()?;
    bytes.try_into().ok()
}

fn ethernet(to: Mac, from: Mac, kind: u16) -> Vec<u8> {
    [&to[..], &from, &kind.to_be_bytes()].concat()
}

/// An ARP request (RFC 826), broadcast: who has `target`, tell `sender`.
pub fn arp_request(from: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet([0xff; 6], from, ETH_P_ARP);
    // Hardware type Ethernet, protocol IPv4, address lengths 6 and 4, operation 1 (request).
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(from);
    frame.extend(sender.octets());
    frame.extend([0; 6]);
    frame.extend(target.octets());
    frame
}

/// Who sends to whom, on both layers.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// Destination hardware address.
    pub to_mac: Mac,
    /// Source hardware address.
    pub from_mac: Mac,
    /// Source address.
    pub from: Ipv4Addr,
    /// Destination address.
    pub to: Ipv4Addr,
}

/// A UDP datagram (RFC 768) in IPv4 (RFC 791) in an Ethernet frame; the UDP checksum is left out, as IPv4 allows.
pub fn udp_frame(path: Path, port: u16, payload: &[u8]) -> Vec<u8> {
    let udp_len = 8 + payload.len() as u16;
    let mut ip = vec![0x45, 0];
    ip.extend((20 + udp_len).to_be_bytes());
    // Identification, don't fragment, time to live 64, protocol 17 (UDP), checksum to be filled in.
    ip.extend([0, 1, 0x40, 0, 64, 17, 0, 0]);
    ip.extend(path.from.octets());
    ip.extend(path.to.octets());
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut frame = ethernet(path.to_mac, path.from_mac, ETH_P_IP);
    frame.extend(ip);
    for word in [40000, port, udp_len, 0] {
        frame.extend(word.to_be_bytes());
    }
    frame.extend(payload);
    frame
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|c| u32::from(c[0]) << 8 | u32::from(*c.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_right_shape() {
        let mac = parse_mac("02:00:00:00:00:0a").unwrap();
        assert_eq!(parse_mac("02:00"), None);
        let arp = arp_request(mac, Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 9));
        assert_eq!(arp.len(), 42);
        let to = Ipv4Addr::new(10, 0, 0, 1);
        let path = Path { to_mac: mac, from_mac: mac, from: to, to };
        let udp = udp_frame(path, 53, b"hello");
        assert_eq!(udp.len(), 14 + 20 + 8 + 5);
        assert_eq!(checksum(&udp[14..34]), 0, "a header with its checksum sums up to zero");
    }
}
