//! The rules of streamable HTTP: who may call, which version a request is in, and that its headers
//! say what its body says. Whoever routes or limits by the headers can then rely on them.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::header::{ACCEPT, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::jsonrpc::{self, Error};
use crate::protocol::Version;
use crate::request::{Meta, Params, text};

const VERSION: &str = "mcp-protocol-version";

/// Why a request is refused before anybody reads it: both come from a web page that has made a
/// browser believe that our address is its own (DNS rebinding).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// The page's origin is not one of ours.
    Origin,
    /// The server runs on the person's own machine and was called by another name.
    Host,
}

/// Whether a request may come in. `known` says which origins may; `public_url` is the URL that the
/// server is known by. A request without an origin is no browser's. The host is looked at where the
/// server is on the person's own machine; elsewhere whatever brings us requests has looked at it.
///
/// # Errors
/// What is foreign about it.
pub fn admit(
    headers: &HeaderMap,
    known: impl Fn(&str) -> bool,
    public_url: &str,
) -> Result<(), Foreign> {
    let mut origins = headers.get_all(ORIGIN).iter();
    if !origins.all(|origin| origin.to_str().is_ok_and(&known)) {
        return Err(Foreign::Origin);
    }
    let public = public_url.split_once("://").map_or(public_url, |(_, rest)| rest);
    let public = public.split('/').next().unwrap_or_default();
    let local = |host: &str| matches!(host_of(host), "localhost" | "127.0.0.1" | "[::1]");
    let mut hosts = headers.get_all(HOST).iter();
    let named = hosts.all(|host| host.to_str().is_ok_and(local));
    if local(public) && !named { Err(Foreign::Host) } else { Ok(()) }
}

/// The host without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether the body is declared as JSON; parameters such as `charset` do not matter.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Whether the client reads a stream of events.
pub(crate) fn takes_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("text/event-stream") || kind == "*/*"
    })
}

/// A request that is refused for its version or its headers.
pub(crate) type Refusal = (StatusCode, Error);

/// The version of a request.
pub(crate) fn version(headers: &HeaderMap, method: &str, meta: &Meta) -> Result<Version, Refusal> {
    let said = meta.version.as_deref();
    match (header(headers, VERSION), said) {
        (Header::Absent, None) => Ok(Version::ASSUMED),
        (Header::One(name), None) => match Version::from_name(name) {
            Some(version) => Ok(version),
            // It agrees on the version in its body, so that its header cannot yet.
            None if method == "initialize" => Ok(Version::ASSUMED),
            None => Err(bad(Error::new(jsonrpc::SERVER_ERROR, unsupported()))),
        },
        (Header::Many, None) if method == "initialize" => Ok(Version::ASSUMED),
        (Header::Many, None) => Err(bad(Error::new(jsonrpc::SERVER_ERROR, unsupported()))),
        (Header::One(name), Some(said)) if name == said => {
            Version::from_name(said).ok_or_else(|| {
                let data = json!({ "supported": Version::names(), "requested": said });
                bad(Error::new(jsonrpc::UNSUPPORTED_VERSION, unsupported()).with_data(data))
            })
        }
        (Header::Absent, Some(said)) => match Version::from_name(said) {
            Some(version) if !version.is_stateless() => Ok(version),
            _ => Err(mismatch("MCP-Protocol-Version")),
        },
        _ => Err(mismatch("MCP-Protocol-Version")),
    }
}

/// Whether a message that wants no answer names a version that is served, or none.
pub(crate) fn names_known_version(headers: &HeaderMap) -> bool {
    match header(headers, VERSION) {
        Header::Absent => true,
        Header::One(name) => Version::from_name(name).is_some(),
        Header::Many => false,
    }
}

/// What to tell a client whose version is not served.
pub(crate) fn unsupported() -> String {
    let names = Version::names().join(", ");
    format!("Unsupported MCP-Protocol-Version. Supported versions: {names}.")
}

/// The headers of a request of 2026-07-28 that repeat what its body says.
pub(crate) fn repeats(
    headers: &HeaderMap,
    method: &str,
    params: &Params<'_>,
) -> Result<(), Refusal> {
    if header(headers, "mcp-method") != Header::One(method) {
        return Err(mismatch("Mcp-Method"));
    }
    let name = match method {
        "tools/call" | "prompts/get" => text(params.name),
        "resources/read" => text(params.uri),
        _ => return Ok(()),
    };
    agrees(headers, "Mcp-Name", name.as_deref())
}

