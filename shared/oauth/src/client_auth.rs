//! How clients say who they are: RFC 6749 section 2.3, RFC 7521 section 4.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::client_assertion::{Assertion, TYPE};
use crate::form::Form;
use crate::{ErrorCode, OAuthError};

/// A `token_endpoint_auth_method`, RFC 7591 section 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// A public client says its name.
    None,
    /// A secret in the `Authorization` header.
    ClientSecretBasic,
    /// A secret in the form.
    ClientSecretPost,
    /// A text signed by its key, OpenID Connect Core section 9.
    PrivateKeyJwt,
}

impl AuthMethod {
    /// All that are served here.
    pub const ALL: [Self; 4] =
        [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt];

    /// Its registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Whether it takes a secret that both sides know.
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// What a request says about its client; nothing has been verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The client's id.
    pub client_id: String,
    /// How it would prove that it is the one.
    pub method: AuthMethod,
    /// Its secret or what it has signed; empty for public clients.
    pub proof: String,
}

impl Credentials {
    fn new(client_id: &str, method: AuthMethod, proof: &str) -> Self {
        Self { client_id: client_id.to_owned(), method, proof: proof.to_owned() }
    }
}

/// Read the credentials of a request: `client_secret_basic`, `client_secret_post`, `private_key_jwt`, or
/// the bare `client_id` of a public client. `None` if there are none.
///
/// # Errors
/// `invalid_request` for two methods at once, `invalid_client` for an unreadable header or assertion.
pub fn credentials(
    authorization: Option<&str>,
    form: &Form,
) -> Result<Option<Credentials>, OAuthError> {
    let posted = form.get("client_id");
    let posted_secret = form.get("client_secret");
    if let Some(text) = assertion(form)? {
        if authorization.is_some() || posted_secret.is_some() {
            return Err(TWO_METHODS);
        }
        let read = Assertion::parse(text).ok_or(NO_ASSERTION)?;
        let id = read.client_id().ok_or(NO_ASSERTION)?;
        if posted.is_some_and(|posted| posted != id) {
            return Err(OAuthError::invalid_request("client_id differs from the assertion"));
        }
        return Ok(Some(Credentials::new(id, AuthMethod::PrivateKeyJwt, text)));
    }
    let Some(header) = authorization else {
        return match (posted, posted_secret) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(OAuthError::invalid_request("client_id is missing")),
            (Some(id), None) => Ok(Some(Credentials::new(id, AuthMethod::None, ""))),
            (Some(id), Some(secret)) => {
                Ok(Some(Credentials::new(id, AuthMethod::ClientSecretPost, secret)))
            }
        };
    };
    let (client_id, secret) = basic(header).ok_or(UNREADABLE)?;
    if posted_secret.is_some() {
        return Err(TWO_METHODS);
    }
    if posted.is_some_and(|posted| posted != client_id) {
        return Err(OAuthError::invalid_request("client_id differs from the authorization header"));
    }
    Ok(Some(Credentials::new(&client_id, AuthMethod::ClientSecretBasic, &secret)))
}

/// The `client_assertion` of a form, RFC 7521 section 4.2.
fn assertion(form: &Form) -> Result<Option<&str>, OAuthError> {
    match (form.get("client_assertion_type"), form.get("client_assertion")) {
        (None, None) => Ok(None),
        (Some(TYPE), Some(text)) => Ok(Some(text)),
        (Some(_), Some(_)) => Err(NO_ASSERTION),
        _ => Err(OAuthError::invalid_request("half of a client assertion is missing")),
    }
}

const TWO_METHODS: OAuthError =
    OAuthError::invalid_request("two client authentication methods at once");

const NO_ASSERTION: OAuthError =
    OAuthError::new(ErrorCode::InvalidClient, "the client assertion is none that is read here");

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
        assert_eq!((found.client_id.as_str(), found.proof.as_str()), ("my app", "a:b c="));
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
        assert_eq!((found.client_id.as_str(), found.method), ("web", AuthMethod::None));
        assert!(credentials(None, &form("")).expect("readable").is_none());
    }

    /// Nothing of it is verified here.
    fn assertion(iss: &str, sub: &str) -> String {
        let claims =
            serde_json::json!({ "iss": iss, "sub": sub, "aud": "x", "exp": 1, "jti": "1" });
        let part = |text: &str| crate::base64url(text.as_bytes());
        format!("{}.{}.AA", part(r#"{"alg":"EdDSA"}"#), part(&claims.to_string()))
    }

    const TYPED: &str =
        "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    fn code(authorization: Option<&str>, body: &str) -> Option<ErrorCode> {
        credentials(authorization, &form(body)).err().map(|error| error.code)
    }

    #[test]
    fn c3_an_assertion_says_whose_it_is() {
        let text = assertion("app", "app");
        for id in ["", "&client_id=app"] {
            let form = form(&format!("{TYPED}&client_assertion={text}{id}"));
            let found = credentials(None, &form).expect("readable").expect("some");
            assert_eq!(
                (found.client_id.as_str(), found.method),
                ("app", AuthMethod::PrivateKeyJwt)
            );
            assert_eq!(found.proof, text);
        }
        let other = format!("{TYPED}&client_assertion={text}&client_id=other");
        assert_eq!(code(None, &other), Some(ErrorCode::InvalidRequest));
    }

    #[test]
    fn c3_an_assertion_and_a_secret_are_two_methods() {
        let text = assertion("app", "app");
        let body = format!("{TYPED}&client_assertion={text}");
        assert_eq!(code(Some(&header("app:x")), &body), Some(ErrorCode::InvalidRequest));
        let both = format!("{body}&client_id=app&client_secret=x");
        assert_eq!(code(None, &both), Some(ErrorCode::InvalidRequest));
        for half in [TYPED, &format!("client_assertion={text}")] {
            assert_eq!(code(None, half), Some(ErrorCode::InvalidRequest), "{half}");
        }
    }

    #[test]
    fn c4_what_is_no_assertion_is_invalid_client() {
        let saml = "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
        let text = assertion("app", "app");
        assert_eq!(
            code(None, &format!("{saml}&client_assertion={text}")),
            Some(ErrorCode::InvalidClient)
        );
        for text in ["x", "a.b.c", &assertion("app", "other"), &assertion("", "")] {
            let body = format!("{TYPED}&client_assertion={text}&client_id=app");
            assert_eq!(code(None, &body), Some(ErrorCode::InvalidClient), "{text}");
        }
    }

    #[test]
    fn methods_have_their_registered_names() {
        for method in AuthMethod::ALL {
            assert_eq!(AuthMethod::parse(method.as_str()), Some(method));
        }
        for name in ["", "client_secret_jwt", "None", "tls_client_auth"] {
            assert_eq!(AuthMethod::parse(name), None, "{name}");
        }
    }
}
