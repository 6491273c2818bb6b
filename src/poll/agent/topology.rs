//! What a device tells of its cables and its addresses: LLDP-MIB (IEEE 802.1AB), CISCO-CDP-MIB, IP-MIB (RFC 4293). Looked up as rarely as
//! names are, after everything that a round is for has been read.
//!
//! Never here: which device of the site a neighbour is (that is `rules`).

use super::learn::Found;
use super::memory::Since;
use super::text;
use crate::model::snmp::TextEncoding;
use crate::model::{Mono, Name, Subnet};
use crate::poll::{Neighbour, PortAddress, Topology};
use crate::wire::snmp::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Look again this often.
const REFRESH: Duration = Duration::from_secs(3_600);
/// And this soon after the interfaces of a device have changed.
const CHANGED: Duration = Duration::from_secs(300);
/// Neighbours of a device that are kept.
const MOST: usize = 1_024;

/// lldpRemEntry: 5 chassis, 6 and 7 port, 8 its description, 9 name. Its index: time, local port number, number of the neighbour.
const LLDP_REMOTE: [u32; 10] = [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1];
/// lldpRemManAddrEntry: 3 ifSubtype. Its index goes on with the family and the address.
const LLDP_ADDRESS: [u32; 10] = [1, 0, 8802, 1, 1, 2, 1, 4, 2, 1];
/// lldpLocalSystemData: 1 and 2 chassis, 3 name.
const LLDP_LOCAL: [u32; 8] = [1, 0, 8802, 1, 1, 2, 1, 3];
/// lldpLocPortEntry: 2 and 3 identifier, 4 description.
const LLDP_PORT: [u32; 10] = [1, 0, 8802, 1, 1, 2, 1, 3, 7, 1];
/// cdpCacheEntry: 4 address, 6 device, 7 its port. Its index: ifIndex, number of the neighbour.
const CDP_CACHE: [u32; 13] = [1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1];
/// ipAddressEntry: 3 ifIndex, 5 prefix. Its index: family, length, address.
const IP_ADDRESS: [u32; 9] = [1, 3, 6, 1, 2, 1, 4, 34, 1];
/// ipAddrEntry: 2 ifIndex, 3 mask. Its index: address. (Deprecated, and often the only one.)
const IP_ADDR: [u32; 9] = [1, 3, 6, 1, 2, 1, 4, 20, 1];

/// LldpPortIdSubtype: interfaceName.
const INTERFACE_NAME: i64 = 5;

fn column(entry: &[u32], number: u32) -> Vec<u32> {
    [entry, &[number]].concat()
}

fn cdp(number: u32) -> Vec<u32> {
    column(&CDP_CACHE, number)
}

/// How far a round has come with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not begun.
    #[default]
    Nothing,
    /// Whether there is anything.
    First,
    /// What there is.
    All,
    /// Taken.
    Done,
}

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Cables {
    /// When it was looked up, or tried, last.
    at: Option<Mono>,
    pub(super) known: Topology,
    /// It was taken up from an earlier process and not handed out yet.
    pub(super) untold: bool,
}

impl Cables {
    /// Has it to be looked up?
    pub(super) fn due(&self, restarted: bool, changed: bool, now: Mono) -> bool {
        let age = self.at.map(|at| now.since(at));
        age.is_none_or(|age| restarted || age >= REFRESH || changed && age >= CHANGED)
    }

    /// It is being looked up: if that fails, not again at once.
    pub(super) fn begin(&mut self, now: Mono) {
        self.at = Some(now);
    }

    /// What is known, if it was looked up; that there is nothing is known, too.
    pub(super) fn memory(&self) -> Option<Topology> {
        self.at.map(|_| self.known.clone())
    }

    /// Takes up what an earlier process knew.
    pub(super) fn recall(&mut self, known: Topology, (device, since): (&str, Since)) {
        self.at = Some(since.looked_up(device, REFRESH));
        self.untold = known != Topology::default();
        self.known = known;
    }

    /// Other ports are read from now on.
    pub(super) fn look_again(&mut self) {
        self.at = None;
    }

