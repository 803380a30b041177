//! What a client tells of itself: the metadata of RFC 7591 section 2, sent to the registration endpoint
//! or published as a client id metadata document (draft-ietf-oauth-client-id-metadata-document).
//!
//! All of it is the word of a stranger. What we do not serve is left out, as RFC 7591 section 2 has it,
//! and told back at registration; what would be unsafe or could not work is refused.

use serde_json::{Map, Value};

use crate::client_auth::AuthMethod;
use crate::client_keys::ClientKeys;
use crate::redirect::acceptable;
use crate::resource::Site;
use crate::{ErrorCode, OAuthError, scope};

/// A document is no longer, in bytes: what the draft recommends to read of one.
pub const MAX_DOCUMENT: usize = 5 * 1024;
/// A registration is no longer, in bytes: it may have several keys in it.
const MAX_REGISTRATION: usize = 16 * 1024;
/// Redirect URIs of one client.
const MAX_REDIRECTS: usize = 32;
/// A redirect URI, and any other address of a client, is no longer.
const MAX_URI: usize = 1024;
/// Letters of a name for people. More would not fit beside the question that they are asked.
const MAX_NAME: usize = 80;
/// The grants that a stranger's client may have: those that a person has agreed to.
const GRANTS: [&str; 2] = ["authorization_code", "refresh_token"];
/// What of a registration only we say.
const OURS: [&str; 5] = [
    "client_secret",
    "client_secret_expires_at",
    "client_id_issued_at",
    "registration_access_token",
    "registration_client_uri",
];

/// What a client may be told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientMetadata {
    /// Where an authorization answer may go; at least one.
    pub redirect_uris: Vec<String>,
    /// The one way in which it authenticates.
    pub auth_method: AuthMethod,
    /// Its grants, of those that it may have.
    pub grant_types: Vec<String>,
    /// Its name, without what would mislead the person who reads it.
    pub name: Option<String>,
    /// Its page for people.
    pub client_uri: Option<String>,
    /// Its logo.
    pub logo_uri: Option<String>,
    /// The scopes that it may ask for, of those that it may have.
    pub scopes: Vec<String>,
    /// Its keys, if they are here and it authenticates by them.
    pub jwks: Option<Value>,
    /// Where they are, if they are elsewhere.
    pub jwks_uri: Option<String>,
    /// Whether all its tokens are to be bound to a key, RFC 9449 section 5.2.
    pub dpop_bound: bool,
    /// The software that it is an installation of.
    pub software_id: Option<String>,
}

impl ClientMetadata {
    /// Read a registration, RFC 7591 section 3.1.
    ///
    /// # Errors
    /// `invalid_redirect_uri` or `invalid_client_metadata`, RFC 7591 section 3.2.2.
    pub fn registration(text: &[u8]) -> Result<Self, OAuthError> {
        Self::read(&members(text, MAX_REGISTRATION)?, AuthMethod::ClientSecretBasic)
    }

    /// Read the change of a registration, RFC 7592 section 2.2, which names the client that it is of
    /// and nothing that only we say.
    ///
    /// # Errors
    /// As of [`registration`](Self::registration).
    pub fn change(text: &[u8], client_id: &str) -> Result<Self, OAuthError> {
        let members = members(text, MAX_REGISTRATION)?;
        if text_of(&members, "client_id")? != Some(client_id) {
            return Err(invalid("client_id must be that of the registration"));
        }
        if OURS.iter().any(|name| members.contains_key(*name)) {
            return Err(invalid("a member is not for the client to say"));
        }
        Self::read(&members, AuthMethod::ClientSecretBasic)
    }

