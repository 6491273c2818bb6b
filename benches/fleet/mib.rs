//! The objects of an agent: computed when asked for, nothing is stored by agent or port.
//!
//! system (RFC 3418), ifTable and ifXTable (RFC 2863), memory and processors (HOST-RESOURCES-MIB, RFC 2790).

use super::ber::{Back, Oid};
use super::nature::mix;

/// Rows of a column.
#[derive(Clone, Copy, Debug)]
enum Rows {
    /// One instance, `.0`.
    Scalar,
    /// ifIndex 1 to the number of ports.
    Ports,
    /// Exactly this index.
    One(u32),
}

/// A column: its identifier without the instance.
#[derive(Debug)]
struct Column {
    prefix: &'static [u32],
    rows: Rows,
}

macro_rules! columns {
    ($($rows:expr, $head:expr, [$($last:expr),*];)*) => {
        &[$($(Column { prefix: &{ const H: &[u32] = $head; joined::<{ H.len() + 1 }>(H, $last) }, rows: $rows }),*),*]
    };
}

/// `head` and one more arc.
const fn joined<const N: usize>(head: &[u32], last: u32) -> [u32; N] {
    let mut all = [last; N];
    let mut i = 0;
    while i < head.len() {
        all[i] = head[i];
        i += 1;
    }
    all
}

/// All columns in their order.
const COLUMNS: &[Column] = columns! {
    Rows::Scalar, &[1, 3, 6, 1, 2, 1, 1], [1, 2, 3, 4, 5, 6];
    Rows::Scalar, &[1, 3, 6, 1, 2, 1, 2], [1];
    Rows::Ports, &[1, 3, 6, 1, 2, 1, 2, 2, 1], [1, 2, 3, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20];
    Rows::Scalar, &[1, 3, 6, 1, 2, 1, 25, 1], [1];
    Rows::Scalar, &[1, 3, 6, 1, 2, 1, 25, 2], [2];
    Rows::One(1), &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1], [1, 2, 3, 4, 5, 6];
    Rows::One(196_608), &[1, 3, 6, 1, 2, 1, 25, 3, 3, 1], [2];
    Rows::Ports, &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1], [1, 6, 7, 8, 9, 10, 11, 12, 13, 15, 18, 19];
    Rows::Scalar, &[1, 3, 6, 1, 2, 1, 31, 1], [5];
};

const IF_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1];
const IF_X_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1];
/// ifHCInOctets
const HC_IN_OCTETS: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6];

/// Who is asked, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agent {
    /// Number in the fleet.
    pub(crate) number: u32,
    /// Its interfaces.
    pub(crate) ports: u32,
    /// Since the fleet began, milliseconds.
    pub(crate) ms: u64,
}

/// One instance that exists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instance {
    column: usize,
    row: u32,
}

/// The port of a request for ifHCInOctets.
pub(crate) fn octets_of_port(oid: &Oid) -> Option<u32> {
    oid.arcs()
        .strip_prefix(HC_IN_OCTETS)
        .filter(|row| row.len() == 1)
        .map(|row| row[0])
}

impl Rows {
    fn bounds(self, ports: u32) -> (u32, u32) {
        match self {
            Rows::Scalar => (0, 0),
            Rows::Ports => (1, ports),
            Rows::One(row) => (row, row),
        }
    }
}

impl Agent {
    /// The instance of exactly this name.
    pub(crate) fn get(&self, oid: &Oid) -> Option<Instance> {
        let (row, prefix) = oid.arcs().split_last()?;
        let column = COLUMNS.binary_search_by(|c| c.prefix.cmp(prefix)).ok()?;
        let (first, last) = COLUMNS[column].rows.bounds(self.ports);
        (first..=last).contains(row).then_some(Instance { column, row: *row })
    }

    /// The instance that follows this name.
    pub(crate) fn next(&self, oid: &Oid) -> Option<(Oid, Instance)> {
        let start = COLUMNS.partition_point(|c| c.prefix <= oid.arcs()).saturating_sub(1);
        for (column, Column { prefix, rows }) in COLUMNS.iter().enumerate().skip(start) {
            let (first, last) = rows.bounds(self.ports);
            let row = match oid.arcs().strip_prefix(*prefix) {
                Some([row, ..]) => row.checked_add(1)?.max(first),
                Some([]) => first,
                None if oid.arcs() < *prefix => first,
                None => continue,
            };
            if row <= last {
                return Some((Oid::of(prefix, row), Instance { column, row }));
            }
        }
        None
    }

