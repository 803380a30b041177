//! Messages of the Postgres protocol over a byte stream.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, BytesMut};
use postgres_protocol::message::backend::{Header, Message};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream to Postgres, with or without TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// Messages other than rows (errors, notices, descriptions) fit in this, whatever the limit on
/// results.
const SLACK: usize = 1024 * 1024;
const CHUNK: usize = 16 * 1024;
/// A session that waits for its next request keeps no larger buffers than this.
const KEPT: usize = 64 * 1024;

/// A framed connection. Writing and reading go on together: Postgres stops reading a long pipeline
/// when nobody takes its answers, so "write all, then read" could wait for ever.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    outgoing: BytesMut,
    incoming: BytesMut,
    chunk: Box<[u8]>,
    must_flush: bool,
    max_message: usize,
}

impl Wire {
    /// `max_message` bounds one message, in bytes; a longer one is an error of kind
    /// `FileTooLarge`.
    pub(crate) fn new(stream: Box<dyn Stream>, max_message: usize) -> Self {
        Self {
            stream,
            outgoing: BytesMut::new(),
            incoming: BytesMut::new(),
            chunk: vec![0; CHUNK].into_boxed_slice(),
            must_flush: false,
            max_message: max_message.saturating_add(SLACK),
        }
    }

    /// Queues messages; they leave with the next `send` or `receive`.
    pub(crate) fn queue(&mut self, messages: BytesMut) {
        if self.outgoing.is_empty() {
            self.outgoing = messages;
        } else {
            self.outgoing.extend_from_slice(&messages);
        }
        self.must_flush = true;
    }

    /// Gives back what a large request or result took.
    pub(crate) fn shrink(&mut self) {
        for buffer in [&mut self.incoming, &mut self.outgoing] {
            if buffer.is_empty() && buffer.capacity() > KEPT {
                *buffer = BytesMut::new();
            }
        }
    }

    /// Sends what is queued, without reading.
    pub(crate) async fn send(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(cx)).await
    }

    /// The next message; sends what is queued meanwhile.
    pub(crate) async fn receive(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = self.parse()? {
                return Ok(message);
            }
            let count = poll_fn(|cx| {
                if let Poll::Ready(Err(error)) = self.poll_send(cx) {
                    return Poll::Ready(Err(error));
                }
                self.poll_fill(cx)
            })
            .await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// True when nothing has arrived and the peer has not hung up, as far as can be seen without
    /// waiting. Postgres says nothing to an idle session unless it ends it.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.incoming.is_empty() && self.poll_fill(&mut context).is_pending()
    }

    fn parse(&mut self) -> io::Result<Option<Message>> {
        let Some(header) = Header::parse(&self.incoming)? else { return Ok(None) };
        if usize::try_from(header.len()).unwrap_or(usize::MAX) > self.max_message {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Message::parse(&mut self.incoming)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.outgoing) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => self.outgoing.advance(count),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.must_flush {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.must_flush = false,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunk = ReadBuf::new(&mut self.chunk);
        match Pin::new(&mut self.stream).poll_read(cx, &mut chunk) {
            Poll::Ready(Ok(())) => {
                self.incoming.extend_from_slice(chunk.filled());
                Poll::Ready(Ok(chunk.filled().len()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn ready() -> [u8; 6] {
        [b'Z', 0, 0, 0, 5, b'I']
    }

    #[tokio::test]
    async fn sends_and_receives_together() {
        // A peer that answers before it has read everything, over a pipe of 64 bytes.
        let (near, mut far) = tokio::io::duplex(64);
        let mut wire = Wire::new(Box::new(near), 1000);
        wire.queue(BytesMut::from(&[b'x'; 10_000][..]));
        let peer = tokio::spawn(async move {
            for _ in 0..100 {
                far.write_all(&ready()).await.unwrap();
            }
            let mut all = vec![0; 10_000];
            far.read_exact(&mut all).await.unwrap();
            far
        });
        for _ in 0..100 {
            assert!(matches!(wire.receive().await.unwrap(), Message::ReadyForQuery(_)));
        }
        wire.send().await.unwrap();
        drop(peer.await.unwrap());
        assert!(wire.receive().await.is_err());
    }

    #[tokio::test]
    async fn sees_a_peer_that_spoke_or_hung_up() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut wire = Wire::new(Box::new(near), 1000);
        assert!(wire.is_quiet());
        far.write_all(&ready()).await.unwrap();
        assert!(!wire.is_quiet());
        let (near, far) = tokio::io::duplex(64);
        drop(far);
        assert!(!Wire::new(Box::new(near), 1000).is_quiet());
    }

    #[tokio::test]
    async fn gives_back_what_was_large() {
        let (near, mut far) = tokio::io::duplex(300_000);
        let mut wire = Wire::new(Box::new(near), 1_000_000);
        let length = 200_000_u32;
        let mut row = vec![b'D'];
        row.extend_from_slice(&length.to_be_bytes());
        row.resize(length as usize + 1, 0);
        far.write_all(&row).await.unwrap();
        assert!(matches!(wire.receive().await.unwrap(), Message::DataRow(_)));
        wire.shrink();
        assert!(wire.incoming.capacity() <= KEPT);
    }

    #[tokio::test]
    async fn refuses_a_message_over_the_limit_before_it_arrives() {
        let (near, mut far) = tokio::io::duplex(64);
        far.write_all(&[b'D', 0x7f, 0, 0, 0]).await.unwrap();
        let error = Wire::new(Box::new(near), 1000).receive().await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
