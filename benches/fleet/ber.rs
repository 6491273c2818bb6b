//! As much of BER as SNMPv2c needs: read forward, written from the end to the front, so that no length is computed twice.

/// Splits off one tag, its value, and the rest. Lengths of up to two octets.
pub(crate) fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (
            usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?),
            &rest[2..],
        ),
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// Splits off a value of this tag.
pub(crate) fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    tlv(bytes)
        .filter(|(t, ..)| *t == tag)
        .map(|(_, value, rest)| (value, rest))
}

/// An object identifier of at most 32 arcs; more are cut off, and then name nothing that the fleet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Oid {
    arcs: [u32; 32],
    length: usize,
}

impl Oid {
    pub(crate) const EMPTY: Oid = Oid {
        arcs: [0; 32],
        length: 0,
    };

    pub(crate) fn arcs(&self) -> &[u32] {
        &self.arcs[..self.length]
    }

    pub(crate) fn of(prefix: &[u32], last: u32) -> Oid {
        let mut oid = Oid::EMPTY;
        prefix.iter().for_each(|arc| oid.push(*arc));
        oid.push(last);
        oid
    }

    pub(crate) fn push(&mut self, arc: u32) {
        if let Some(slot) = self.arcs.get_mut(self.length) {
            *slot = arc;
            self.length += 1;
        }
    }

    /// From the value octets of tag 6.
    pub(crate) fn read(bytes: &[u8]) -> Option<Oid> {
        let mut oid = Oid::EMPTY;
        let (&first, rest) = bytes.split_first()?;
        oid.push(u32::from(first / 40).min(2));
        oid.push(u32::from(first) - oid.arcs[0] * 40);
        let mut arc = 0u32;
        for byte in rest {
            arc = arc.checked_mul(128)? | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                oid.push(arc);
                arc = 0;
            }
        }
        Some(oid)
    }
}

/// Octets written from the end.
#[derive(Debug)]
pub(crate) struct Back {
    buffer: Vec<u8>,
    at: usize,
}

impl Back {
    pub(crate) fn new() -> Back {
        let buffer = vec![0; 16_384];
        let at = buffer.len();
        Back { buffer, at }
    }

    pub(crate) fn clear(&mut self) {
        self.at = self.buffer.len();
    }

    /// What stands there, front to back.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.at -= 1;
        self.buffer[self.at] = byte;
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.at -= bytes.len();
        self.buffer[self.at..self.at + bytes.len()].copy_from_slice(bytes);
    }

    /// A place to come back to with [`Back::head`].
    pub(crate) fn mark(&self) -> usize {
        self.at
    }

    /// Tag and length before all that was written since `mark`.
    pub(crate) fn head(&mut self, tag: u8, mark: usize) {
        match mark - self.at {
            n if n < 0x80 => self.byte(n as u8),
            n if n < 0x100 => self.raw(&[0x81, n as u8]),
            n => self.raw(&[0x82, (n >> 8) as u8, n as u8]),
        }
        self.byte(tag);
    }

    pub(crate) fn text(&mut self, tag: u8, bytes: &[u8]) {
        let mark = self.mark();
        self.raw(bytes);
        self.head(tag, mark);
    }

    /// A number that is never negative, in the fewest octets.
    pub(crate) fn unsigned(&mut self, tag: u8, mut value: u64) {
        let mark = self.mark();
        loop {
            self.byte(value as u8);
            if value < 0x80 {
                break;
            }
            value >>= 8;
        }
        self.head(tag, mark);
    }

    pub(crate) fn oid(&mut self, arcs: &[u32]) {
        let mark = self.mark();
        for arc in arcs.iter().skip(2).rev() {
            self.byte((arc & 0x7f) as u8);
            let mut more = arc >> 7;
            while more > 0 {
                self.byte((more & 0x7f) as u8 | 0x80);
                more >>= 7;
            }
        }
        self.byte((arcs.first().unwrap_or(&0) * 40 + arcs.get(1).unwrap_or(&0)) as u8);
        self.head(0x06, mark);
    }
}
