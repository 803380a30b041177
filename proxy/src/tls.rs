//! TLS: towards Postgres (`SSLRequest`, then a verified handshake), and towards clients.

use std::{
    io,
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::{Context, Result};
use bytes::BytesMut;
use postgres_protocol::message::frontend;
use sha2::{Digest, Sha256, Sha384, Sha512};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};
use x509_cert::der::{Decode, oid::ObjectIdentifier};

use crate::{
    settings::{Certificate, Database, SslMode},
    wire::Stream,
};

/// How connections to the pinned target are protected.
pub(crate) struct Tls {
    mode: SslMode,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl Tls {
    /// Trusts the roots of `sslrootcert`; without it, Mozilla's.
    pub(crate) fn new(database: &Database) -> Result<Self> {
        let roots = match &database.root_certificates {
            None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
            Some(path) => {
                let shown = path.display();
                let mut roots = RootCertStore::empty();
                let all = CertificateDer::pem_file_iter(path);
                for root in all.with_context(|| format!("cannot read sslrootcert {shown}"))? {
                    let root = root.with_context(|| format!("sslrootcert {shown}"))?;
                    roots.add(root).with_context(|| format!("sslrootcert {shown}"))?;
                }
                anyhow::ensure!(!roots.is_empty(), "sslrootcert {shown} has no certificate");
                roots
            }
        };
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            mode: database.ssl_mode,
            name: ServerName::try_from(database.host.clone()).context("the host is no name")?,
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Turns a fresh TCP connection into the stream that the mode asks for.
    pub(crate) async fn protect(&self, mut stream: TcpStream) -> io::Result<Protected> {
        let plain = |stream: TcpStream| {
            Ok(Protected { stream: Box::new(stream), is_encrypted: false, end_point: None })
        };
        if self.mode == SslMode::Disable {
            return plain(stream);
        }
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request).await?;
        // Exactly one byte: anything that follows in plain text is not from the server we verify.
        match stream.read_u8().await? {
            b'S' => {
                let stream = self.connector.connect(self.name.clone(), stream).await?;
                let chain = stream.get_ref().1.peer_certificates();
                let end_point = chain.and_then(|chain| end_point(chain.first()?));
                Ok(Protected { stream: Box::new(stream), is_encrypted: true, end_point })
            }
            _ if self.mode == SslMode::Prefer => plain(stream),
            _ => Err(io::Error::other("the server does not offer TLS")),
        }
    }
}

/// A connection with Postgres, and what is known of its protection.
pub(crate) struct Protected {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) is_encrypted: bool,
    pub(crate) end_point: Option<Vec<u8>>,
}

/// The `tls-server-end-point` of a certificate (RFC 5929, section 4.1): its hash, by the hash
/// function of its signature, but SHA-256 in place of MD5 and SHA-1. `None`: the signature has no
/// such function (Ed25519), or is one that servers disagree about (RSA-PSS).
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let read = x509_cert::Certificate::from_der(certificate).ok()?;
    let signature = read.signature_algorithm.oid;
    let is =
        |oids: &[&str]| oids.iter().any(|oid| ObjectIdentifier::new(oid).ok() == Some(signature));
    // In these orders: RSA (RFC 8017), ECDSA (RFC 5758).
    let md5_or_sha1 = ["1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1"];
    if is(&md5_or_sha1) || is(&["1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"]) {
        Some(Sha256::digest(certificate).to_vec())
    } else if is(&["1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"]) {
        Some(Sha384::digest(certificate).to_vec())
    } else if is(&["1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"]) {
        Some(Sha512::digest(certificate).to_vec())
    } else {
        None
    }
}

/// What serves HTTPS, with the certificate of the moment.
pub(crate) struct Acceptor {
    files: Certificate,
    current: RwLock<(Pem, TlsAcceptor)>,
}

/// The contents of the two files.
type Pem = (Vec<u8>, Vec<u8>);

impl Acceptor {
    /// # Errors
    /// When the files cannot be read or do not belong together.
    pub(crate) fn new(files: &Certificate) -> Result<Self> {
        let pem = read(files)?;
        let acceptor = accept_with(&pem)?;
        Ok(Self { files: files.clone(), current: RwLock::new((pem, acceptor)) })
    }

    /// For the next client.
    pub(crate) fn get(&self) -> TlsAcceptor {
        self.current.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Takes the files as they are now, if they have changed. Tells whether they have.
    ///
    /// # Errors
    /// As `new`; the certificate before then stays in use.
    pub(crate) fn refresh(&self) -> Result<bool> {
        let pem = read(&self.files)?;
        if self.current.read().unwrap_or_else(PoisonError::into_inner).0 == pem {
            return Ok(false);
        }
        let acceptor = accept_with(&pem)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (pem, acceptor);
        Ok(true)
    }
}

fn read(files: &Certificate) -> Result<Pem> {
    let read = |path: &std::path::Path| {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    };
    Ok((read(&files.chain)?, read(&files.key)?))
}

fn accept_with((chain, key): &Pem) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_slice(key).context("the private key of HTTPS")?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain.context("the certificate of HTTPS")?, key)
        .context("the certificate and the key of HTTPS")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
        SignatureAlgorithm,
    };

    use super::*;

    fn certificate(algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["db.example".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_point_is_a_hash_by_the_function_of_the_signature() {
        let one = certificate(&PKCS_ECDSA_P256_SHA256);
        assert_eq!(end_point(&one).unwrap(), Sha256::digest(&one).to_vec());
        let one = certificate(&PKCS_ECDSA_P384_SHA384);
        assert_eq!(end_point(&one).unwrap(), Sha384::digest(&one).to_vec());
        assert_eq!(end_point(&certificate(&PKCS_ED25519)), None);
        assert_eq!(end_point(b"nonsense"), None);
    }
}
