//! Which pages a set of addresses lies in.

/// The pages of some addresses: passes over most symbols of a kernel at the price of a bit.
pub(super) struct Pages {
    first: u64,
    last: u64,
    bits: Vec<bool>,
}

impl Pages {
    const SHIFT: u32 = 12;
    /// Pages beyond this many (256 MiB of addresses) share the last bit.
    const MOST: u64 = 1 << 16;

    /// `sorted` is in ascending order.
    pub(super) fn of(sorted: &[u64]) -> Pages {
        let page = |a: &u64| a >> Pages::SHIFT;
        let (first, last) = (sorted.first().map_or(1, page), sorted.last().map_or(0, page));
        let mut pages =
            Pages { first, last, bits: vec![false; Pages::MOST.min(last.wrapping_sub(first)) as usize + 1] };
        for address in sorted {
            let bit = pages.bit(page(address));
            pages.bits[bit] = true;
        }
        pages
    }

    fn bit(&self, page: u64) -> usize {
        (page - self.first).min(Pages::MOST) as usize
    }

    /// May one of the addresses lie from `start` to before `end`?
    pub(super) fn may_meet(&self, start: u64, end: u64) -> bool {
        let from = (start >> Pages::SHIFT).max(self.first);
        let to = ((end - 1) >> Pages::SHIFT).min(self.last);
        from <= to && self.bits[self.bit(from)..=self.bit(to)].contains(&true)
    }
}
