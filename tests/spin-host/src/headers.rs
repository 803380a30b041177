//! What Spin tells a component about its request, in headers.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderName, HeaderValue, Request, Uri};

use crate::routes::Matched;

/// The request as the component gets it: its URI with scheme and authority, and Spin's headers
/// **after** those that the client sent under the same names. That is how Spin does it, so a
/// component must read the last value.
pub(crate) fn prepared<B>(
    mut request: Request<B>,
    matched: &Matched,
    peer: SocketAddr,
) -> Result<Request<B>> {
    let values = request.headers().values();
    ensure!(
        values.map(HeaderValue::as_bytes).all(|value| std::str::from_utf8(value).is_ok()),
        "a header is no UTF-8"
    );
    let host = request.headers().get(HOST).cloned();
    *request.uri_mut() = absolute(request.uri(), host.as_ref())?;
    let host = match host {
        Some(host) => host.to_str()?.to_owned(),
        None => "localhost".to_owned(),
    };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let full = format!("http://{host}{path}");
    let route = matched.raw.strip_suffix("/...").unwrap_or(&matched.raw).to_owned();
    let mut told = vec![
        ("path-info".to_owned(), matched.wildcard.clone()),
        ("full-url".to_owned(), full),
        ("matched-route".to_owned(), matched.based.clone()),
        ("base-path".to_owned(), "/".to_owned()),
        ("raw-component-route".to_owned(), matched.raw.clone()),
        ("component-route".to_owned(), route),
        ("client-addr".to_owned(), peer.to_string()),
    ];
    let named =
        matched.named.iter().map(|(name, value)| (format!("path-match-{name}"), value.clone()));
    told.extend(named);
    for (name, value) in told {
        let name = format!("spin-{name}").to_ascii_lowercase().replace('_', "-");
        // As in Spin, what is no header is left out.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            request.headers_mut().append(name, value);
        }
    }
    Ok(request)
}

/// The URI with the authority that it or `Host` names; both must say the same.
fn absolute(uri: &Uri, host: Option<&HeaderValue>) -> Result<Uri> {
    let mut parts = uri.clone().into_parts();
    let named = host.map(|host| Authority::try_from(host.as_bytes())).transpose()?;
    let both = parts.authority.as_ref().zip(named.as_ref());
    ensure!(
        both.is_none_or(|(one, other)| one == other),
        "Host and the URI name different authorities"
    );
    parts.authority = Some(named.or(parts.authority).context("no Host header in the request")?);
    parts.scheme = Some(Scheme::HTTP);
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some("/".parse()?);
    }
    Ok(Uri::from_parts(parts)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::Routes;

    fn asked(path: &str, route: &str) -> Request<()> {
        let request = Request::builder().uri(path).header("host", "edge.example").body(()).unwrap();
        let matched = Routes::new([(route, "a")]).unwrap().find(path).unwrap();
        prepared(request, &matched, "127.0.0.1:8777".parse().unwrap()).unwrap()
    }

    fn value(request: &Request<()>, name: &str) -> String {
        let all = request.headers().get_all(format!("spin-{name}"));
        all.iter().next_back().map_or("none".to_owned(), |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_match_is_told() {
        let request = asked("/users/42/posts/7", "/users/:user_id/posts/...");
        assert_eq!(value(&request, "path-info"), "/7");
        assert_eq!(value(&request, "full-url"), "http://edge.example/users/42/posts/7");
        assert_eq!(value(&request, "matched-route"), "/users/:user_id/posts/...");
        assert_eq!(value(&request, "component-route"), "/users/:user_id/posts");
        assert_eq!(value(&request, "raw-component-route"), "/users/:user_id/posts/...");
        assert_eq!(value(&request, "base-path"), "/");
        assert_eq!(value(&request, "client-addr"), "127.0.0.1:8777");
        assert_eq!(value(&request, "path-match-user-id"), "42");
        assert_eq!(request.uri().to_string(), "http://edge.example/users/42/posts/7");
    }

    #[test]
    fn a_client_that_says_the_same_comes_first() {
        let request = Request::builder()
            .uri("/")
            .header("host", "edge.example")
            .header("spin-client-addr", "6.6.6.6:1");
        let matched = Routes::new([("/", "a")]).unwrap().find("/").unwrap();
        let request =
            prepared(request.body(()).unwrap(), &matched, "127.0.0.1:8777".parse().unwrap())
                .unwrap();
        let all = request.headers().get_all("spin-client-addr").iter().collect::<Vec<_>>();
        assert_eq!(all, ["6.6.6.6:1", "127.0.0.1:8777"]);
    }

    #[test]
    fn a_request_names_one_authority() {
        let host = HeaderValue::from_static("edge.example");
        let other = HeaderValue::from_static("other.example");
        assert!(absolute(&Uri::from_static("/"), None).is_err());
        assert!(absolute(&Uri::from_static("http://edge.example/"), Some(&other)).is_err());
        assert!(absolute(&Uri::from_static("http://edge.example/"), Some(&host)).is_ok());
        let own = absolute(&Uri::from_static("http://edge.example"), None).unwrap();
        assert_eq!(own.to_string(), "http://edge.example/");
    }
}