/// The headers that repeat arguments, which a tool's schema asks for by `x-mcp-header`.
pub(crate) fn repeats_arguments(
    headers: &HeaderMap,
    mirrored: &[(&str, &str)],
    arguments: &Map<String, Value>,
) -> Result<(), Refusal> {
    for (name, argument) in mirrored {
        let value = match arguments.get(*argument) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Bool(_) | Value::Number(_)) => {
                arguments.get(*argument).map(Value::to_string)
            }
            // It has no form in a header; that it is wrong is said with all other arguments.
            Some(Value::Array(_) | Value::Object(_)) => continue,
        };
        agrees(headers, &format!("Mcp-Param-{name}"), value.as_deref())?;
    }
    Ok(())
}

fn agrees(headers: &HeaderMap, name: &str, body: Option<&str>) -> Result<(), Refusal> {
    let same = match (header(headers, &name.to_ascii_lowercase()), body) {
        (Header::Absent, None) => true,
        (Header::One(said), Some(body)) => {
            decoded(said).is_some_and(|said| said == body.trim_matches([' ', '\t']) || said == body)
        }
        _ => false,
    };
    if same { Ok(()) } else { Err(mismatch(name)) }
}

/// What a header says: itself, or what is in `=?base64?…?=`.
fn decoded(value: &str) -> Option<String> {
    let inside = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let Some(inside) = inside else { return Some(value.to_owned()) };
    String::from_utf8(STANDARD.decode(inside).ok()?).ok()
}

#[derive(PartialEq, Eq)]
enum Header<'a> {
    Absent,
    One(&'a str),
    /// More than one, or one that is no text.
    Many,
}

/// A header without the space around it (RFC 9110 section 5.5).
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Header<'a> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Header::Absent };
    if values.next().is_some() {
        return Header::Many;
    }
    match value.to_str() {
        Ok(text) => Header::One(text.trim_matches([' ', '\t'])),
        Err(_) => Header::Many,
    }
}

fn mismatch(name: &str) -> Refusal {
    let text = format!("The header {name} must be there and say what the body says.");
    bad(Error::new(jsonrpc::HEADER_MISMATCH, text))
}

fn bad(error: Error) -> Refusal {
    (StatusCode::BAD_REQUEST, error)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn pages_of_others_are_kept_out() {
        let ours = |origin: &str| origin == "https://app.example";
        let public = "https://edge.example/mcp";
        assert_eq!(admit(&headers(&[]), ours, public), Ok(()));
        assert_eq!(admit(&headers(&[("origin", "https://app.example")]), ours, public), Ok(()));
        for origin in ["https://evil.example", "null", "https://app.example:1", ""] {
            let headers = headers(&[("origin", origin)]);
            assert_eq!(admit(&headers, ours, public), Err(Foreign::Origin), "{origin}");
        }
    }

    #[test]
    fn a_server_on_this_machine_answers_to_its_own_names_only() {
        let public = "http://127.0.0.1:8080";
        for (host, known) in [
            ("localhost:1", true),
            ("127.0.0.1", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("evil.example", false),
            ("localhost.evil.example:80", false),
            ("", false),
        ] {
            let admitted = admit(&headers(&[("host", host)]), |_| true, public);
            assert_eq!(admitted.is_ok(), known, "{host}");
        }
        // A gateway may call us by another name than people do.
        let elsewhere = headers(&[("host", "internal:3000")]);
        assert_eq!(admit(&elsewhere, |_| true, "https://edge.example"), Ok(()));
    }

    #[test]
    fn encoded_headers_are_decoded_strictly() {
        for (value, decoded_to) in [
            ("plain", Some("plain")),
            ("=?base64?SGVsbG8=?=", Some("Hello")),
            ("=?base64?SGVsbG8?=", None),
            ("=?base64?SGVs!!!bG8=?=", None),
            ("=?base64?/w==?=", None),
            ("=?base64?SGVsbG8=", Some("=?base64?SGVsbG8=")),
            ("SGVsbG8=", Some("SGVsbG8=")),
        ] {
            assert_eq!(decoded(value).as_deref(), decoded_to, "{value}");
        }
    }
}