    /// Read the document at `url`: it names itself and itself only, has no secret, as everybody reads
    /// it, and has a name for people.
    ///
    /// # Errors
    /// As of [`registration`](Self::registration).
    pub fn document(text: &[u8], url: &str) -> Result<Self, OAuthError> {
        let members = members(text, MAX_DOCUMENT)?;
        if text_of(&members, "client_id")? != Some(url) {
            return Err(invalid("client_id must be the address of the document"));
        }
        if OURS.iter().any(|name| members.contains_key(*name)) {
            return Err(invalid("a document has no secret and is no registration"));
        }
        let metadata = Self::read(&members, AuthMethod::None)?;
        if !matches!(metadata.auth_method, AuthMethod::None | AuthMethod::PrivateKeyJwt) {
            return Err(invalid("a document is no place for a secret"));
        }
        if metadata.name.is_none() {
            return Err(invalid("client_name must be there"));
        }
        Ok(metadata)
    }

    fn read(members: &Map<String, Value>, usual: AuthMethod) -> Result<Self, OAuthError> {
        let auth_method = match text_of(members, "token_endpoint_auth_method")? {
            None => usual,
            Some(name) => AuthMethod::parse(name)
                .ok_or(invalid("token_endpoint_auth_method is none that is served here"))?,
        };
        let responses = texts_of(members, "response_types")?;
        if !responses.is_none_or(|all| all.contains(&"code")) {
            return Err(invalid("response_types must have code"));
        }
        let (jwks, jwks_uri) = keys(members, auth_method)?;
        Ok(Self {
            redirect_uris: redirect_uris(members)?,
            auth_method,
            grant_types: grant_types(members)?,
            name: text_of(members, "client_name")?.and_then(clean),
            client_uri: shown(members, "client_uri")?,
            logo_uri: shown(members, "logo_uri")?,
            scopes: scopes(members)?,
            jwks,
            jwks_uri,
            dpop_bound: flag(members, "dpop_bound_access_tokens")?,
            software_id: text_of(members, "software_id")?.and_then(clean),
        })
    }
}

/// A text of a stranger as a person may read it: in one line, without what is invisible, turns the
/// direction of writing around, or looks different everywhere; no longer than a name. `None` if nothing
/// is left.
pub fn clean(text: &str) -> Option<String> {
    let mut cleaned = String::new();
    for word in text.split_whitespace() {
        let before = cleaned.len();
        cleaned.extend(word.chars().filter(|letter| !is_misleading(*letter)));
        if cleaned.len() > before {
            cleaned.push(' ');
        }
    }
    let cut: String = cleaned.chars().take(MAX_NAME).collect();
    let cut = cut.trim_end();
    (!cut.is_empty()).then(|| cut.to_owned())
}

/// Control and format characters, fillers and those of private use.
fn is_misleading(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{e000}'..='\u{f8ff}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{ffff}'
                | '\u{e0000}'..='\u{10ffff}'
        )
}

fn members(text: &[u8], longest: usize) -> Result<Map<String, Value>, OAuthError> {
    if text.len() > longest {
        return Err(invalid("the metadata is too long"));
    }
    serde_json::from_slice(text).map_err(|_| invalid("the metadata is no JSON object"))
}

/// A member that is a text; absent, null and empty are the same.
fn text_of<'m>(members: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, OAuthError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(invalid("a member that should be a text is none")),
    }
}

fn texts_of<'m>(
    members: &'m Map<String, Value>,
    name: &str,
) -> Result<Option<Vec<&'m str>>, OAuthError> {
    let refuse = || invalid("a member that should be a list of texts is none");
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(all)) => {
            let texts: Option<Vec<_>> = all.iter().map(Value::as_str).collect();
            texts.map(Some).ok_or_else(refuse)
        }
        Some(_) => Err(refuse()),
    }
}

fn flag(members: &Map<String, Value>, name: &str) -> Result<bool, OAuthError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(invalid("a member that should be true or false is neither")),
    }
}

