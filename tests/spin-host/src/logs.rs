//! A component's stdout and stderr: on to the host's own, and to files where a folder is given.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Result;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// How much a component may write at once.
const PERMIT: usize = 64 * 1024;

/// Where the output of one component goes.
pub(crate) struct Logs {
    stdout: Log,
    stderr: Log,
}

/// One of the two streams. Writes go through at once: what a component said before it trapped is
/// not lost.
#[derive(Clone)]
pub(crate) struct Log {
    stream: Stream,
    file: Option<Arc<File>>,
}

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

impl Logs {
    /// With a folder, the output is also in `ID_stdout.txt` and `ID_stderr.txt` there, as with
    /// Spin.
    pub(crate) fn new(id: &str, folder: Option<&Path>) -> Result<Self> {
        let log = |stream: Stream, name: &str| -> Result<Log> {
            let path = folder.map(|folder| folder.join(format!("{id}_{name}.txt")));
            let open = |path| OpenOptions::new().create(true).append(true).open(path);
            Ok(Log { stream, file: path.map(open).transpose()?.map(Arc::new) })
        };
        Ok(Self { stdout: log(Stream::Stdout, "stdout")?, stderr: log(Stream::Stderr, "stderr")? })
    }

    /// The stream for an instance's stdout.
    pub(crate) fn stdout(&self) -> Log {
        self.stdout.clone()
    }

    /// The stream for an instance's stderr.
    pub(crate) fn stderr(&self) -> Log {
        self.stderr.clone()
    }
}

impl Log {
    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.as_ref().write_all(bytes)?;
        }
        match self.stream {
            Stream::Stdout => flushed(io::stdout().lock(), bytes),
            Stream::Stderr => flushed(io::stderr().lock(), bytes),
        }
    }
}

fn flushed(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

impl IsTerminal for Log {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Log {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Log {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.put(bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for Log {
    async fn ready(&mut self) {}
}

impl OutputStream for Log {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes).map_err(|error| StreamError::LastOperationFailed(error.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}