    /// Takes what walks found. `ports`: the names that are read, by ifIndex.
    pub(super) fn take(&mut self, found: &Found, ports: &BTreeMap<u32, Name>, encoding: TextEncoding) {
        let name_of = |value: &Value| text::name_of(value, encoding);
        let topology = Topology {
            chassis: chassis(
                cell(found, &column(&LLDP_LOCAL, 1), &[0]),
                cell(found, &column(&LLDP_LOCAL, 2), &[0]),
            ),
            name: cell(found, &column(&LLDP_LOCAL, 3), &[0]).and_then(name_of),
            neighbours: neighbours(found, ports, encoding),
            addresses: addresses(found, ports),
        };
        let before = self.known.clone();
        self.known.merge(topology);
        self.untold |= self.known != before;
    }
}

/// What shows whether there is anything to be walked.
pub(super) fn first(addresses: bool) -> Vec<Vec<u32>> {
    let mut walks = vec![column(&LLDP_REMOTE, 7), cdp(7)];
    if addresses {
        walks.push(column(&IP_ADDRESS, 3));
    }
    walks
}

/// The rest, of what there is.
pub(super) fn rest(found: &Found, addresses: bool) -> Vec<Vec<u32>> {
    let some = |base: &[u32]| found.get(base).is_some_and(|rows| !rows.is_empty());
    let mut walks = Vec::new();
    if some(&column(&LLDP_REMOTE, 7)) {
        walks.extend([4, 5, 6, 8, 9].map(|n| column(&LLDP_REMOTE, n)));
        walks.push(column(&LLDP_ADDRESS, 3));
        walks.extend([2, 3, 4].map(|n| column(&LLDP_PORT, n)));
        walks.extend([1, 2, 3].map(|n| column(&LLDP_LOCAL, n)));
    }
    if some(&cdp(7)) {
        walks.extend([4, 6].map(cdp));
    }
    match (addresses, some(&column(&IP_ADDRESS, 3))) {
        (true, true) => walks.push(column(&IP_ADDRESS, 5)),
        (true, false) => walks.extend([2, 3].map(|n| column(&IP_ADDR, n))),
        (false, _) => {}
    }
    walks
}

fn rows<'f>(found: &'f Found, base: &[u32]) -> &'f [(Vec<u32>, Value)] {
    found.get(base).map_or(&[], Vec::as_slice)
}

fn cell<'f>(found: &'f Found, base: &[u32], index: &[u32]) -> Option<&'f Value> {
    let rows = rows(found, base);
    // A walk gives them in order.
    let at = rows.binary_search_by(|(i, _)| i.as_slice().cmp(index)).ok()?;
    rows.get(at).map(|(_, value)| value)
}

fn integer(value: Option<&Value>) -> Option<i64> {
    match value {
        Some(Value::Integer(v)) => Some(*v),
        _ => None,
    }
}

/// A chassis by its kind and its octets: two devices may have one text of different kinds.
fn chassis(kind: Option<&Value>, id: Option<&Value>) -> Option<Name> {
    let Some(Value::OctetString(octets)) = id else {
        return None;
    };
    let mut out = format!("{}:", integer(kind)?);
    for octet in octets.iter().take(64) {
        let _ = write!(out, "{octet:02x}");
    }
    Some(out.into())
}

