//! Clients: accepting them, HTTPS, how long they are waited for, and the end.

use std::{convert::Infallible, future::Future, io, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{interval, sleep, timeout},
};

use crate::{
    http::App,
    log::log,
    metrics::{Attempt, Present},
    patience::Patience,
    startup,
    tls::Acceptor,
};

/// How long a client may take for its part of the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What is kept of a client's requests and answers beside their bodies.
const BUFFER: usize = 64 * 1024;
/// Longer heads of requests are refused.
const MAX_HEAD: usize = 32 * 1024;
/// After a failure to accept (no file descriptors are left).
const PAUSE: Duration = Duration::from_millis(100);
/// How often old sessions are looked for.
const PRUNE: Duration = Duration::from_secs(15);

/// What serves the clients of one listener.
pub(crate) struct Server {
    pub(crate) app: Arc<App>,
    pub(crate) acceptor: Option<Arc<Acceptor>>,
}

impl Server {
    /// Serves until `shutdown` completes, and then lets the requests in flight finish: first health
    /// checks fail while everything goes on, then nobody is accepted, then what is not done in time
    /// is cancelled.
    pub(crate) async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let settings = &self.app.pool.settings;
        let places = Arc::new(Semaphore::new(settings.max_clients));
        let (close, closing) = watch::channel(false);
        let mut clients = JoinSet::new();
        let mut end = pin!(async {
            shutdown.await;
            self.app.begin_to_drain();
            sleep(settings.drain_delay).await;
        });
        let mut chores = pin!(self.chores());
        loop {
            tokio::select! {
                () = &mut end => break,
                () = &mut chores => {}
                (stream, place) = accept(&listener, &places) => {
                    clients.spawn(self.attend(stream, place, closing.clone()));
                    while clients.try_join_next().is_some() {}
                }
            }
        }
        drop(listener);
        let _ = close.send(true);
        let all = async { while clients.join_next().await.is_some() {} };
        let is_late = timeout(settings.drain_timeout, all).await.is_err();
        if is_late {
            log(&format_args!("cancelling {} clients' requests", clients.len()));
            clients.shutdown().await;
        }
        self.app.pool.drain().await;
    }

    /// Serves one client until it, or we, leave.
    fn attend(
        &self,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        closing: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let app = Arc::clone(&self.app);
        let acceptor = self.acceptor.as_ref().map(|acceptor| acceptor.get());
        async move {
            let _place = place;
            let _present = Present::new(&app.metrics.clients);
            let patience = app.pool.settings.write_timeout;
            let _ = startup::tune(&stream, patience);
            let stream = Patience::new(stream, patience);
            let Some(acceptor) = acceptor else { return talk(app, stream, closing).await };
            let handshake = timeout(HANDSHAKE, acceptor.accept(stream)).await;
            let Ok(Ok(stream)) = handshake else {
                return app.metrics.handshakes.count(Attempt::Failed);
            };
            app.metrics.handshakes.count(Attempt::Done);
            talk(app, stream, closing).await;
        }
    }

    /// What is to be done from time to time. Never ends.
    async fn chores(&self) {
        let mut prune = interval(PRUNE);
        let mut poll = interval(self.app.pool.settings.certificate_poll.max(PAUSE));
        loop {
            tokio::select! {
                _ = prune.tick() => self.app.pool.prune().await,
                _ = poll.tick() => self.refresh(),
            }
        }
    }

    fn refresh(&self) {
        let Some(acceptor) = &self.acceptor else { return };
        match acceptor.refresh() {
            Ok(false) => {}
            Ok(true) => log(&"serving a new certificate"),
            Err(error) => log(&format_args!("keeping the old certificate: {error:#}")),
        }
    }
}

/// The next client, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        // Nobody closes this semaphore.
        let Ok(place) = Arc::clone(places).acquire_owned().await else { continue };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                log(&format_args!("cannot accept: {error}"));
                sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn talk<S>(app: Arc<App>, stream: S, mut closing: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let idle_timeout = app.pool.settings.idle_timeout;
    let service = service_fn(move |request| {
        let app = Arc::clone(&app);
        async move { Ok::<_, Infallible>(app.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_timeout)
        .max_buf_size(BUFFER)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // An error is the client's: it left, was too slow, or spoke no HTTP.
    tokio::select! {
        _ = &mut connection => return,
        _ = closing.wait_for(|is_closing| *is_closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
