//! TLS over our own stream.
//!
//! Cryptography comes with the configuration and never from the process-wide default of rustls:
//! whether the program has installed one, or two of its crates disagree about it, is no matter here.
//! Certificates are always verified; there is no way to switch that off.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, ClientConfig, RootCertStore};

use super::failure;
use crate::error::{ConnectProblem, Error, TlsProblem};
use crate::store::address::{Endpoint, RedisAddress, Service};

/// What the builder was given, in PEM form.
#[derive(Clone, Default)]
pub(crate) struct TlsSettings {
    /// Whom to trust instead of whom the system trusts.
    pub(crate) ca: Option<Vec<u8>>,
    /// A certificate and its private key.
    pub(crate) client: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for TlsSettings {
    /// Leaves the private key out, and so all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSettings")
    }
}

/// How much of an answer is looked at.
const LONGEST_ANSWER: usize = 256;

/// Makes TLS of a TCP connection.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// `None` where the address asks for none.
    pub(super) fn of(
        address: &RedisAddress,
        settings: &TlsSettings,
    ) -> Result<Option<Self>, Error> {
        match address.endpoint {
            Endpoint::Tcp { tls: true, .. } | Endpoint::Sentinel(Service { tls: true, .. }) => {
                let config = Arc::new(config(settings)?);
                Ok(Some(Self(config.into())))
            }
            _ => Ok(None),
        }
    }

    /// Makes sure that `host` is who answers, and that it accepts us.
    pub(super) async fn secure(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ConnectProblem> {
        // What cannot stand in a certificate stands in none.
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ConnectProblem::Tls(TlsProblem::Name))?;
        let mut stream = self.0.connect(name, stream).await.map_err(refused)?;
        let answer = first_answer(&mut stream).await.map_err(refused)?;
        let (code, text) = answer.split_once(' ').unwrap_or_default();
        match failure::turned_away(code, text) {
            Some(problem) => Err(problem),
            None => Ok(stream),
        }
    }
}

/// In TLS 1.3 the server judges our certificate after our part of the handshake is over: a refusal
/// comes in place of its first answer. So it is asked something before the client, which would keep
/// the reason to itself, has the stream. That it may answer with an error does not matter, unless it is
/// one that turns us away: then it is the only answer.
async fn first_answer(stream: &mut TlsStream<TcpStream>) -> io::Result<String> {
    stream.write_all(b"PING\r\n").await?;
    stream.flush().await?;
    let mut line = String::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return Ok(line.trim_start_matches('-').to_owned()),
            byte if line.len() < LONGEST_ANSWER => line.push(byte.into()),
            _ => {}
        }
    }
}

fn config(settings: &TlsSettings) -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::setting("url", "TLS has no versions to offer"))?
        .with_root_certificates(roots(settings.ca.as_deref())?);
    let Some((certificate, key)) = &settings.client else {
        return Ok(config.with_no_client_auth());
    };
    let refuse = |problem| Error::setting("tls_client_cert", problem);
    let chain = certificates(certificate)
        .ok_or_else(|| refuse("must have certificates in PEM form as its first part"))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| refuse("must have a private key in PEM form as its second part"))?;
    config
        .with_client_auth_cert(chain, key)
        .map_err(|_| refuse("has a key that is not the certificate's, or of an unknown kind"))
}

fn roots(ca: Option<&[u8]>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let Some(ca) = ca else {
        // Of hundreds, some may be in a form of their own; without any, no server can be trusted.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return match roots.is_empty() {
            true => Err(Error::setting(
                "tls_ca",
                "is missing, and the system trusts nobody",
            )),
            false => Ok(roots),
        };
    };
    let refuse = || Error::setting("tls_ca", "must be certificates in PEM form");
    for certificate in certificates(ca).ok_or_else(refuse)? {
        roots.add(certificate).map_err(|_| refuse())?;
    }
    Ok(roots)
}

/// All certificates of a PEM text; `None` if there are none, or one is malformed.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    all.ok().filter(|all| !all.is_empty())
}

fn refused(mut error: io::Error) -> ConnectProblem {
    let cause = error
        .get_mut()
        .and_then(|cause| cause.downcast_mut::<rustls::Error>());
    match cause {
        Some(cause) => ConnectProblem::Tls(problem(cause)),
        None => failure::of_system(&error),
    }
}

/// Texts of rustls may quote names out of certificates, so only the kind goes on.
fn problem(error: &rustls::Error) -> TlsProblem {
    use CertificateError::*;
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            UnknownIssuer | BadSignature => TlsProblem::Issuer,
            NotValidForName | NotValidForNameContext { .. } => TlsProblem::Name,
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => {
                TlsProblem::Expired
            }
            _ => TlsProblem::Certificate,
        },
        rustls::Error::AlertReceived(alert) if is_about_certificates(*alert) => {
            TlsProblem::ClientCertificate
        }
        _ => TlsProblem::Protocol,
    }
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    use AlertDescription::*;
    matches!(
        alert,
        NoCertificate
            | BadCertificate
            | UnsupportedCertificate
            | CertificateRevoked
            | CertificateExpired
            | CertificateUnknown
            | UnknownCA
            | AccessDenied
            | CertificateRequired
    )
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::crypto::CryptoProvider;

    use super::*;

    #[test]
    fn the_provider_of_the_process_is_neither_needed_nor_set() {
        let settings = TlsSettings::default();
        // A system that trusts nobody is an error, which is as good here.
        assert!(!matches!(config(&settings), Err(Error::Store(_))));
        assert!(CryptoProvider::get_default().is_none());
    }

    #[test]
    fn what_was_given_shows_nowhere() {
        let settings = TlsSettings {
            ca: Some(b"authority".to_vec()),
            client: Some((b"certificate".to_vec(), b"key".to_vec())),
        };
        assert_eq!(format!("{settings:?}"), "TlsSettings");
    }
}
