//! Outbound HTTP: the allow-list, requests to the application itself, and chaining to another
//! component.

use std::sync::{Arc, Weak};
use std::time::Duration;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Request, Response, Uri};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::application::Application;
use crate::hosts::chained_component;
use crate::state::Component;

/// What Spin waits for where the component does not say.
const TIMEOUT: Duration = Duration::from_secs(600);

/// What a component may ask for from the web; one for each instance.
pub(crate) struct Outbound {
    /// The application owns the instances, and is not owned by them.
    application: Weak<Application>,
    component: Arc<Component>,
}

/// How long to wait for each part of an answer.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// For the connection.
    pub(crate) connect: Duration,
    /// For the head of the response.
    pub(crate) first_byte: Duration,
    /// For each part of the body.
    pub(crate) between_bytes: Duration,
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send>;

impl Outbound {
    /// For an instance of a component.
    pub(crate) fn new(application: Weak<Application>, component: Arc<Component>) -> Self {
        Self { application, component }
    }
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Sent {
        let application = self.application.clone();
        let component = Arc::clone(&self.component);
        let patience = Patience::from(options.unwrap_or_default());
        Box::new(async move {
            let application = application.upgrade().ok_or(Error::ConnectionTerminated)?;
            let response = send(&application, &component, request, patience).await?;
            Ok((response, Box::new(async { Ok(()) }) as Io))
        })
    }
}

impl From<RequestOptions> for Patience {
    fn from(options: RequestOptions) -> Self {
        Self {
            connect: options.connect_timeout.unwrap_or(TIMEOUT),
            first_byte: options.first_byte_timeout.unwrap_or(TIMEOUT),
            between_bytes: options.between_bytes_timeout.unwrap_or(TIMEOUT),
        }
    }
}

async fn send(
    application: &Arc<Application>,
    component: &Component,
    mut request: Request<WasiBody>,
    patience: Patience,
) -> Result<Response<WasiBody>, Error> {
    let own = asks_own(request.uri());
    let address = request.uri().to_string();
    let allowed = if own { component.hosts.allows_own() } else { component.hosts.allows(&address) };
    if !allowed {
        let id = &component.id;
        eprintln!("spin-host: component {id:?} may not connect to {}", origin(request.uri()));
        return Err(Error::HttpRequestDenied);
    }
    without_hop_by_hop(request.headers_mut());
    request.headers_mut().remove(HOST);
    if own {
        *request.uri_mut() = on_own(application.authority(), request.uri())?;
    }
    let chained = request.uri().host().and_then(chained_component).map(str::to_owned);
    match chained {
        Some(id) => application.chain(&id, request).await,
        None => application.client().send(request, patience).await,
    }
}

/// A URL without an authority, or with the one that stands for it.
fn asks_own(uri: &Uri) -> bool {
    uri.authority().is_none_or(|authority| matches!(authority.host(), "" | "self.alt"))
}

fn on_own(authority: &Authority, uri: &Uri) -> Result<Uri, Error> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let own = Uri::builder().scheme(Scheme::HTTP).authority(authority.clone()).path_and_query(path);
    own.build().map_err(|_| Error::HttpRequestUriInvalid)
}

/// Scheme, host and port: a denied URL's path and query may hold secrets.
fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{}{port}", uri.host().unwrap_or("self"))
}

/// Headers that speak of one connection, and those that `Connection` names (RFC 9110, section
/// 7.6.1).
fn without_hop_by_hop(headers: &mut HeaderMap) {
    let named = headers.get_all("connection").iter().filter_map(|value| value.to_str().ok());
    let named =
        named.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    for name in named.collect::<Vec<_>>() {
        headers.remove(name);
    }
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_a_url_without_a_host_asks_for_the_application() {
        assert!(asks_own(&Uri::from_static("/path")));
        assert!(asks_own(&Uri::from_static("http://self.alt/path")));
        assert!(!asks_own(&Uri::from_static("http://self/path")));
        let own = on_own(
            &Authority::from_static("127.0.0.1:3000"),
            &Uri::from_static("http://self.alt/p?q"),
        );
        assert_eq!(own.unwrap().to_string(), "http://127.0.0.1:3000/p?q");
    }

    #[test]
    fn what_is_logged_has_no_secrets() {
        let uri = Uri::from_static("https://user:secret@example.com:8443/path?token=secret");
        assert_eq!(origin(&uri), "https://example.com:8443");
    }

    #[test]
    fn headers_of_one_connection_do_not_go_further() {
        let mut headers = HeaderMap::new();
        headers.insert("connection", HeaderValue::from_static("close, X-Mine"));
        headers.insert("x-mine", HeaderValue::from_static("1"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert("x-other", HeaderValue::from_static("1"));
        without_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-other"]);
    }
}
