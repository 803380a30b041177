//! TLS towards Postgres: `SSLRequest`, then a verified handshake.

use std::{io, sync::Arc};

use anyhow::{Context, Result};
use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::{
    settings::{Database, SslMode},
    wire::Stream,
};

/// How connections to the pinned target are protected.
pub(crate) struct Tls {
    mode: SslMode,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl Tls {
    /// Trusts Mozilla's roots and, when given, those of `sslrootcert`.
    pub(crate) fn new(database: &Database) -> Result<Self> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = &database.root_certificates {
            let shown = path.display();
            for certificate in CertificateDer::pem_file_iter(path)
                .with_context(|| format!("cannot read sslrootcert {shown}"))?
            {
                let certificate = certificate.with_context(|| format!("sslrootcert {shown}"))?;
                roots.add(certificate).with_context(|| format!("sslrootcert {shown}"))?;
            }
        }
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
    pub(crate) async fn protect(&self, mut stream: TcpStream) -> io::Result<Box<dyn Stream>> {
        if self.mode == SslMode::Disable {
            return Ok(Box::new(stream));
        }
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request).await?;
        // Exactly one byte: anything that follows in plain text is not from the server we verify.
        match stream.read_u8().await? {
            b'S' => Ok(Box::new(self.connector.connect(self.name.clone(), stream).await?)),
            _ if self.mode == SslMode::Prefer => Ok(Box::new(stream)),
            _ => Err(io::Error::other("the server does not offer TLS")),
        }
    }
}