/// Those heard on ports that are read; a port on which several are heard is no link.
fn neighbours(found: &Found, ports: &BTreeMap<u32, Name>, encoding: TextEncoding) -> Vec<Neighbour> {
    let name_of = |value: &Value| text::name_of(value, encoding);
    let mut all: BTreeMap<Name, BTreeMap<u32, Neighbour>> = BTreeMap::new();
    for (index, id) in rows(found, &column(&LLDP_REMOTE, 7)).iter().take(MOST) {
        let &[_, local, number] = index.as_slice() else {
            continue;
        };
        let Some(port) = lldp_port(found, local, ports, encoding) else {
            continue;
        };
        let of = |n: u32| cell(found, &column(&LLDP_REMOTE, n), index);
        let mut far_ports: Vec<Name> = Vec::new();
        // A MAC address is no name of a port.
        far_ports.extend(name_of(id).filter(|_| integer(of(6)) != Some(3)));
        far_ports.extend(of(8).and_then(name_of));
        let heard = Neighbour {
            port: port.clone(),
            chassis: chassis(of(4), of(5)),
            name: of(9).and_then(name_of),
            addresses: management(found, local, number),
            far_ports,
        };
        all.entry(port).or_default().insert(number, heard);
    }
    let mut single = |heard: BTreeMap<u32, Neighbour>| {
        let who: BTreeSet<_> = heard.values().map(|n| (n.chassis.clone(), n.name.clone())).collect();
        heard.into_values().next_back().filter(|_| who.len() == 1)
    };
    let lldp: BTreeSet<Name> = all.keys().cloned().collect();
    let mut out: Vec<Neighbour> = all.into_values().filter_map(&mut single).collect();
    let mut all: BTreeMap<Name, BTreeMap<u32, Neighbour>> = BTreeMap::new();
    for (index, id) in rows(found, &cdp(7)).iter().take(MOST) {
        let &[if_index, number] = index.as_slice() else {
            continue;
        };
        // What is told by both is told better by LLDP.
        let Some(port) = ports.get(&if_index).filter(|port| !lldp.contains(*port)) else {
            continue;
        };
        let heard = Neighbour {
            port: port.clone(),
            chassis: None,
            name: cell(found, &cdp(6), index).and_then(name_of),
            addresses: cell(found, &cdp(4), index).and_then(octets).into_iter().collect(),
            far_ports: name_of(id).into_iter().collect(),
        };
        all.entry(port.clone()).or_default().insert(number, heard);
    }
    out.extend(all.into_values().filter_map(&mut single));
    out
}

/// The port of a local port number: by its identifier or description, else as ifIndex, which it is on most devices.
fn lldp_port(found: &Found, local: u32, ports: &BTreeMap<u32, Name>, encoding: TextEncoding) -> Option<Name> {
    let of = |n: u32| cell(found, &column(&LLDP_PORT, n), &[local]);
    let named = |value: Option<&Value>| {
        let name = value.and_then(|value| text::name_of(value, encoding))?;
        ports.values().find(|port| **port == name).cloned()
    };
    let id = named(of(3));
    let by_name = id.filter(|_| integer(of(2)) == Some(INTERFACE_NAME));
    by_name
        .or_else(|| named(of(4)))
        .or_else(|| named(of(3)))
        .or_else(|| ports.get(&local).cloned())
}

fn management(found: &Found, local: u32, number: u32) -> Vec<IpAddr> {
    let rows = rows(found, &column(&LLDP_ADDRESS, 3)).iter();
    let of = rows.filter_map(|(index, _)| match index.as_slice() {
        [_, l, n, family, length, rest @ ..] if (*l, *n) == (local, number) && *length as usize == rest.len() => {
            // IANA address family numbers: 1 IPv4, 2 IPv6.
            matches!(family, 1 | 2).then(|| address(rest)).flatten()
        }
        _ => None,
    });
    of.take(8).collect()
}

fn octets(value: &Value) -> Option<IpAddr> {
    let octets: &[u8] = match value {
        Value::OctetString(octets) => octets,
        Value::IpAddress(octets) => octets,
        _ => return None,
    };
    let parts: Vec<u32> = octets.iter().map(|o| u32::from(*o)).collect();
    address(&parts)
}

