//! Who is what in each redundancy group, and what agents tell of it. Who becomes what, and when, stands in the plot.
//!
//! Never here: an election (`plot::election`), or what the product believes.

use super::super::plot::Act;
use super::super::town::Town;
use super::super::town::groups::{OWN_COLUMN, OWN_VALUE, Ring, Table};
use hinomi::model::redundancy::Role;
use std::collections::{BTreeMap, BTreeSet};

/// A value of an agent's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Int(i64),
    Counter(u64),
    Octet(u8),
}

/// What an agent tells of roles, by object identifier.
pub(crate) type Rows = BTreeMap<Vec<u32>, Cell>;

/// A member in an instance.
#[derive(Clone, Copy, Debug)]
struct Stand {
    role: Role,
    /// How often it became active since its device started.
    count: u64,
    /// Changes since ever: the row of some agents moves with each.
    changes: u32,
}

/// All groups.
#[derive(Clone, Debug)]
pub(crate) struct Roles {
    rings: Vec<Ring>,
    /// By group, instance, member.
    stands: Vec<Vec<Vec<Stand>>>,
    ports_down: BTreeSet<(usize, usize)>,
    /// Devices whose agent has lost its tables of roles.
    bare: BTreeSet<usize>,
    /// Group, instance and member of ports that LACP had put out when its table went: nobody can tell whether they are back.
    put_out: BTreeSet<(usize, usize, usize)>,
    dead: BTreeMap<usize, u8>,
    addresses: Vec<[u32; 4]>,
}

impl Roles {
    /// All is as it should be.
    pub(crate) fn new(town: &Town) -> Roles {
        let stand = |ring: &Ring, i: usize, m: usize| {
            let active = ring.counted() || ring.first(i) == m;
            Stand {
                role: if active { Role::Active } else { Role::Standby },
                count: if active { 2 } else { 1 },
                changes: 0,
            }
        };
        let of = |ring: &Ring| {
            let instance = |i: usize| (0..ring.seats.len()).map(|m| stand(ring, i, m)).collect();
            (0..ring.instances.len()).map(instance).collect()
        };
        let address = |d: &hinomi::model::Device| match d.address {
            std::net::IpAddr::V4(v4) => v4.octets().map(u32::from),
            std::net::IpAddr::V6(_) => [0; 4],
        };
        Roles {
            stands: town.rings.iter().map(of).collect(),
            rings: town.rings.clone(),
            ports_down: BTreeSet::new(),
            bare: BTreeSet::new(),
            put_out: BTreeSet::new(),
            dead: BTreeMap::new(),
            addresses: match town.rings.is_empty() {
                true => Vec::new(),
                false => town.site.devices.iter().map(address).collect(),
            },
        }
    }

    /// Something happens. The devices of which agents now tell something else.
    pub(crate) fn apply(&mut self, act: &Act) -> Vec<usize> {
        if self.rings.is_empty() {
            return Vec::new();
        }
        match act {
            Act::Role(g, i, m, role) => {
                let stand = &mut self.stands[*g][*i][*m];
                if stand.role != *role {
                    stand.count += u64::from(*role == Role::Active);
                    stand.changes += 1;
                    stand.role = *role;
                }
                vec![self.rings[*g].seats[*m].device]
            }
            Act::Tables(device, there) => {
                if *there {
                    self.bare.remove(device);
                    let rings = &self.rings;
                    self.put_out.retain(|(g, _, m)| rings[*g].seats[*m].device != *device);
                } else {
                    self.bare.insert(*device);
                    let out = self.out_by_lacp(*device);
                    self.put_out.extend(out);
                }
                vec![*device]
            }
            Act::Port(device, port, down) => {
                if *down {
                    self.ports_down.insert((*device, *port));
                } else {
                    self.ports_down.remove(&(*device, *port));
                }
                vec![*device]
            }
            Act::Dead(device, on) => {
                let n = self.dead.entry(*device).or_default();
                *n = if *on { *n + 1 } else { n.saturating_sub(1) };
                Vec::new()
            }
            Act::Reboot(device) => {
                for (ring, stands) in self.rings.iter().zip(&mut self.stands) {
                    for (m, _) in ring.seats.iter().enumerate().filter(|(_, s)| s.device == *device) {
                        stands.iter_mut().for_each(|instance| instance[m].count = 0);
                    }
                }
                vec![*device]
            }
            _ => Vec::new(),
        }
    }

    fn out_by_lacp(&self, device: usize) -> Vec<(usize, usize, usize)> {
        let mut out = Vec::new();
        for (g, ring) in self.rings.iter().enumerate() {
            let lacp = ring.table == Table::Ports { lacp: true };
            for (m, _) in ring
                .seats
                .iter()
                .enumerate()
                .filter(|(_, s)| lacp && s.device == device)
            {
                let failed = |i: &usize| self.stands[g][*i][m].role != Role::Active;
                out.extend((0..ring.instances.len()).filter(failed).map(|i| (g, i, m)));
            }
        }
        out
    }

