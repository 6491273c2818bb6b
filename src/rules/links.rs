//! Which device is at the far end of a port: as written (`to`), or as the devices tell of their neighbours (LLDP, CDP).
//!
//! What a device once told of a port holds until it tells of another neighbour there: the entry of a neighbour that is down is gone
//! from its table after a minute or two, which is when it is needed.
//!
//! Never here: a finding; a guess (that is `explain`).

use super::interface::Interfaces;
use crate::model::device::glob;
use crate::model::{DeviceId, FarEnd, LinkKnown, Name, Site};
use crate::poll::{Neighbour, PortAddress, Topology};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// What is at the far end of a port.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct End {
    pub(super) device: DeviceId,
    /// Its port, if that is known.
    pub(super) port: Option<Name>,
    pub(super) known: LinkKnown,
}

impl End {
    /// For people.
    pub(super) fn named(&self, site: &Site) -> FarEnd {
        FarEnd {
            device: site.device(self.device).name.clone(),
            interface: self.port.clone(),
            known: self.known,
        }
    }
}

/// The cables of a site.
#[derive(Default)]
pub(super) struct Links {
    /// Pattern of the port, far device, far port.
    written: HashMap<DeviceId, Vec<(Name, DeviceId, Option<Name>)>>,
    /// By the device's name, which outlives a reload.
    told: BTreeMap<Name, Topology>,
}

impl Links {
    pub(super) fn new(site: &Site) -> Links {
        let mut links = Links::default();
        links.read(site);
        links
    }

    fn read(&mut self, site: &Site) {
        let written = |(id, device): (DeviceId, &crate::model::Device)| {
            let links = device.interfaces.iter().filter_map(|wanted| {
                let to = wanted.to.as_ref()?;
                Some((wanted.pattern.clone(), site.find(&to.device)?, to.interface.clone()))
            });
            let links: Vec<_> = links.collect();
            (!links.is_empty()).then_some((id, links))
        };
        self.written = site.iter().filter_map(written).collect();
    }

    /// What devices told is kept by their names.
    pub(super) fn reload(&mut self, site: &Site) {
        self.read(site);
        self.told.retain(|name, _| site.find(name).is_some());
    }

    /// Takes what a device tells of its cables and addresses.
    pub(super) fn learn(&mut self, device: &Name, topology: &Topology) {
        self.told.entry(device.clone()).or_default().merge(topology.clone());
    }

    /// The addresses of a device, as it tells them.
    pub(super) fn addresses(&self, device: &Name) -> &[PortAddress] {
        self.told.get(device).map_or(&[], |told| &told.addresses)
    }

    /// The far end of a port, if it is known.
    pub(super) fn far_end(&self, id: DeviceId, port: &Name, site: &Site, interfaces: &Interfaces) -> Option<End> {
        let (device, far_port, known) = self
            .written(id, port)
            .or_else(|| self.learned(id, port, site, interfaces))?;
        // The other side may say more exactly where the cable ends.
        let far_port = far_port.or_else(|| self.port_toward(device, id, site, interfaces));
        Some(End {
            device,
            port: far_port,
            known,
        })
    }

    fn written(&self, id: DeviceId, port: &Name) -> Option<(DeviceId, Option<Name>, LinkKnown)> {
        let mut all = self.written.get(&id)?.iter();
        let (_, device, far) = all.find(|(pattern, ..)| glob(pattern, port))?;
        Some((*device, far.clone(), LinkKnown::Written))
    }

    fn learned(
        &self,
        id: DeviceId,
        port: &Name,
        site: &Site,
        interfaces: &Interfaces,
    ) -> Option<(DeviceId, Option<Name>, LinkKnown)> {
        let told = self.told.get(&site.device(id).name)?;
        let heard = told.neighbours.iter().find(|heard| heard.port == *port)?;
        let device = self.who(heard, id, site)?;
        let far = heard
            .far_ports
            .iter()
            .find_map(|said| interfaces.names(device).find(|name| same_port(name, said)).cloned());
        Some((device, far, LinkKnown::Learned))
    }