fn address(parts: &[u32]) -> Option<IpAddr> {
    let octets: Vec<u8> = parts.iter().map(|p| u8::try_from(*p).ok()).collect::<Option<_>>()?;
    if let Ok(v4) = <[u8; 4]>::try_from(octets.as_slice()) {
        return Some(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(octets.as_slice())
        .ok()
        .map(|v6| Ipv6Addr::from(v6).into())
}

fn addresses(found: &Found, ports: &BTreeMap<u32, Name>) -> Vec<PortAddress> {
    let port = |value: &Value| match value {
        Value::Integer(index) => u32::try_from(*index).ok().and_then(|i| ports.get(&i).cloned()),
        _ => None,
    };
    let mut out = Vec::new();
    for (index, value) in rows(found, &column(&IP_ADDRESS, 3)).iter().take(MOST) {
        let [1 | 2, length, rest @ ..] = index.as_slice() else {
            continue;
        };
        let Some(address) = address(rest).filter(|_| *length as usize == rest.len()) else {
            continue;
        };
        // A pointer to the row of the prefix, whose index ends with the length.
        let prefix = match cell(found, &column(&IP_ADDRESS, 5), index) {
            Some(Value::Oid(oid)) if oid.len() > 2 => oid.last().copied(),
            _ => None,
        };
        out.push(port_address(port(value), address, prefix));
    }
    if out.is_empty() {
        for (index, value) in rows(found, &column(&IP_ADDR, 2)).iter().take(MOST) {
            let Some(address) = address(index) else { continue };
            let mask = cell(found, &column(&IP_ADDR, 3), index).and_then(octets);
            let prefix = match mask {
                Some(IpAddr::V4(mask)) => Some(u32::from(mask).leading_ones()),
                _ => None,
            };
            out.push(port_address(port(value), address, prefix));
        }
    }
    out
}

/// Without a length it stands for itself alone.
fn port_address(port: Option<Name>, address: IpAddr, prefix: Option<u32>) -> PortAddress {
    let width = if address.is_ipv4() { 32 } else { 128 };
    let length = prefix
        .and_then(|p| u8::try_from(p).ok())
        .filter(|p| (1..=width).contains(p));
    PortAddress {
        port,
        subnet: Subnet {
            address,
            length: length.unwrap_or(width),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::OctetString(text.as_bytes().to_vec())
    }

    fn put(found: &mut Found, base: Vec<u32>, index: &[u32], value: Value) {
        let rows = found.entry(base).or_default();
        rows.push((index.to_vec(), value));
        rows.sort_by(|a, b| a.0.cmp(&b.0));
    }

    fn ports(all: &[(u32, &str)]) -> BTreeMap<u32, Name> {
        all.iter().map(|(index, name)| (*index, Name::from(*name))).collect()
    }

    /// A neighbour as lldpd tells it: its port by MAC address, the name of the port in the description.
    fn heard(found: &mut Found, index: &[u32; 3], name: &str, port: &str) {
        for (column_number, value) in [
            (4, Value::Integer(4)),
            (5, Value::OctetString(vec![2, 0, 0, 0, 0, name.len() as u8])),
            (6, Value::Integer(3)),
            (7, Value::OctetString(vec![2, 0, 0, 0, 0, 9])),
            (8, text(port)),
            (9, text(name)),
        ] {
            put(found, column(&LLDP_REMOTE, column_number), index, value);
        }
    }

    #[test]
    fn what_lldpd_tells_is_taken_port_by_port() {
        let mut found = Found::new();
        heard(&mut found, &[100, 3, 1], "edge-a", "agg0");
        heard(&mut found, &[100, 7, 2], "edge-bb", "agg0");
        let address = [100, 3, 1, 1, 4, 192, 0, 2, 10];
        put(&mut found, column(&LLDP_ADDRESS, 3), &address, Value::Integer(2));
        // The local port number is no ifIndex here; the description is the name.
        put(&mut found, column(&LLDP_PORT, 4), &[7], text("up1"));
        put(&mut found, column(&LLDP_LOCAL, 1), &[0], Value::Integer(4));
        put(&mut found, column(&LLDP_LOCAL, 2), &[0], Value::OctetString(vec![2, 1]));
        let mut cables = Cables::default();
        cables.take(&found, &ports(&[(3, "up0"), (4, "up1")]), TextEncoding::Auto);
        let told = &cables.known.neighbours;
        assert_eq!(told.len(), 2);
        assert_eq!((&*told[0].port, told[0].name.as_deref()), ("up0", Some("edge-a")));
        assert_eq!(told[0].addresses, ["192.0.2.10".parse::<IpAddr>().expect("an address")]);
        assert_eq!(
            told[0].far_ports,
            [Name::from("agg0")],
            "a MAC address is no name of a port"
        );
        assert_eq!((&*told[1].port, told[1].name.as_deref()), ("up1", Some("edge-bb")));
        assert_eq!(cables.known.chassis.as_deref(), Some("4:0201"));
        assert!(std::mem::take(&mut cables.untold));

        // An hour later one of them is down: its entry is gone, and the cable is where it was.
        let mut later = Found::new();
        heard(&mut later, &[900, 3, 1], "edge-a", "agg0");
        cables.take(&later, &ports(&[(3, "up0"), (4, "up1")]), TextEncoding::Auto);
        assert_eq!(cables.known.neighbours.len(), 2);
        // The cable was moved to another port.
        let mut moved = Found::new();
        heard(&mut moved, &[900, 5, 1], "edge-a", "agg0");
        cables.take(
            &moved,
            &ports(&[(3, "up0"), (4, "up1"), (5, "up2")]),
            TextEncoding::Auto,
        );
        let at: Vec<&str> = cables.known.neighbours.iter().map(|n| &*n.port).collect();
        assert_eq!(at, ["up1", "up2"]);
    }

    #[test]
    fn several_neighbours_on_a_port_are_no_link() {
        let mut found = Found::new();
        heard(&mut found, &[100, 3, 1], "edge-a", "agg0");
        heard(&mut found, &[100, 3, 2], "edge-bb", "agg0");
        assert_eq!(neighbours(&found, &ports(&[(3, "up0")]), TextEncoding::Auto), []);
    }

    #[test]
    fn cdp_is_taken_where_lldp_tells_nothing() {
        let mut found = Found::new();
        put(
            &mut found,
            cdp(4),
            &[10_101, 1],
            Value::OctetString(vec![192, 0, 2, 11]),
        );
        put(&mut found, cdp(6), &[10_101, 1], text("edge-a.example.net"));
        put(&mut found, cdp(7), &[10_101, 1], text("GigabitEthernet1/0/1"));
        let told = neighbours(&found, &ports(&[(10_101, "Gi1/0/2")]), TextEncoding::Auto);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].name.as_deref(), Some("edge-a.example.net"));
        assert_eq!(told[0].far_ports, [Name::from("GigabitEthernet1/0/1")]);
        assert_eq!(told[0].addresses, ["192.0.2.11".parse::<IpAddr>().expect("an address")]);
    }

    #[test]
    fn addresses_come_with_the_length_of_their_prefix() {
        let all = ports(&[(3, "plat0")]);
        let mut found = Found::new();
        let index = [1, 4, 198, 51, 100, 2];
        put(&mut found, column(&IP_ADDRESS, 3), &index, Value::Integer(3));
        let prefix = [1, 3, 6, 1, 2, 1, 4, 32, 1, 5, 3, 1, 4, 198, 51, 100, 0, 30];
        put(&mut found, column(&IP_ADDRESS, 5), &index, Value::Oid(prefix.to_vec()));
        let told = addresses(&found, &all);
        assert_eq!((told[0].port.as_deref(), told[0].subnet.length), (Some("plat0"), 30));
        // Without a prefix it stands for itself.
        let mut bare = Found::new();
        put(&mut bare, column(&IP_ADDRESS, 3), &index, Value::Integer(3));
        put(&mut bare, column(&IP_ADDRESS, 5), &index, Value::Oid(vec![0, 0]));
        assert_eq!(addresses(&bare, &all)[0].subnet.length, 32);
        let mut old = Found::new();
        let mask = Value::IpAddress([255, 255, 255, 252]);
        put(&mut old, column(&IP_ADDR, 2), &[198, 51, 100, 2], Value::Integer(3));
        put(&mut old, column(&IP_ADDR, 3), &[198, 51, 100, 2], mask);
        assert_eq!(addresses(&old, &all), told);
    }
}
