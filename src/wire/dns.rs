//! DNS (RFC 1035), the client's side: one question, and what an answer says of it.
//!
//! Only the section with answers counts, and of it only what belongs to the name that was asked, directly or through aliases.
//! Never here: a resolver, a cache, whether an answer is good.

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, TYPE};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Type of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Alias.
    Cname,
    /// Name server.
    Ns,
    /// Name of an address.
    Ptr,
    /// Mail exchanger.
    Mx,
    /// Text.
    Txt,
}

/// What a record says; names are in small letters, without the last dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A
    A(Ipv4Addr),
    /// AAAA
    Aaaa(Ipv6Addr),
    /// CNAME, NS, PTR
    Name(String),
    /// MX
    Mx(u16, String),
    /// TXT, as octets
    Txt(Vec<u8>),
}

/// An answer to the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 0 is no error, 3 no such name.
    pub rcode: u8,
    /// It did not fit into a datagram: to be asked again by TCP.
    pub truncated: bool,
    /// Records of the kind that was asked for.
    pub records: Vec<Data>,
}

/// Why an answer is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// It is no DNS message.
    #[error("it is not a DNS message")]
    Malformed,
    /// It answers another question.
    #[error("it does not repeat what was asked")]
    Other,
    /// It has more records than a name may have here.
    #[error("it has too many records")]
    TooMany,
}

/// Records of all sections that are looked at; a message with more is refused before it is read.
const MOST: u16 = 500;
/// Aliases that are followed within one answer.
const ALIASES: usize = 16;

impl Kind {
    fn wire(self) -> TYPE {
        match self {
            Kind::A => TYPE::A,
            Kind::Aaaa => TYPE::AAAA,
            Kind::Cname => TYPE::CNAME,
            Kind::Ns => TYPE::NS,
            Kind::Ptr => TYPE::PTR,
            Kind::Mx => TYPE::MX,
            Kind::Txt => TYPE::TXT,
        }
    }
}

/// The question, with recursion wanted. `None`: the name is none.
pub fn query(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).ok()?;
    let (kind, class) = (QTYPE::TYPE(kind.wire()), QCLASS::CLASS(CLASS::IN));
    packet.questions.push(Question::new(name, kind, class, false));
    packet.build_bytes_vec().ok()
}

/// Reads an answer to a question.
pub fn reply(message: &[u8], id: u16, name: &str, kind: Kind) -> Result<Reply, DnsError> {
    let head = message.first_chunk::<12>().ok_or(DnsError::Malformed)?;
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let is_response = head[2] & 0x80 != 0;
    if !is_response || word(0) != id {
        return Err(DnsError::Other);
    }
    let counts = [4, 6, 8, 10].map(word);
    if counts.iter().any(|n| *n > MOST) {
        return Err(DnsError::TooMany);
    }
    let (rcode, truncated) = (head[3] & 0x0f, head[2] & 0x02 != 0);
    if truncated {
        // What was cut need not be readable; it is asked for again anyway.
        return Ok(Reply {
            rcode,
            truncated,
            records: Vec::new(),
        });
    }
    let packet = Packet::parse(message).map_err(|_| DnsError::Malformed)?;
    let asked = QTYPE::TYPE(kind.wire());
    match packet.questions.as_slice() {
        [question] if question.qtype == asked && plain(&question.qname) == name => {}
        // Some servers leave the question out when they refuse.
        [] if rcode != 0 => {}
        _ => return Err(DnsError::Other),
    }
    Ok(Reply {
        rcode,
        truncated,
        records: records(&packet, name, kind),
    })
}

fn records(packet: &Packet<'_>, name: &str, kind: Kind) -> Vec<Data> {
    let mut names = vec![name.to_owned()];
    for _ in 0..ALIASES {
        let of_last = |owner: &Name<'_>| names.last().is_some_and(|last| plain(owner) == *last);
        let alias = packet.answers.iter().find_map(|r| match &r.rdata {
            RData::CNAME(to) if kind != Kind::Cname && of_last(&r.name) => Some(plain(&to.0)),
            _ => None,
        });
        match alias {
            Some(alias) if !names.contains(&alias) => names.push(alias),
            _ => break,
        }
    }
    let ours = packet.answers.iter().filter(|r| names.contains(&plain(&r.name)));
    ours.filter_map(|r| data(&r.rdata, kind)).collect()
}