    /// The only port of a device that is known to lead to another one.
    fn port_toward(&self, from: DeviceId, to: DeviceId, site: &Site, interfaces: &Interfaces) -> Option<Name> {
        let leads = |port: &&Name| {
            let known = self
                .written(from, port)
                .or_else(|| self.learned(from, port, site, interfaces));
            known.is_some_and(|(device, ..)| device == to)
        };
        let mut ports = interfaces.names(from).filter(leads);
        let first = ports.next()?;
        ports.next().is_none().then(|| first.clone())
    }

    /// Some port of a device is known to lead to another one.
    pub(super) fn leads(&self, from: DeviceId, to: DeviceId, site: &Site, interfaces: &Interfaces) -> bool {
        interfaces.names(from).any(|port| {
            let known = self
                .written(from, port)
                .or_else(|| self.learned(from, port, site, interfaces));
            known.is_some_and(|(device, ..)| device == to)
        })
    }

    /// The device of this site that a neighbour is: by an address, else by what it says of itself, if that fits one device only.
    fn who(&self, heard: &Neighbour, not: DeviceId, site: &Site) -> Option<DeviceId> {
        let only = |fits: &dyn Fn(&crate::model::Device) -> bool| {
            let mut found = site.iter().filter(|(id, d)| *id != not && fits(d));
            let (id, _) = found.next()?;
            found.next().is_none().then_some(id)
        };
        let has = |device: &crate::model::Device, address: IpAddr| {
            let own = self.addresses(&device.name).iter();
            device.address == address || own.into_iter().any(|a| a.subnet.address == address)
        };
        let by_address = || only(&|d| heard.addresses.iter().any(|a| has(d, *a)));
        let told = |d: &crate::model::Device| self.told.get(&d.name);
        let by_chassis = || {
            let chassis = heard.chassis.as_ref()?;
            only(&|d| told(d).is_some_and(|t| t.chassis.as_ref() == Some(chassis)))
        };
        let by_name = || {
            let name = heard.name.as_ref()?;
            let fits = |d: &crate::model::Device| {
                let says = told(d).and_then(|t| t.name.as_ref());
                same_host(name, &d.name) || says.is_some_and(|own| same_host(name, own))
            };
            only(&fits)
        };
        by_chassis().or_else(by_address).or_else(by_name)
    }
}

/// `agg-1.example.net` and `AGG-1` are one host; CDP may add a serial number in brackets.
fn same_host(a: &str, b: &str) -> bool {
    let whole = |name: &str| name.split('(').next().unwrap_or(name).trim().to_ascii_lowercase();
    let (a, b) = (whole(a), whole(b));
    let first = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
    // Two full names that differ are two hosts.
    !a.is_empty() && (a == b || (!a.contains('.') || !b.contains('.')) && first(&a) == first(&b))
}

/// `Gi1/0/1` and `GigabitEthernet1/0/1` are one port.
fn same_port(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let split = |name: &str| {
        let at = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
        let (letters, numbers) = name.split_at(at);
        (letters.to_ascii_lowercase(), numbers.to_owned())
    };
    let ((a_letters, a_numbers), (b_letters, b_numbers)) = (split(a), split(b));
    let begins = |long: &str, short: &str| short.len() >= 2 && long.starts_with(short);
    a_numbers == b_numbers
        && !a_numbers.is_empty()
        && (begins(&a_letters, &b_letters) || begins(&b_letters, &a_letters))
}

#[cfg(test)]
mod tests {
    use super::{same_host, same_port};

    #[test]
    fn names_of_hosts_and_ports_are_compared_as_people_do() {
        assert!(same_host("agg-1.example.net", "AGG-1"));
        assert!(same_host("sw1(FOX1234ABCD)", "sw1"));
        assert!(!same_host("agg-1.a.example", "agg-1.b.example"));
        assert!(!same_host("agg-1", "agg-11"));
        assert!(!same_host("", ""));
        assert!(same_port("Gi1/0/1", "GigabitEthernet1/0/1"));
        assert!(same_port("xe-0/0/0", "xe-0/0/0"));
        assert!(!same_port("Gi1/0/1", "Gi1/0/11"));
        assert!(!same_port("Te1/0/1", "GigabitEthernet1/0/1"));
        assert!(!same_port("lan", "wan"));
    }
}