fn redirect_uris(members: &Map<String, Value>) -> Result<Vec<String>, OAuthError> {
    let refuse = |description| OAuthError::new(ErrorCode::InvalidRedirectUri, description);
    let Ok(Some(uris)) = texts_of(members, "redirect_uris") else {
        return Err(refuse("redirect_uris must be a list of texts"));
    };
    if !(1..=MAX_REDIRECTS).contains(&uris.len()) {
        return Err(refuse("redirect_uris must be at least one, and not too many"));
    }
    if !uris.iter().all(|uri| uri.len() <= MAX_URI && acceptable(uri) && is_plain(uri)) {
        return Err(refuse(
            "a redirect URI must be https, http on the person's own device or of an app's own scheme, \
             without fragment, user information, wildcards and encoded delimiters",
        ));
    }
    let mut known: Vec<String> = Vec::new();
    for uri in uris {
        if !known.iter().any(|other| other == uri) {
            known.push(uri.to_owned());
        }
    }
    Ok(known)
}

/// Whether a redirect URI leads where it says: a wildcard, user information, a dot segment or a delimiter
/// in disguise means another place to somebody on the way.
fn is_plain(uri: &str) -> bool {
    let path = uri.split('?').next().unwrap_or_default();
    let authority = path.split("//").nth(1).unwrap_or_default().split('/').next();
    let encoded = |code: &str| path.to_ascii_lowercase().contains(code);
    !uri.contains('*')
        && !authority.is_some_and(|authority| authority.contains('@'))
        && !["%2f", "%5c", "%2e"].into_iter().any(encoded)
        && !path.split('/').any(|segment| matches!(segment, "." | ".."))
}

fn grant_types(members: &Map<String, Value>) -> Result<Vec<String>, OAuthError> {
    let asked = texts_of(members, "grant_types")?.unwrap_or(vec!["authorization_code"]);
    if !asked.contains(&"authorization_code") {
        return Err(invalid("grant_types must have authorization_code"));
    }
    let served = GRANTS.iter().filter(|grant| asked.contains(grant));
    Ok(served.map(|grant| (*grant).to_owned()).collect())
}

/// Those that it asks for and may have. One that names none of ours does not know them, and may ask for
/// all that a stranger's client may have.
fn scopes(members: &Map<String, Value>) -> Result<Vec<String>, OAuthError> {
    let all = || scope::THIRD_PARTY.map(str::to_owned).to_vec();
    let Some(text) = text_of(members, "scope")? else { return Ok(all()) };
    let asked = scope::parse(text).map_err(|_| invalid("scope is malformed"))?;
    let served: Vec<String> =
        asked.into_iter().filter(|name| scope::THIRD_PARTY.contains(&name.as_str())).collect();
    Ok(if served.is_empty() { all() } else { served })
}

type Keys = (Option<Value>, Option<String>);

/// The keys of a client that authenticates by them, here or elsewhere; of no other.
fn keys(members: &Map<String, Value>, method: AuthMethod) -> Result<Keys, OAuthError> {
    let here = members.get("jwks").filter(|keys| !keys.is_null());
    // Which hosts may be asked is for whoever asks them.
    let elsewhere = text_of(members, "jwks_uri")?;
    if !elsewhere.is_none_or(is_web) {
        return Err(invalid("jwks_uri must be an https URL"));
    }
    if here.is_some() && elsewhere.is_some() {
        return Err(invalid("jwks and jwks_uri exclude each other"));
    }
    if let Some(keys) = here {
        ClientKeys::parse(keys).map_err(invalid)?;
    }
    match method {
        AuthMethod::PrivateKeyJwt if here.is_none() && elsewhere.is_none() => {
            Err(invalid("private_key_jwt needs jwks or jwks_uri"))
        }
        AuthMethod::PrivateKeyJwt => Ok((here.cloned(), elsewhere.map(str::to_owned))),
        _ => Ok((None, None)),
    }
}

