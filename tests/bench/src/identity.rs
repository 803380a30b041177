//! The identity provider's key set, served by the benchmark itself: sign-ins are signed here, so that
//! seeding costs one token exchange per session.

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use testing::{AuthKitToken, FakeWorkos, WORKOS_CLIENT_ID, WORKOS_ISSUER};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// Serves the key set until it is dropped.
pub(crate) struct Identity {
    url: String,
    server: AbortHandle,
}

impl Identity {
    /// Start serving on a free port.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) async fn serve() -> Result<Self> {
        let path = format!("/sso/jwks/{WORKOS_CLIENT_ID}");
        let asked = http::Request::get(&path).body(bytes::Bytes::new())?;
        let document = FakeWorkos::new().answer(&asked).into_body();
        let router = Router::new().route(&path, get(move || std::future::ready(document)));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(async { axum::serve(listener, router).await });
        Ok(Self { url, server: server.abort_handle() })
    }

    /// The settings under which the functions believe it.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let own = [
            ("WORKOS_API_URL", self.url.as_str()),
            ("WORKOS_ISSUER", WORKOS_ISSUER),
            ("WORKOS_CLIENT_ID", WORKOS_CLIENT_ID),
        ];
        own.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Access tokens of sign-ins: of every person of a group the same number. Signing is slow, so all
/// processors take part.
///
/// # Errors
/// If a thread panics.
pub(crate) fn sign_in(group: &str, people: usize, each: usize) -> Result<Vec<String>> {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now = u64::try_from(since_epoch.as_millis())?;
    let token = |person: usize, session: usize| {
        let claims = AuthKitToken::of(
            &format!("{group}_{person}"),
            &format!("{group}_session_{person}_{session}"),
            now,
        );
        FakeWorkos::new().sign(&claims)
    };
    let processors = std::thread::available_parallelism()?.get();
    let shares = std::thread::scope(|scope| {
        let share = |first: usize| {
            let persons = (first..people).step_by(processors);
            scope.spawn(move || {
                let tokens = persons.flat_map(|p| (0..each).map(move |s| token(p, s)));
                tokens.collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..processors).map(share).collect();
        threads.into_iter().map(|thread| thread.join().ok()).collect::<Option<Vec<_>>>()
    });
    Ok(shares.context("signing failed")?.concat())
}
