//! Servers that speak TLS, and who signs their certificates. All of it is made at run time, so no
//! private key lies about and nothing ever expires.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::RedisServer;

/// One who signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, in PEM form.
    pub(crate) pem: String,
}

/// A certificate and its key, in PEM form.
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    #[allow(clippy::needless_pass_by_value, reason = "made for the call")]
    pub(crate) fn sign(&self, params: CertificateParams) -> Signed {
        let key = KeyPair::generate().unwrap();
        Signed {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// For the server at `localhost`.
    pub(crate) fn server(&self) -> Signed {
        self.sign(for_names(&["localhost"]))
    }
}

pub(crate) fn for_names(names: &[&str]) -> CertificateParams {
    let names = names.iter().map(ToString::to_string);
    CertificateParams::new(names.collect::<Vec<_>>()).unwrap()
}

/// A server that speaks TLS alone, and the files it reads.
pub(crate) struct TlsServer {
    pub(crate) server: RedisServer,
    files: PathBuf,
}

impl TlsServer {
    /// Shows `signed`; trusts clients that `authority` has signed.
    pub(crate) fn start(authority: &Authority, signed: &Signed, args: &[&str]) -> Self {
        let name = format!("cached-redis-tls-{}", fastrand::u64(..));
        let files = std::env::temp_dir().join(name);
        fs::create_dir_all(&files).unwrap();
        let file = |name: &str, text: &str| {
            let path = files.join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let tls = [
            ["--port", "0"],
            ["--tls-port", "<port>"],
            ["--tls-cert-file", &file("server.crt", &signed.certificate)],
            ["--tls-key-file", &file("server.key", &signed.key)],
            ["--tls-ca-cert-file", &file("ca.crt", &authority.pem)],
        ];
        let server = RedisServer::start_with(&[tls.as_flattened(), args].concat());
        Self { server, files }
    }

    /// One that asks clients for nothing.
    pub(crate) fn open(authority: &Authority, signed: &Signed) -> Self {
        Self::start(authority, signed, &["--tls-auth-clients", "no"])
    }

    /// Its address, as a user writes it.
    pub(crate) fn url(&self) -> String {
        self.server
            .url()
            .replace("redis://127.0.0.1", "rediss://localhost")
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.files);
    }
}