fn data(data: &RData<'_>, kind: Kind) -> Option<Data> {
    match (kind, data) {
        (Kind::A, RData::A(a)) => Some(Data::A(Ipv4Addr::from(a.address))),
        (Kind::Aaaa, RData::AAAA(a)) => Some(Data::Aaaa(Ipv6Addr::from(a.address))),
        (Kind::Cname, RData::CNAME(name)) => Some(Data::Name(plain(&name.0))),
        (Kind::Ns, RData::NS(name)) => Some(Data::Name(plain(&name.0))),
        (Kind::Ptr, RData::PTR(name)) => Some(Data::Name(plain(&name.0))),
        (Kind::Mx, RData::MX(mx)) => Some(Data::Mx(mx.preference, plain(&mx.exchange))),
        (Kind::Txt, RData::TXT(text)) => String::try_from(text.clone()).ok().map(|t| Data::Txt(t.into_bytes())),
        _ => None,
    }
}

fn plain(name: &Name<'_>) -> String {
    name.to_string().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, CNAME};

    fn answer(id: u16, records: &[(&str, RData<'static>)]) -> Vec<u8> {
        let mut packet = Packet::new_reply(id);
        let asked = QTYPE::TYPE(TYPE::A);
        let name = Name::new("ehr.example.jp").unwrap();
        packet
            .questions
            .push(Question::new(name, asked, QCLASS::CLASS(CLASS::IN), false));
        for (owner, data) in records {
            let owner = Name::new(owner).unwrap();
            packet
                .answers
                .push(ResourceRecord::new(owner, CLASS::IN, 60, data.clone()));
        }
        packet.build_bytes_vec_compressed().unwrap()
    }

    fn a(last: u8) -> RData<'static> {
        RData::A(A {
            address: Ipv4Addr::new(192, 0, 2, last).into(),
        })
    }

    fn alias(to: &'static str) -> RData<'static> {
        RData::CNAME(CNAME(Name::new(to).unwrap()))
    }

    fn read(message: &[u8]) -> Result<Reply, DnsError> {
        reply(message, 7, "ehr.example.jp", Kind::A)
    }

    #[test]
    fn aliases_are_followed_and_what_nobody_asked_for_is_left_out() {
        let message = answer(
            7,
            &[
                ("EHR.example.jp", alias("Front.example.jp")),
                ("front.example.jp", a(1)),
                ("other.example.jp", a(9)),
            ],
        );
        let found = read(&message).unwrap();
        assert_eq!(found.records, [Data::A(Ipv4Addr::new(192, 0, 2, 1))]);
    }

    #[test]
    fn aliases_in_a_circle_end() {
        let message = answer(
            7,
            &[
                ("ehr.example.jp", alias("b.example.jp")),
                ("b.example.jp", alias("ehr.example.jp")),
            ],
        );
        assert_eq!(read(&message).unwrap().records, []);
    }

    #[test]
    fn only_the_answer_to_the_question_is_believed() {
        let message = answer(7, &[("ehr.example.jp", a(1))]);
        assert_eq!(reply(&message, 8, "ehr.example.jp", Kind::A), Err(DnsError::Other));
        assert_eq!(reply(&message, 7, "www.example.jp", Kind::A), Err(DnsError::Other));
        assert_eq!(reply(&message, 7, "ehr.example.jp", Kind::Mx), Err(DnsError::Other));
        let question = query(7, "ehr.example.jp", Kind::A).unwrap();
        assert_eq!(read(&question), Err(DnsError::Other), "our own question comes back");
        assert_eq!(read(&message[..20]), Err(DnsError::Malformed));
        assert_eq!(read(&[]), Err(DnsError::Malformed));
        let mut many = message;
        many[6..8].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(read(&many), Err(DnsError::TooMany));
    }

    #[test]
    fn a_cut_answer_is_asked_for_again() {
        let mut message = answer(7, &[]);
        message[2] |= 0x02;
        assert!(read(&message[..14]).unwrap().truncated);
    }
}
