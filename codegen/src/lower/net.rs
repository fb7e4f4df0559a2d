//! Network addresses.

use super::Lowered;
use super::frame::Lower;
use super::memory::Place;
use rbtrace_lang::hir::Expr;
use rbtrace_lang::types::{AF_INET, AF_INET6};

/// Bytes of an IPv6 address.
const IN6_BYTES: u32 = 16;
/// Bytes of an IPv4 address.
const IN_BYTES: u32 = 4;
/// Bytes of a hardware address.
const MAC_BYTES: u32 = 6;

impl Lower<'_, '_> {
    /// `ntop(family, addr)`: the family, then 16 bytes.
    pub(super) fn store_inet(&mut self, family: Option<&Expr>, addr: &Expr, dst: &Place) -> Lowered<()> {
        let size = if addr.ty.is_scalar() { IN_BYTES } else { addr.ty.size().min(IN6_BYTES) };
        let family = match family {
            Some(family) => self.scalar(family)?,
            None => self.f.b.iconst(i64::from(if size > IN_BYTES { AF_INET6 } else { AF_INET })),
        };
        self.store_scalar(dst, 4, family);
        let bytes = dst.at(4);
        if addr.ty.is_scalar() {
            let value = self.scalar(addr)?;
            self.store_scalar(&bytes, IN_BYTES, value);
        } else {
            let src = self.place(addr)?;
            self.copy_bytes(&src, &bytes, size);
        }
        self.zero(&bytes.at(size), IN6_BYTES - size);
        Ok(())
    }

    /// `macaddr(x)`: six bytes at a place.
    pub(super) fn store_mac(&mut self, e: &Expr, dst: &Place) -> Lowered<()> {
        let src = self.source(e)?;
        self.copy_bytes(&src, dst, MAC_BYTES);
        Ok(())
    }
}
