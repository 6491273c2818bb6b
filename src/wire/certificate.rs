//! X.509 certificates (RFC 5280): the dates and the names of one, as a server shows it.
//!
//! Never here: a chain, a signature, whether a date has passed.

use crate::text::line;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Valid from, seconds since 1970.
    pub not_before: i64,
    /// Valid until, seconds since 1970.
    pub not_after: i64,
    /// Its subject, for people.
    pub subject: String,
    /// Names and addresses that it stands for.
    pub names: Vec<String>,
}

/// Longest certificate that is read; real ones have one to three thousand octets.
const LONGEST: usize = 64 * 1024;
/// Names that are kept.
const NAMES: usize = 20;
/// Characters of a name that are kept.
const NAME: usize = 200;

/// Reads one. The error says for people what is wrong with it.
pub fn read(der: &[u8]) -> Result<Shown, String> {
    if der.len() > LONGEST {
        return Err(format!("a certificate of {} octets", der.len()));
    }
    let (_, found) = X509Certificate::from_der(der).map_err(|_| "a certificate that cannot be read".to_owned())?;
    let validity = found.validity();
    let names = found.subject_alternative_name().ok().flatten();
    let names = names.into_iter().flat_map(|n| &n.value.general_names);
    Ok(Shown {
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
        subject: line(found.subject().to_string().as_bytes(), NAME),
        names: names.filter_map(name).take(NAMES).collect(),
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(line(name.as_bytes(), NAME)),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets)
                .ok()
                .map(|a| std::net::Ipv4Addr::from(a).to_string()),
            16 => <[u8; 16]>::try_from(*octets)
                .ok()
                .map(|a| std::net::Ipv6Addr::from(a).to_string()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_names_are_read() {
        let mut params =
            rcgen::CertificateParams::new(vec!["console.example.net".to_owned(), "192.0.2.7".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 3, 1);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "con\u{1b}sole");
        let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let shown = read(der.der()).unwrap();
        assert_eq!((shown.not_before, shown.not_after), (1_767_225_600, 1_772_323_200));
        assert_eq!(shown.names, ["console.example.net", "192.0.2.7"]);
        assert!(
            shown.subject.starts_with("CN=con") && !shown.subject.contains('\u{1b}'),
            "{}",
            shown.subject
        );
    }

    #[test]
    fn what_is_no_certificate_is_an_error() {
        assert!(read(b"").is_err() && read(&[0x30; 100]).is_err() && read(&[0; LONGEST + 1]).is_err());
    }
}