    /// What a member is and how often it became that, for the history.
    pub(crate) fn tally(&self, g: usize, i: usize, m: usize) -> String {
        let count = self.rings[g].table.counts().then(|| self.stands[g][i][m].count);
        format!(
            "{:?}{}",
            self.role(g, i, m),
            count.map(|n| format!("/{n}")).unwrap_or_default()
        )
    }

    /// What a member is; `None` if its device is dead or its agent tells nothing of it.
    pub(crate) fn told(&self, g: usize, i: usize, m: usize) -> Option<Role> {
        let seat = &self.rings[g].seats[m];
        let of_port = seat.port.is_some();
        let bare = self.bare.contains(&seat.device) && (!of_port || self.put_out.contains(&(g, i, m)));
        (!self.is_dead(seat.device) && !bare).then(|| self.role(g, i, m))
    }

    /// Its device has no power.
    pub(crate) fn is_dead(&self, device: usize) -> bool {
        self.dead.get(&device).is_some_and(|n| *n > 0)
    }

    /// What a member is in truth.
    pub(crate) fn role(&self, g: usize, i: usize, m: usize) -> Role {
        let seat = &self.rings[g].seats[m];
        if seat.port.is_some_and(|p| self.ports_down.contains(&(seat.device, p))) || self.is_dead(seat.device) {
            return Role::Failed;
        }
        self.stands[g][i][m].role
    }

    /// The tables of a device.
    pub(crate) fn rows(&self, device: usize) -> Rows {
        let mut rows = Rows::new();
        if self.bare.contains(&device) {
            return rows;
        }
        for (g, ring) in self.rings.iter().enumerate() {
            for (m, _) in ring.seats.iter().enumerate().filter(|(_, s)| s.device == device) {
                for i in 0..ring.instances.len() {
                    self.row(g, i, m, &mut rows);
                }
            }
        }
        rows
    }

    fn row(&self, g: usize, i: usize, m: usize, rows: &mut Rows) {
        let (ring, stand) = (&self.rings[g], self.stands[g][i][m]);
        let code = |active: i64, standby: i64, failed: i64| {
            Cell::Int(match stand.role {
                Role::Active => active,
                Role::Standby => standby,
                Role::Failed | Role::Alone => failed,
            })
        };
        let mut add = |column: &[u32], index: &[u32], cell: Cell| {
            rows.insert([column, index].concat(), cell);
        };
        let vrid = 51 + i as u32;
        match ring.table {
            Table::Vrrp2 { moves } => {
                let index = [7 + if moves { 10 * (stand.changes % 9) } else { 0 }, vrid];
                add(&[1, 3, 6, 1, 2, 1, 68, 1, 3, 1, 3], &index, code(3, 2, 1));
                add(&[1, 3, 6, 1, 2, 1, 68, 2, 4, 1, 1], &index, Cell::Counter(stand.count));
            }
            Table::Vrrp3 => {
                let index = [7, vrid, 1];
                add(&[1, 3, 6, 1, 2, 1, 207, 1, 1, 1, 1, 6], &index, code(3, 2, 1));
                add(
                    &[1, 3, 6, 1, 2, 1, 207, 1, 2, 5, 1, 1],
                    &index,
                    Cell::Counter(stand.count),
                );
            }
            Table::Keepalived => {
                let index = [1 + i as u32];
                let base = [1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 3, 1];
                add(&[&base[..], &[4]].concat(), &index, code(2, 1, 0));
                add(&[&base[..], &[3]].concat(), &index, Cell::Int(i64::from(vrid)));
            }
            Table::Bgp4 => {
                let peer = ring.seats[m].peer.map_or([0; 4], |p| self.addresses[p]);
                add(&[1, 3, 6, 1, 2, 1, 15, 3, 1, 2], &peer, code(6, 1, 3));
                add(&[1, 3, 6, 1, 2, 1, 15, 3, 1, 15], &peer, Cell::Counter(stand.count));
            }
            Table::Ports { lacp: true } => {
                let index = [1 + ring.seats[m].port.unwrap_or(0) as u32];
                let state = if stand.role == Role::Active { 0x3d } else { 0x05 };
                add(&[1, 2, 840, 10006, 300, 43, 1, 2, 1, 1, 21], &index, Cell::Octet(state));
            }
            Table::Ports { lacp: false } => {}
            Table::Object { column: true } => add(&OWN_COLUMN, &[1 + i as u32], code(1, 2, 3)),
            Table::Object { column: false } => add(&OWN_VALUE, &[], code(1, 2, 3)),
            Table::F5 => add(&[1, 3, 6, 1, 4, 1, 3375, 2, 1, 14, 3, 1, 0], &[], code(4, 3, 1)),
        }
    }
}