/// An address that a person may be shown. Another one than of https is left out: it makes no client
/// unsafe that nobody sees it.
fn shown(members: &Map<String, Value>, name: &str) -> Result<Option<String>, OAuthError> {
    let text = text_of(members, name)?;
    Ok(text.filter(|text| text.starts_with("https://") && is_web(text)).map(str::to_owned))
}

fn is_web(text: &str) -> bool {
    text.len() <= MAX_URI && acceptable(text) && Site::parse(text).is_some()
}

const fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, description)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::base64url;

    const URL: &str = "https://app.example/client.json";

    fn minimal() -> Value {
        json!({ "redirect_uris": ["https://app.example/cb"], "client_name": "App" })
    }

    fn with(name: &str, value: impl Into<Value>) -> Value {
        let mut metadata = minimal();
        metadata[name] = value.into();
        metadata
    }

    fn registered(metadata: &Value) -> Result<ClientMetadata, ErrorCode> {
        ClientMetadata::registration(metadata.to_string().as_bytes()).map_err(|error| error.code)
    }

    fn published(metadata: &Value) -> Result<ClientMetadata, ErrorCode> {
        ClientMetadata::document(metadata.to_string().as_bytes(), URL).map_err(|error| error.code)
    }

    fn document() -> Value {
        with("client_id", URL)
    }

    fn key() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(&[1; 32]) })
    }

    const INVALID: Result<ClientMetadata, ErrorCode> = Err(ErrorCode::InvalidClientMetadata);

    #[test]
    fn m11_what_is_left_out_is_as_the_rfc_has_it() {
        let read = registered(&json!({ "redirect_uris": ["https://app.example/cb"] })).unwrap();
        assert_eq!(read.auth_method, AuthMethod::ClientSecretBasic);
        assert_eq!(read.grant_types, ["authorization_code"]);
        assert_eq!(read.scopes, scope::THIRD_PARTY);
        assert_eq!((read.name, read.dpop_bound), (None, false));
        for empty in [json!(null), json!("")] {
            assert!(registered(&with("client_uri", empty.clone())).is_ok(), "{empty}");
        }
    }

    #[test]
    fn m11_what_is_not_served_is_left_out_and_what_cannot_work_is_refused() {
        let all = json!(["implicit", "refresh_token", "authorization_code", "client_credentials"]);
        let read = registered(&with("grant_types", all)).unwrap();
        assert_eq!(read.grant_types, ["authorization_code", "refresh_token"]);
        assert_eq!(registered(&with("grant_types", json!(["client_credentials"]))), INVALID);
        assert_eq!(registered(&with("response_types", json!(["token"]))), INVALID);
        let read =
            registered(&with("scope", "sessions:write atoms:workspace.read openid")).unwrap();
        assert_eq!(read.scopes, ["atoms:workspace.read"], "what is ours is not for strangers");
        let read = registered(&with("scope", "openid sessions:write")).unwrap();
        assert_eq!(read.scopes, scope::THIRD_PARTY);
        for (name, value) in [
            ("token_endpoint_auth_method", json!("client_secret_jwt")),
            ("token_endpoint_auth_method", json!("tls_client_auth")),
            ("token_endpoint_auth_method", json!(7)),
            ("scope", json!("a\"b")),
            ("scope", json!(["a"])),
            ("client_name", json!(["a"])),
            ("dpop_bound_access_tokens", json!("true")),
            ("grant_types", json!("authorization_code")),
            ("grant_types", json!([1])),
        ] {
            assert_eq!(registered(&with(name, value.clone())), INVALID, "{name} {value}");
        }
        for text in ["", "[]", "null", "{", "{}x"] {
            assert!(ClientMetadata::registration(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(registered(&with("x", "x".repeat(MAX_REGISTRATION))), INVALID);
    }

    #[test]
    fn m11_redirect_uris_lead_where_they_say() {
        for fine in [
            "https://app.example/cb",
            "https://app.example:8443/cb?next=%2Fhome",
            "http://127.0.0.1/callback",
            "http://localhost:3118/callback",
            "http://[::1]:1/",
            "com.example.app:/cb",
            "com.example.app://auth/cb",
            "cursor://anysphere.cursor-mcp/oauth/callback",
        ] {
            let read = registered(&with("redirect_uris", json!([fine, fine])));
            assert_eq!(read.map(|read| read.redirect_uris), Ok(vec![fine.to_owned()]), "{fine}");
        }
        for bad in [
            "",
            "/cb",
            "app.example/cb",
            "http://app.example/cb",
            "https://app.example/cb#part",
            "https://app.example/cb#",
            "https://user@app.example/cb",
            "https://app.example@evil.example/cb",
            "https://app.example%2f@evil.example/cb",
            "https://*.example/cb",
            "https://app.example/*",
            "https://app.example/a/../cb",
            "https://app.example/./cb",
            "https://app.example/%2e%2e/cb",
            "https://app.example/a%2Fcb",
            "https://app.example/a%5ccb",
            "https://app.example\\@evil.example/cb",
            "https://app.example/cb\nx",
            "https://app.example/cb x",
            "https:///cb",
            "http://localhost.evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.1/cb",
            "http://2130706433/cb",
            "http://[::ffff:127.0.0.1]/cb",
            "http://localhost@evil.example/cb",
            "http://10.0.0.1/cb",
            "javascript:alert(1)",
            "javascript://app.example/%0aalert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "myapp:/cb",
            "cursor://user@host/cb",
            "urn:ietf:wg:oauth:2.0:oob",
        ] {
            for uris in [json!([bad]), json!(["https://app.example/cb", bad])] {
                let read = registered(&with("redirect_uris", uris));
                assert_eq!(read, Err(ErrorCode::InvalidRedirectUri), "{bad}");
            }
        }
        let many = vec!["https://app.example/cb"; MAX_REDIRECTS + 1];
        for uris in
            [json!([]), json!(null), json!("https://app.example/cb"), json!([1]), json!(many)]
        {
            let read = registered(&with("redirect_uris", uris.clone()));
            assert_eq!(read, Err(ErrorCode::InvalidRedirectUri), "{uris}");
        }
    }

    #[test]
    fn names_are_what_a_person_can_read() {
        for (name, cleaned) in [
            ("Claude", Some("Claude")),
            ("  Two\n\twords ", Some("Two words")),
            ("\u{202e}evil\u{202c} app", Some("evil app")),
            ("Cl\u{200b}au\u{ad}de\u{0}", Some("Claude")),
            ("a\u{2066}b\u{e0041}c\u{feff}", Some("abc")),
            ("Größe 漢字 عربي", Some("Größe 漢字 عربي")),
            ("<b>bold</b>", Some("<b>bold</b>")),
            ("\u{200b} \u{3164}\u{2800}", None),
            ("", None),
        ] {
            assert_eq!(clean(name).as_deref(), cleaned, "{name:?}");
        }
        assert_eq!(clean(&"é".repeat(500)).map(|name| name.chars().count()), Some(MAX_NAME));
    }

    #[test]
    fn what_a_person_is_shown_is_of_the_web_or_not_shown() {
        for bad in ["http://app.example", "javascript:alert(1)", "https://u@app.example", "x"] {
            let read = registered(&with("logo_uri", bad)).unwrap();
            assert_eq!(read.logo_uri, None, "{bad}");
        }
        let read = registered(&with("client_uri", "https://app.example/about")).unwrap();
        assert_eq!(read.client_uri.as_deref(), Some("https://app.example/about"));
        assert_eq!(registered(&with("client_uri", 7)), INVALID);
    }

    #[test]
    fn keys_are_here_or_elsewhere_and_for_one_purpose() {
        let by_key = |more: Value| {
            let mut metadata = with("token_endpoint_auth_method", "private_key_jwt");
            for (name, value) in more.as_object().expect("an object") {
                metadata[name] = value.clone();
            }
            registered(&metadata)
        };
        let (set, elsewhere) = (json!({ "keys": [key()] }), "https://app.example/jwks.json");
        assert_eq!(by_key(json!({ "jwks": set })).unwrap().jwks, Some(set.clone()));
        let read = by_key(json!({ "jwks_uri": elsewhere, "jwks": null })).unwrap();
        assert_eq!(read.jwks_uri.as_deref(), Some(elsewhere));
        assert_eq!(by_key(json!({})), INVALID);
        assert_eq!(by_key(json!({ "jwks": set, "jwks_uri": elsewhere })), INVALID);
        let mut private = key();
        private["d"] = "c2VjcmV0".into();
        for bad in [json!({ "keys": [private] }), json!({ "keys": [] }), json!([]), json!("x")] {
            assert_eq!(by_key(json!({ "jwks": bad })), INVALID, "{bad}");
        }
        for bad in ["http://app.example/jwks", "https://u@app.example/jwks", "file:///jwks", "x#y"]
        {
            assert_eq!(by_key(json!({ "jwks_uri": bad })), INVALID, "{bad}");
        }
        let mut unused = with("token_endpoint_auth_method", "none");
        unused["jwks"] = set;
        assert_eq!(registered(&unused).unwrap().jwks, None);
    }

    #[test]
    fn m10_a_document_names_itself() {
        let read = published(&document()).unwrap();
        assert_eq!((read.auth_method, read.name.as_deref()), (AuthMethod::None, Some("App")));
        for other in [
            json!("https://app.example/client.json/"),
            json!("https://app.example/client.json?x"),
            json!("https://APP.example/client.json"),
            json!("https://evil.example/client.json"),
            json!(null),
            json!([URL]),
        ] {
            assert_eq!(published(&with("client_id", other.clone())), INVALID, "{other}");
        }
        assert_eq!(published(&minimal()), INVALID);
        let mut nameless = document();
        for name in [json!(null), json!("\u{200b}")] {
            nameless["client_name"] = name;
            assert_eq!(published(&nameless), INVALID);
        }
    }

    #[test]
    fn m10_a_document_has_no_secret() {
        let mut document = document();
        for method in ["client_secret_basic", "client_secret_post", "client_secret_jwt"] {
            document["token_endpoint_auth_method"] = method.into();
            assert_eq!(published(&document), INVALID, "{method}");
        }
        document["token_endpoint_auth_method"] = "private_key_jwt".into();
        document["jwks"] = json!({ "keys": [key()] });
        assert!(published(&document).is_ok());
        for name in OURS {
            let mut secret = document.clone();
            secret[name] = json!(null);
            assert_eq!(published(&secret), INVALID, "{name}");
        }
        let mut long = document;
        long["x"] = "x".repeat(MAX_DOCUMENT).into();
        assert_eq!(published(&long), INVALID);
    }

    #[test]
    fn m11_a_change_is_of_the_client_s_own_registration() {
        let change = |metadata: &Value| {
            let changed = ClientMetadata::change(metadata.to_string().as_bytes(), "me");
            changed.map_err(|error| error.code)
        };
        assert!(change(&with("client_id", "me")).is_ok());
        assert_eq!(change(&minimal()), INVALID);
        assert_eq!(change(&with("client_id", "other")), INVALID);
        for name in OURS {
            let mut metadata = with("client_id", "me");
            metadata[name] = "x".into();
            assert_eq!(change(&metadata), INVALID, "{name}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_cleaned_is_clean(name in any::<String>()) {
            if let Some(cleaned) = clean(&name) {
                prop_assert!(!cleaned.is_empty() && cleaned.chars().count() <= MAX_NAME);
                prop_assert!(!cleaned.chars().any(is_misleading));
                prop_assert_eq!(clean(&cleaned), Some(cleaned.clone()));
            }
        }
    }
}
