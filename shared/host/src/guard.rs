//! The guard before authentication: a filter against floods. It counts requests that show no
//! credentials in their headers, by the network they come from, with the platform's own limiter.
//! What a person or a client may do is decided elsewhere, exactly and after authentication.

use auth::network;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderName, StatusCode};
use ports::Response;
use ports::route::find;

use crate::respond;

/// The seconds that the platform's limiter counts over.
const PERIOD: &str = "60";

/// Under which name a request is counted; `None` if it is not. `address` is the header in which the
/// platform says from which address it comes.
pub fn counted_as(parts: &Parts, address: &HeaderName) -> Option<String> {
    if parts.headers.contains_key(AUTHORIZATION) {
        return None;
    }
    let network = network::of(&parts.headers, Some(address));
    Some(network.unwrap_or_else(|| "unknown".to_owned()))
}

/// The answer to one too many: 429 in the shape of the function's own answers.
pub fn refusal(path: &str) -> Response {
    let mut response = if find(path).is_some_and(|found| found.route.speaks_oauth()) {
        respond::oauth_busy()
    } else {
        let detail = "too many requests from this network; try again later";
        respond::problem(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
    };
    respond::set(&mut response, http::header::RETRY_AFTER, PERIOD);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&'static str, &str)]) -> Parts {
        let mut request = http::Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a value"));
        }
        request.into_parts().0
    }

    #[test]
    fn who_shows_no_credentials_is_counted_by_network() {
        let address = HeaderName::from_static("cf-connecting-ip");
        let counted = |headers: &[_]| counted_as(&parts(headers), &address);
        let here = ("cf-connecting-ip", "192.0.2.7");
        assert_eq!(counted(&[here]).as_deref(), Some("192.0.2.0/24"));
        assert_eq!(counted(&[here, ("authorization", "Basic eDp5")]), None);
        assert_eq!(counted(&[]).as_deref(), Some("unknown"));
        assert_eq!(counted(&[("cf-connecting-ip", "me")]).as_deref(), Some("unknown"));
        let others = ("x-forwarded-for", "198.51.100.1");
        assert_eq!(counted(&[others]).as_deref(), Some("unknown"), "anybody can say that");
    }

    #[test]
    fn a_refusal_says_when_to_come_back_in_the_words_of_the_endpoint() {
        for (path, member) in [
            ("/oauth/token", "\"error\":\"temporarily_unavailable\""),
            ("/oauth/register", "\"error\":\"temporarily_unavailable\""),
            ("/oauth/authorize", "\"code\":\"rate_limited\""),
            ("/health", "\"code\":\"rate_limited\""),
            ("/nowhere", "\"code\":\"rate_limited\""),
        ] {
            let response = refusal(path);
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(response.headers()["retry-after"], PERIOD);
            assert!(String::from_utf8_lossy(response.body()).contains(member), "{path}");
        }
    }
}
