//! The listener.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::application::Application;
use crate::hosts::chained_component;

/// Answered by the host itself, as in Spin.
const HEALTH: &str = "/.well-known/spin/health";

/// How long requests under way are given when the host is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Serves until `stop` is ready, then ends what is under way.
pub(crate) async fn serve(
    listener: TcpListener,
    application: Arc<Application>,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => connected(stream, peer, Arc::clone(&application), &graceful),
                Err(error) => {
                    eprintln!("spin-host: cannot accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
            () = &mut stop => break,
        }
    }
    drop(listener);
    _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

fn connected(
    stream: TcpStream,
    peer: SocketAddr,
    application: Arc<Application>,
    graceful: &GracefulShutdown,
) {
    // A small response must not wait for the answer to the last.
    _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let application = Arc::clone(&application);
        async move { Ok::<_, Infallible>(answer(&application, request, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // The client went away: nobody is left to tell.
        _ = connection.await;
    });
}

async fn answer(
    application: &Application,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<WasiBody> {
    let mut request = request.map(|body| body.map_err(Error::from).boxed_unsync());
    if request.uri().path() == HEALTH {
        return Response::new(Full::from("OK").map_err(Error::from).boxed_unsync());
    }
    // Nobody outside may pass for a component.
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    if chained_component(host).is_some() {
        request.headers_mut().remove(HOST);
    }
    application.serve(request, peer).await
}
