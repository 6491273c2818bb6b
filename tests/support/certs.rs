//! An authority of our own and certificates of relays: good, expired, for another name.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Which certificate a relay shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cert {
    /// Valid, for `relay.example.org` and 127.0.0.1.
    #[default]
    Good,
    /// Was valid until 2020-02-29.
    Expired,
    /// For `somebody.example.com` only.
    WrongName,
}

/// The name that a good certificate is for.
pub const NAME: &str = "relay.example.org";

fn authority() -> &'static CertifiedIssuer<'static, KeyPair> {
    static AUTHORITY: OnceLock<CertifiedIssuer<'static, KeyPair>> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let mut params = CertificateParams::new(Vec::new()).expect("no names to be wrong");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "hinomi test authority");
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
    })
}

/// Writes the authority as PEM, for `tls_ca`.
pub fn write_ca(path: &Path) {
    std::fs::write(path, authority().pem()).expect("the test's folder takes files");
}

/// A server's TLS configuration with that certificate.
pub fn server(cert: Cert) -> Arc<rustls::ServerConfig> {
    let names: &[&str] = match cert {
        Cert::WrongName => &["somebody.example.com"],
        _ => &[NAME, "127.0.0.1"],
    };
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names are names");
    if cert == Cert::Expired {
        params.not_before = rcgen::date_time_ymd(2019, 3, 1);
        params.not_after = rcgen::date_time_ymd(2020, 2, 29);
    }
    let key = KeyPair::generate().expect("a key");
    let signed = params.signed_by(&key, authority()).expect("the authority signs");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let chain: Vec<CertificateDer<'static>> = vec![signed.der().clone()];
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("key and certificate belong together");
    Arc::new(config)
}
