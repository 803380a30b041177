//! Connections, with TLS where the scheme asks for it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tower_service::Service;
use wasmtime_wasi_http::Error;

tokio::task_local! {
    /// How long the request at hand waits for a connection: the pool does not pass it on.
    pub(super) static CONNECT_TIMEOUT: Duration;
}

/// Makes the pool's connections.
#[derive(Clone)]
pub(super) struct Connect(TlsConnector);

/// Why there is no connection, in the terms of `wasi:http`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failed {
    Uri,
    Name,
    Refused,
    Timeout,
    Tls,
}

/// A connection.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connect {
    pub(super) fn new(config: Arc<ClientConfig>) -> Self {
        Self(TlsConnector::from(config))
    }

    async fn connect(self, uri: Uri) -> Result<Stream, Failed> {
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().ok_or(Failed::Uri)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let addresses =
            lookup_host((host, port)).await.map_err(|_| Failed::Name)?.collect::<Vec<_>>();
        let stream = TcpStream::connect(&addresses[..]).await.map_err(|_| Failed::Refused)?;
        // A small request must not wait for the answer to the last.
        _ = stream.set_nodelay(true);
        if !secure {
            return Ok(Stream::Plain(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Failed::Name)?;
        let stream = self.0.connect(name, stream).await.map_err(|_| Failed::Tls)?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

impl Service<Uri> for Connect {
    type Response = TokioIo<Stream>;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, Failed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connect = self.clone();
        Box::pin(async move {
            // The pool finishes a connection that lost the race to an idle one in a task of its
            // own.
            let patience =
                CONNECT_TIMEOUT.try_with(|patience| *patience).unwrap_or(Duration::from_secs(60));
            let connected = timeout(patience, connect.connect(uri)).await;
            connected.map_err(|_| Failed::Timeout)?.map(TokioIo::new)
        })
    }
}

impl Failed {
    /// The same as Spin says.
    pub(super) fn named(self) -> Error {
        let dns =
            |rcode: &str| Error::DnsError { rcode: Some(rcode.to_owned()), info_code: Some(0) };
        match self {
            Self::Uri => Error::HttpRequestUriInvalid,
            Self::Name => dns("address not available"),
            Self::Refused => Error::ConnectionRefused,
            Self::Timeout => Error::ConnectionTimeout,
            Self::Tls => Error::TlsProtocolError,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no connection: {self:?}")
    }
}

impl std::error::Error for Failed {}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
