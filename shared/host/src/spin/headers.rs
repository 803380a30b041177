//! Headers between us and the platform.

use http::header::{CONNECTION, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Those of one connection only (RFC 9110 section 7.6.1) and the host, which the platform has from the
/// URL. It refuses a message that has one of them.
fn is_of_connection(name: &HeaderName) -> bool {
    [CONNECTION, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name)
        || ["keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"]
            .contains(&name.as_str())
}

/// The headers that go on, as the platform takes them.
pub(super) fn outgoing(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let named = named_by_connection(headers);
    let kept = headers.iter().filter(|(name, _)| !is_of_connection(name) && !named.contains(name));
    kept.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

/// The headers that have come. What is no header cannot be meant for us.
pub(super) fn incoming(fields: Vec<(String, Vec<u8>)>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) =
            (name, HeaderValue::from_maybe_shared(bytes::Bytes::from(value)))
        {
            headers.append(name, value);
        }
    }
    let named = named_by_connection(&headers);
    let gone: Vec<_> = headers
        .keys()
        .filter(|name| (is_of_connection(name) && **name != HOST) || named.contains(name))
        .cloned()
        .collect();
    for name in gone {
        headers.remove(name);
    }
    headers
}

/// The further ones that the header `Connection` names.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&str, &str)]) -> HeaderMap {
        incoming(all.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect())
    }

    #[test]
    fn what_belongs_to_a_connection_goes_no_further() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private"),
            ("keep-alive", "5"),
            ("transfer-encoding", "chunked"),
            ("x-private", "1"),
            ("host", "edge.example"),
            ("upgrade", "h2c"),
            ("x-many", "a"),
            ("x-many", "b"),
        ] {
            let name: HeaderName = name.parse().expect("a name");
            map.append(name, HeaderValue::from_static(value));
        }
        let many = |value: &str| ("x-many".to_owned(), value.as_bytes().to_vec());
        assert_eq!(outgoing(&map), [many("a"), many("b")]);
    }

    #[test]
    fn what_comes_is_read_as_far_as_it_is_headers() {
        let read = headers(&[
            ("Accept", "*/*"),
            ("Connection", "x-private"),
            ("x-private", "1"),
            ("TE", "trailers"),
            ("bad name", "1"),
            ("x-bad", "a\nb"),
            ("host", "edge.example"),
        ]);
        let names: Vec<_> = read.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["accept", "host"]);
    }
}
