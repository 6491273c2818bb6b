//! One request in, one answer out: GET, GETNEXT and GETBULK of SNMPv2c (RFC 3416), honestly or not.

use super::COMMUNITY;
use super::ber::{Back, Oid, expect, tlv};
use super::mib::{Agent, Instance, octets_of_port};
use super::nature::{Lie, mix};

/// Values of one answer, at most: an answer stays within one datagram of 1,400 octets.
const MOST_VALUES: usize = 70;
const MOST_OCTETS: usize = 1_400;

const GET: u8 = 0xa0;
const GETNEXT: u8 = 0xa1;
const RESPONSE: u8 = 0xa2;
const GETBULK: u8 = 0xa5;

/// What a request asked for, as far as the judge needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// A GET of two objects or more; a single object asks only whether the agent lives.
    pub(crate) poll: bool,
    /// GETNEXT or GETBULK.
    pub(crate) walk: bool,
    /// Ports whose ifHCInOctets was asked for: bit 0 is port 1, up to 64 ports.
    pub(crate) ports: u64,
    /// The same for the same list of objects.
    pub(crate) shape: u32,
}

/// Memory that is used for every answer.
#[derive(Debug)]
pub(crate) struct Answerer {
    names: Vec<Oid>,
    values: Vec<(Oid, Option<Instance>)>,
    pub(crate) out: Back,
}

/// The fields around the variables.
struct Frame<'a> {
    kind: u8,
    id: &'a [u8],
    second: usize,
    third: usize,
    list: &'a [u8],
}

impl Frame<'_> {
    fn read(request: &[u8]) -> Option<Frame<'_>> {
        let (message, _) = expect(0x30, request)?;
        let (version, rest) = expect(0x02, message)?;
        let (community, rest) = expect(0x04, rest)?;
        if version != [1] || community != COMMUNITY.as_bytes() {
            return None;
        }
        let (kind, pdu, _) = tlv(rest)?;
        let (id, rest) = expect(0x02, pdu)?;
        let (second, rest) = expect(0x02, rest)?;
        let (third, rest) = expect(0x02, rest)?;
        let (list, _) = expect(0x30, rest)?;
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0usize, |n, b| n << 8 | usize::from(*b))
                .min(MOST_VALUES)
        };
        Some(Frame {
            kind,
            id,
            second: number(second),
            third: number(third),
            list,
        })
    }
}

impl Answerer {
    pub(crate) fn new() -> Answerer {
        Answerer {
            names: Vec::new(),
            values: Vec::new(),
            out: Back::new(),
        }
    }

    /// Leaves the answer in `out`; `None`: not understood, and no answer.
    pub(crate) fn answer(&mut self, request: &[u8], agent: &Agent, lie: Option<Lie>) -> Option<Asked> {
        let frame = Frame::read(request)?;
        self.read_names(frame.list)?;
        self.values.clear();
        match frame.kind {
            GET => self.values.extend(self.names.iter().map(|n| (*n, agent.get(n)))),
            GETNEXT => self.walk(agent, self.names.len(), 0),
            GETBULK => self.walk(agent, frame.second.min(self.names.len()), frame.third),
            _ => return None,
        }
        self.encode(&frame, agent, lie);
        let ports = self.names.iter().filter_map(octets_of_port);
        Some(Asked {
            poll: frame.kind == GET && self.names.len() > 1,
            walk: frame.kind != GET,
            ports: if frame.kind == GET {
                ports.fold(0, |all, p| all | 1 << ((p - 1) & 63))
            } else {
                0
            },
            shape: shape(frame.list),
        })
    }

    fn read_names(&mut self, mut list: &[u8]) -> Option<()> {
        self.names.clear();
        while !list.is_empty() {
            let (pair, rest) = expect(0x30, list)?;
            self.names.push(Oid::read(expect(0x06, pair)?.0)?);
            list = rest;
        }
        Some(())
    }

    /// `single` names once, the others `turns` times.
    fn walk(&mut self, agent: &Agent, single: usize, turns: usize) {
        for turn in 0..turns.max(1) {
            let range = if turn == 0 && turns == 0 {
                0..single
            } else if turn == 0 {
                0..self.names.len()
            } else {
                single..self.names.len()
            };
            for name in &mut self.names[range] {
                if self.values.len() >= MOST_VALUES {
                    return;
                }
                match agent.next(name) {
                    Some((oid, instance)) => {
                        *name = oid;
                        self.values.push((oid, Some(instance)));
                    }
                    None => self.values.push((*name, None)),
                }
            }
        }
    }

    fn encode(&mut self, frame: &Frame<'_>, agent: &Agent, lie: Option<Lie>) {
        let absent = if frame.kind == GET { 0x80 } else { 0x82 };
        if lie == Some(Lie::Fewer) {
            self.values.pop();
        }
        let mut fits = self.values.len();
        loop {
            self.out.clear();
            if lie == Some(Lie::Trailing) {
                self.out.raw(b"trailing");
            }
            let end = self.out.mark();
            for (name, instance) in self.values[..fits].iter().rev() {
                pair(&mut self.out, name, *instance, agent, absent, lie);
            }
            // A bulk answer may hold fewer rounds than asked for (RFC 3416, 4.2.3); a GET of hinomi always fits.
            if frame.kind != GETBULK || end - self.out.mark() < MOST_OCTETS || fits < 2 {
                self.frame(frame, end, lie);
                return;
            }
            fits = fits * 3 / 4;
        }
    }

    fn frame(&mut self, frame: &Frame<'_>, end: usize, lie: Option<Lie>) {
        let out = &mut self.out;
        out.head(0x30, end);
        out.raw(&[0x02, 1, 0, 0x02, 1, 0]);
        match lie {
            Some(Lie::Id) => out.raw(&[0x02, 4, 0x12, 0x34, 0x56, 0x78]),
            _ => out.text(0x02, frame.id),
        }
        out.head(if lie == Some(Lie::Kind) { GET } else { RESPONSE }, end);
        let community = if lie == Some(Lie::Community) {
            "public"
        } else {
            COMMUNITY
        };
        out.text(0x04, community.as_bytes());
        out.raw(&[0x02, 1, u8::from(lie != Some(Lie::Version))]);
        out.head(0x30, end);
        if lie == Some(Lie::Malformed) {
            out.raw(&[0x30, 0x82, 0x7f, 0xff]);
        }
        if lie == Some(Lie::Empty) {
            out.clear();
        }
    }
}

fn pair(out: &mut Back, name: &Oid, instance: Option<Instance>, agent: &Agent, absent: u8, lie: Option<Lie>) {
    let mark = out.mark();
    match instance {
        Some(instance) => agent.value(instance, out),
        None => out.raw(&[absent, 0]),
    }
    if lie == Some(Lie::Objects) {
        let mut other = *name;
        other.push(1);
        out.oid(other.arcs());
    } else {
        out.oid(name.arcs());
    }
    out.head(0x30, mark);
}

/// A number for a list of objects.
fn shape(list: &[u8]) -> u32 {
    let word = |chunk: &[u8]| chunk.iter().fold(0u64, |w, b| w << 8 | u64::from(*b));
    list.chunks(8).fold(list.len() as u64, |h, chunk| mix(h, word(chunk))) as u32
}
