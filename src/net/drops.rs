//! What the kernel dropped because a socket's buffer was full: hinomi's own loss, which must not be taken for the network's.
//!
//! Never here: a judgement; other programs' sockets.

use super::Net;
use super::icmp::IcmpSocket;
use super::udp::UdpFleet;
use std::collections::BTreeSet;
use std::net::UdpSocket;

/// Datagrams dropped at the sockets of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// SNMP.
    pub udp: u64,
    /// ICMP and ICMPv6.
    pub icmp: u64,
}

/// Reads the kernel's tables; a socket is known by its inode.
pub(super) fn read(net: &Net) -> Option<Drops> {
    let fleets = [&net.udp_v4, &net.udp_v6];
    let udp = fleets
        .iter()
        .copied()
        .flatten()
        .flat_map(UdpFleet::sockets)
        .map(|(_, s)| s);
    let icmp = [&net.icmp_v4, &net.icmp_v6]
        .into_iter()
        .flatten()
        .map(IcmpSocket::socket);
    Some(Drops {
        udp: dropped(&["udp", "udp6"], &udp.filter_map(inode).collect())?,
        icmp: dropped(&["raw", "raw6"], &icmp.filter_map(inode).collect())?,
    })
}

pub(super) fn inode(socket: &UdpSocket) -> Option<u64> {
    rustix::fs::fstat(socket).ok().map(|stat| stat.st_ino)
}

pub(super) fn dropped(tables: &[&str], inodes: &BTreeSet<u64>) -> Option<u64> {
    let mut sum = None;
    for table in tables {
        // Not /proc/net: a hardened unit sees of /proc only what belongs to processes.
        if let Ok(text) = std::fs::read_to_string(format!("/proc/self/net/{table}")) {
            *sum.get_or_insert(0) += rows(&text, inodes);
        }
    }
    sum
}

/// The last column of the rows of these inodes. Columns: slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode,
/// references, pointer, drops (proc(5)).
fn rows(text: &str, inodes: &BTreeSet<u64>) -> u64 {
    let drops = |line: &str| -> Option<u64> {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let inode = columns.get(9)?.parse().ok()?;
        inodes.contains(&inode).then(|| columns.get(12)?.parse().ok())?
    };
    text.lines().skip(1).filter_map(drops).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops             
 1009: 00000000:8B0D 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 17        
 2203: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 5         
";

    #[test]
    fn only_our_own_sockets_count() {
        assert_eq!(rows(TABLE, &BTreeSet::from([4711])), 17);
        assert_eq!(rows(TABLE, &BTreeSet::from([4711, 4712])), 22);
        assert_eq!(rows("nonsense\n1 2 3\n", &BTreeSet::from([3])), 0);
    }

    #[test]
    fn a_full_buffer_is_counted() {
        let mut net = Net::open().unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        net.queue(
            crate::poll::Channel::Udp(0),
            sender.local_addr().unwrap(),
            b"x".to_vec(),
        );
        net.flush(&mut super::super::Memory::new(), &mut Vec::new());
        let (_, to) = sender.recv_from(&mut [0; 4]).unwrap();
        assert_eq!(read(&net), Some(Drops::default()));
        for _ in 0..200_000 {
            let _ = sender.send_to(&[0; 100], to);
            if read(&net).is_some_and(|d| d.udp > 0) {
                return;
            }
        }
        panic!("the buffer never filled");
    }
}
