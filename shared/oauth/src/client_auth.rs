//! How clients say who they are: RFC 6749 section 2.3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::form::Form;
use crate::{ErrorCode, OAuthError};

/// What a request says about its client; nothing has been verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The client's id.
    pub client_id: String,
    /// Its secret; `None` for public clients.
    pub secret: Option<String>,
    /// Whether they came in an `Authorization: Basic` header: the challenge answers in kind.
    pub basic: bool,
}

/// Read the credentials of a request: `client_secret_basic`, `client_secret_post`, or the bare
/// `client_id` of a public client. `None` if there are none.
///
/// # Errors
/// `invalid_request` for two methods at once, `invalid_client` for an unreadable header.
pub fn credentials(
    authorization: Option<&str>,
    form: &Form,
) -> Result<Option<Credentials>, OAuthError> {
    let posted = form.get("client_id");
    let posted_secret = form.get("client_secret");
    let Some(header) = authorization else {
        return match (posted, posted_secret) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(OAuthError::invalid_request("client_id is missing")),
            (Some(id), secret) => Ok(Some(Credentials {
                client_id: id.to_owned(),
                secret: secret.map(str::to_owned),
                basic: false,
            })),
        };
    };
    let (client_id, secret) = basic(header).ok_or(UNREADABLE)?;
    if posted_secret.is_some() {
        return Err(OAuthError::invalid_request("two client authentication methods at once"));
    }
    if posted.is_some_and(|posted| posted != client_id) {
        return Err(OAuthError::invalid_request("client_id differs from the authorization header"));
    }
    Ok(Some(Credentials { client_id, secret: Some(secret), basic: true }))
}

const UNREADABLE: OAuthError =
    OAuthError::new(ErrorCode::InvalidClient, "the authorization header is not valid Basic");

/// `Basic base64(form-encoded id ":" form-encoded secret)`, RFC 6749 section 2.3.1.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?)).filter(|(id, _)| !id.is_empty())
}

fn form_decoded(text: &str) -> Option<String> {
    let pair = format!("v={}", text.replace('&', "%26").replace('=', "%3D"));
    let (_, value) = form_urlencoded::parse(pair.as_bytes()).next()?;
    (!value.contains('\u{fffd}')).then(|| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(body: &str) -> Form {
        Form::parse(Some("application/x-www-form-urlencoded"), body.as_bytes()).expect("a form")
    }

    fn header(pair: &str) -> String {
        format!("bAsIc {}", STANDARD.encode(pair))
    }

    #[test]
    fn c3_basic_is_case_insensitive_and_form_decoded() {
        let found = credentials(Some(&header("my%20app:a%3Ab+c=")), &form(""));
        let found = found.expect("readable").expect("credentials");
        assert_eq!((found.client_id.as_str(), found.secret.as_deref()), ("my app", Some("a:b c=")));
    }

    #[test]
    fn c3_two_methods_at_once_are_refused() {
        let both = credentials(Some(&header("a:b")), &form("client_id=a&client_secret=b"));
        assert_eq!(both.err().expect("an error").code, ErrorCode::InvalidRequest);
        let other = credentials(Some(&header("a:b")), &form("client_id=c"));
        assert_eq!(other.err().expect("an error").code, ErrorCode::InvalidRequest);
    }

    #[test]
    fn c4_an_unreadable_header_is_invalid_client() {
        for text in ["Basic", "Basic %%%", "Bearer abc", "Basic YWJj", "Basic Ong="] {
            let refused = credentials(Some(text), &form("")).err().expect("an error");
            assert_eq!(refused.code, ErrorCode::InvalidClient, "{text}");
        }
    }

    #[test]
    fn a_public_client_has_no_secret() {
        let found = credentials(None, &form("client_id=web")).expect("readable").expect("some");
        assert_eq!((found.client_id.as_str(), found.secret), ("web", None));
        assert!(credentials(None, &form("")).expect("readable").is_none());
    }
}
