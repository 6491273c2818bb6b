//! TLS toward relays (and the heartbeat's URL): one provider, named explicitly; errors that say what is wrong with a certificate. I/O.
//!
//! Never here: a way to go on without a valid certificate.

use crate::files;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Longest file of `tls_ca`: all authorities of a host have some 200 kB.
const MOST_CERTIFICATES: u64 = 16 * 1024 * 1024;

/// Does the handshake with `name` expected in the certificate. `ca` replaces the host's own roots. The caller holds the deadline.
pub async fn handshake<S>(io: S, name: &str, ca: Option<&Path>) -> Result<TlsStream<S>, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let ca: Option<PathBuf> = ca.map(Path::to_owned);
    // Reading the roots is file work: off the thread that serves the others.
    let config = tokio::task::spawn_blocking(move || client_config(ca.as_deref()))
        .await
        .map_err(|e| format!("TLS could not be prepared: {e}"))??;
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let server = ServerName::try_from(bare.to_owned())
        .map_err(|_| format!("\"{bare}\" cannot stand in a certificate: write tls_name"))?;
    TlsConnector::from(Arc::new(config))
        .connect(server, io)
        .await
        .map_err(|e| explain(&e, bare))
}

fn client_config(ca: Option<&Path>) -> Result<ClientConfig, String> {
    let roots = roots(ca)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS could not be prepared: {e}"))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The authorities of a PEM file, else those of this host.
pub fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    match ca {
        Some(path) => roots_of(path),
        None => native_roots(),
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, String> {
    let shown = path.display();
    let content = files::read(path, MOST_CERTIFICATES).map_err(|e| format!("tls_ca {shown} cannot be read: {e}"))?;
    let list: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&content.bytes).collect();
    let list = list.map_err(|e| format!("tls_ca {shown} cannot be read as PEM ({e})"))?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(list);
    if added == 0 {
        return Err(format!("tls_ca {shown} holds no certificate"));
    }
    Ok(roots)
}

fn native_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err("this host trusts no authority: install its ca-certificates, or write tls_ca".to_owned());
    }
    Ok(roots)
}

/// What a failed handshake means, for people.
fn explain(error: &std::io::Error, name: &str) -> String {
    let Some(error) = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) else {
        return match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "the line was cut during the TLS handshake".to_owned(),
            _ => format!("TLS handshake: {error}"),
        };
    };
    let rustls::Error::InvalidCertificate(why) = error else {
        return match error {
            rustls::Error::InvalidMessage(_) => {
                "the other side does not speak TLS on this port (smtps and starttls are different ports)".to_owned()
            }
            other => format!("TLS handshake: {other}"),
        };
    };
    match why {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!(
                "the certificate of {name} expired: it was valid until {}; it has to be renewed there",
                utc(*not_after)
            )
        }
        CertificateError::Expired => format!("the certificate of {name} expired; it has to be renewed there"),
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "the certificate of {name} is valid only from {}: is the clock of this host right?",
            utc(*not_before)
        ),
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "wrong name: the certificate is for {}, not for {name}; write tls_name if that is the relay's name",
            super::message::clean(&presented.join(", "), 200)
        ),
        CertificateError::NotValidForName => format!("wrong name: the certificate is not for {name}"),
        CertificateError::UnknownIssuer => {
            format!(
                "the certificate of {name} is signed by an authority this host does not trust; write tls_ca if it is your own"
            )
        }
        other => format!("the certificate of {name} is not valid: {other}"),
    }
}

fn utc(at: UnixTime) -> String {
    i64::try_from(at.as_secs())
        .ok()
        .and_then(|s| jiff::Timestamp::from_second(s).ok())
        .map_or_else(
            || "an impossible date".to_owned(),
            |t| t.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        )
}
