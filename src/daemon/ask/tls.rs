//! The certificate that a TLS server shows: looked at, not judged; the handshake goes on with any certificate. I/O.
//!
//! No secret is ever sent over such a connection: only the request of a page, which holds none.

use super::{connect, words};
use crate::model::Wall;
use crate::model::service::{Certificate, ChainCheck, Endpoint, Failure, NameCheck, Trust};
use crate::notify::channel::tls::roots;
use crate::wire::certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Looks at the certificate of a server.
pub(super) async fn ask(to: &Endpoint, trust: &Trust) -> Result<Certificate, Failure> {
    let tcp = connect(to).await?;
    let (_, shown) = handshake(tcp, &to.host, trust).await?;
    Ok(shown)
}

/// A connection, and the certificate that was shown on it.
pub(super) async fn handshake(
    tcp: TcpStream,
    host: &str,
    trust: &Trust,
) -> Result<(TlsStream<TcpStream>, Certificate), Failure> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::NotKnown(format!("\"{host}\" cannot stand in a certificate")))?;
    let roots = roots_of(trust).await?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let looker = Arc::new(Looker {
        roots,
        provider: Arc::clone(&provider),
        seen: Mutex::new(None),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Failure::NotKnown(format!("TLS could not be prepared: {e}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&looker) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .map_err(|e| explain(&e))?;
    let seen = looker.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    match seen {
        Some(Ok(shown)) => Ok((stream, shown)),
        Some(Err(why)) => Err(Failure::Malformed(why)),
        None => Err(Failure::Malformed("a TLS handshake without a certificate".to_owned())),
    }
}

/// Whom the chain is held against.
async fn roots_of(trust: &Trust) -> Result<Option<RootCertStore>, Failure> {
    let path: Option<PathBuf> = match trust {
        Trust::Any => return Ok(None),
        Trust::System => None,
        Trust::Authority(path) => Some(path.clone()),
    };
    // Reading the roots is file work: off the thread that serves the others.
    let read = tokio::task::spawn_blocking(move || roots(path.as_deref())).await;
    let read = read.unwrap_or_else(|e| Err(e.to_string()));
    read.map(Some).map_err(Failure::NotKnown)
}

#[derive(Debug)]
struct Looker {
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<Result<Certificate, String>>>,
}

impl Looker {
    fn look(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<Certificate, String> {
        let read = certificate::read(shown)?;
        let parsed = ParsedCertificate::try_from(shown).map_err(|_| "a certificate that cannot be read".to_owned())?;
        let name = match verify_server_name(&parsed, name) {
            Ok(()) => NameCheck::Fits,
            Err(_) => NameCheck::Differs(read.names),
        };
        let chain = match &self.roots {
            None => ChainCheck::NotAsked,
            Some(roots) => {
                // Its own dates are told by themselves: the chain is looked at while it is valid.
                let first = u64::try_from(read.not_before).unwrap_or(0);
                let last = u64::try_from(read.not_after).unwrap_or(0).max(first);
                let at = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().clamp(first, last)));
                let algorithms = self.provider.signature_verification_algorithms.all;
                match verify_server_cert_signed_by_trust_anchor(&parsed, roots, between, at, algorithms) {
                    Ok(()) => ChainCheck::Trusted,
                    Err(error) => ChainCheck::Untrusted(untrusted(&error)),
                }
            }
        };
        let ms = |seconds: i64| Wall(seconds.saturating_mul(1000));
        Ok(Certificate {
            not_before: ms(read.not_before),
            not_after: ms(read.not_after),
            subject: read.subject,
            name,
            chain,
        })
    }
}

impl ServerCertVerifier for Looker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let looked = self.look(end_entity, intermediates, server_name, now);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(looked);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn untrusted(error: &Error) -> String {
    let Error::InvalidCertificate(why) = error else {
        return error.to_string();
    };
    match why {
        CertificateError::UnknownIssuer => "it is signed by an authority that is not trusted here".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "a certificate between it and its authority expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "a certificate between it and its authority is not valid yet".to_owned()
        }
        other => other.to_string(),
    }
}

/// What a failed handshake means.
fn explain(error: &std::io::Error) -> Failure {
    match error.get_ref().and_then(|e| e.downcast_ref::<Error>()) {
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Failure::NoAnswer("the line was cut during the TLS handshake".to_owned())
        }
        None => Failure::NoAnswer(words(error)),
        Some(Error::AlertReceived(alert)) => Failure::NoAnswer(format!("it refuses the TLS handshake ({alert:?})")),
        Some(Error::InvalidMessage(_) | Error::PeerMisbehaved(_) | Error::PeerSentOversizedRecord) => {
            Failure::Malformed("what it speaks on this port is not TLS".to_owned())
        }
        Some(other) => Failure::Malformed(format!("TLS handshake: {other}")),
    }
}