    /// Writes the value.
    pub(crate) fn value(&self, at: Instance, out: &mut Back) {
        let prefix = COLUMNS[at.column].prefix;
        // COLUMNS has no empty prefix.
        let Some((&last, head)) = prefix.split_last() else {
            return;
        };
        match head {
            IF_ENTRY => self.interface(last, at.row, out),
            IF_X_ENTRY => self.interface_x(last, at.row, out),
            [.., 25, 2, 3, 1] => self.storage(last, out),
            [.., 25, 3, 3, 1] => out.unsigned(0x02, self.slowly(90, 5)),
            [.., 1, 1] => self.system(last, out),
            [.., 25, 1] => out.unsigned(0x43, self.ticks()),
            [.., 25, 2] => out.unsigned(0x02, 4_194_304),
            [.., 31, 1] => out.unsigned(0x43, 0),
            _ => out.unsigned(0x02, u64::from(self.ports)),
        }
    }

    fn system(&self, which: u32, out: &mut Back) {
        match which {
            1 => out.text(0x04, b"an agent of the fleet"),
            // Nobody's enterprise number (RFC 5612, for documentation).
            2 => out.oid(&[1, 3, 6, 1, 4, 1, 32_473, 1]),
            3 => out.unsigned(0x43, self.ticks()),
            5 => out.text(0x04, b"agent"),
            _ => out.text(0x04, b""),
        }
    }

    fn storage(&self, which: u32, out: &mut Back) {
        match which {
            1 => out.unsigned(0x02, 1),
            2 => out.oid(&[1, 3, 6, 1, 2, 1, 25, 2, 1, 2]),
            3 => out.text(0x04, b"Physical memory"),
            4 => out.unsigned(0x02, 4_096),
            5 => out.unsigned(0x02, 1_048_576),
            _ => out.unsigned(0x02, 10_000 * self.slowly(70, 20)),
        }
    }

    fn interface(&self, column: u32, port: u32, out: &mut Back) {
        match column {
            1 => out.unsigned(0x02, u64::from(port)),
            2 => self.name(port, out),
            3 => out.unsigned(0x02, 6),
            4 => out.unsigned(0x02, 1_500),
            5 => out.unsigned(0x42, 1_000_000_000),
            7 | 8 => out.unsigned(0x02, 1),
            10 => out.unsigned(0x41, self.octets(port, 0) & 0xffff_ffff),
            16 => out.unsigned(0x41, self.octets(port, 1) & 0xffff_ffff),
            11 => out.unsigned(0x41, (self.octets(port, 0) / 600) & 0xffff_ffff),
            17 => out.unsigned(0x41, (self.octets(port, 1) / 600) & 0xffff_ffff),
            _ => out.unsigned(0x41, 0),
        }
    }

    fn interface_x(&self, column: u32, port: u32, out: &mut Back) {
        let packets = |direction| self.octets(port, direction) / 600;
        match column {
            1 => self.name(port, out),
            6 => out.unsigned(0x46, self.octets(port, 0)),
            10 => out.unsigned(0x46, self.octets(port, 1)),
            7 => out.unsigned(0x46, packets(0)),
            11 => out.unsigned(0x46, packets(1)),
            8 | 9 => out.unsigned(0x46, packets(0) / 100),
            12 | 13 => out.unsigned(0x46, packets(1) / 100),
            15 => out.unsigned(0x42, 1_000),
            18 => out.text(0x04, b"line"),
            _ => out.unsigned(0x43, 0),
        }
    }

    /// `wan0` of a router with one port, `ge-0/0/K` of a device with many.
    fn name(&self, port: u32, out: &mut Back) {
        if self.ports == 1 {
            return out.text(0x04, b"wan0");
        }
        let mark = out.mark();
        let mut rest = port.saturating_sub(1);
        loop {
            out.byte(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        out.raw(b"ge-0/0/");
        out.head(0x04, mark);
    }

    /// 1 kB/s to 1 MB/s, by port and direction, since the fleet began.
    fn octets(&self, port: u32, direction: u32) -> u64 {
        let rate = 1_000 + mix(u64::from(self.number), u64::from(port * 2 + direction)) % 1_000_000;
        (self.ms + 600_000) * rate / 1_000
    }

    /// A share that changes every minute.
    fn slowly(&self, most: u64, least: u64) -> u64 {
        least + mix(u64::from(self.number), self.ms / 60_000) % (most - least)
    }

    fn ticks(&self) -> u64 {
        self.ms / 10 + 100_000
    }
}
