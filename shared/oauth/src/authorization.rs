//! Authorization requests: RFC 6749 section 4.1.1 as OAuth 2.1 has it (codes alone, PKCE always), with
//! resource indicators (RFC 8707), the issuer in every answer (RFC 9207), `prompt` (OpenID Connect Core
//! section 3.1.2.1) and the key of a code (RFC 9449 section 10).
//!
//! A request is read in two steps: first [`Target`], of which the caller has to find that the redirect
//! URI is the client's, then the rest, whose errors go there.

use serde::{Deserialize, Serialize};

use crate::form::{Form, encode};
use crate::resource::Resources;
use crate::{ErrorCode, OAuthError, from_base64url, pkce, scope};

/// The one `response_type`.
pub const RESPONSE_TYPE: &str = "code";
/// The one `response_mode`.
pub const RESPONSE_MODE: &str = "query";
/// The values of `prompt`.
pub const PROMPTS: [&str; 4] = ["none", "login", "consent", "select_account"];

/// A longer `state` is refused: it travels with the person, in URLs.
const MAX_STATE: usize = 1024;
/// No address for signing in is longer.
const MAX_HINT: usize = 320;
/// What must never be in a URL: logs, histories and other sites get to see it there (RFC 9700 section
/// 4.3.2, RFC 6750 section 5.3).
const SECRETS: [&str; 9] = [
    "access_token",
    "refresh_token",
    "subject_token",
    "actor_token",
    "token",
    "client_secret",
    "client_assertion",
    "code",
    "code_verifier",
];

/// Whose request it is, and where its answer goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The client.
    pub client_id: String,
    /// One of its redirect URIs.
    pub redirect_uri: String,
    /// What it wants back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// What a client is registered for.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'t> {
    /// Scopes that it may ask for.
    pub scopes: &'t [String],
    /// Whether it is ours, and so may have tokens for the issuer without asking for them by name.
    pub first_party: bool,
    /// The resources of the deployment.
    pub resources: &'t Resources,
}

/// A request that has been read and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Whose it is, and where its answer goes.
    pub target: Target,
    /// The challenge of `S256`, RFC 7636 section 4.3.
    pub code_challenge: String,
    /// Asked for, or the client's usual ones.
    pub scopes: Vec<String>,
    /// Asked for, or the usual ones, in canonical form.
    pub resources: Vec<String>,
    /// What the person is to be asked.
    #[serde(default)]
    pub prompt: Prompt,
    /// The thumbprint of the key that the code is for, `dpop_jkt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who the client thinks will sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
}

/// What the person is to be asked, if it is not what is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Prompt {
    /// Nothing at all.
    pub none: bool,
    /// To sign in, whoever is signed in: `login`, and `select_account`, as accounts are chosen there.
    pub sign_in: bool,
    /// To agree, whatever was agreed before.
    pub consent: bool,
}

/// Who is signed in, in the browser that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Nobody.
    Nobody,
    /// Somebody who has signed in earlier.
    Earlier,
    /// Somebody who has signed in for this very request.
    Now,
}

/// How the person stands to what the client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// They have agreed, or need not be asked.
    Given,
    /// They have agreed before, which is not enough for this client.
    Again,
    /// They have never agreed to all of it.
    Missing,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The person signs in.
    SignIn,
    /// They are asked.
    Ask,
    /// The client gets its code.
    Issue,
    /// The client gets an error.
    Refuse(OAuthError),
}

impl Target {
    /// Of the parameters of a client's request. Whether the redirect URI is one of the client's must be
    /// asked before anything is sent there.
    ///
    /// # Errors
    /// What is wrong, for the person who sees it.
    pub fn read(client_id: &str, form: &Form) -> Result<Self, OAuthError> {
        if form.get("redirect_uri").is_none() && form.get("request").is_some() {
            return Err(REQUEST_OBJECT);
        }
        let redirect_uri = form.require("redirect_uri", "redirect_uri is missing")?;
        let state = form.get("state");
        let legible = |state: &str| state.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        if state.is_some_and(|state| state.len() > MAX_STATE || !legible(state)) {
            return Err(OAuthError::invalid_request("state is too long or has invalid characters"));
        }
        Ok(Self {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            state: state.map(str::to_owned),
        })
    }

    /// The address of a successful answer, RFC 6749 section 4.1.2.
    pub fn success(&self, issuer: &str, code: &str) -> String {
        self.answer(issuer, &[("code", code)])
    }

    /// The address of an error, RFC 6749 section 4.1.2.1.
    pub fn refusal(&self, issuer: &str, error: &OAuthError) -> String {
        let told = [("error", error.code.as_str()), ("error_description", error.description)];
        self.answer(issuer, &told)
    }

    /// Every answer names its issuer, RFC 9207 section 2: a client of several servers must be able to
    /// tell whose answer it is.
    fn answer(&self, issuer: &str, told: &[(&str, &str)]) -> String {
        let state = self.state.iter().map(|state| ("state", state.as_str()));
        let all: Vec<_> = told.iter().copied().chain([("iss", issuer)]).chain(state).collect();
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.redirect_uri, encode(&all))
    }
}

impl AuthorizationRequest {
    /// Read the rest of a request.
    ///
    /// # Errors
    /// What is wrong, for the client.
    pub fn parse(form: &Form, target: Target, terms: Terms<'_>) -> Result<Self, OAuthError> {
        if form.get("request").is_some() {
            return Err(REQUEST_OBJECT);
        }
        if form.require("response_type", "response_type is missing")? != RESPONSE_TYPE {
            let told = "only response_type=code is served";
            return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, told));
        }
        if form.get("response_mode").is_some_and(|mode| mode != RESPONSE_MODE) {
            return Err(OAuthError::invalid_request("only response_mode=query is served"));
        }
        let login_hint = form.get("login_hint").filter(|hint| hint.len() <= MAX_HINT);
        Ok(Self {
            code_challenge: challenge(form)?,
            scopes: scopes(form, terms)?,
            resources: resources(form, terms)?,
            prompt: Prompt::parse(form.get("prompt"))?,
            key: key(form)?,
            login_hint: login_hint.map(str::to_owned),
            target,
        })
    }

    /// What comes before the person can be asked; `None` if nothing does.
    pub fn first(&self, presence: Presence) -> Option<Step> {
        let again = self.prompt.sign_in && presence != Presence::Now;
        match (presence == Presence::Nobody || again, self.prompt.none) {
            (false, _) => None,
            (true, false) => Some(Step::SignIn),
            (true, true) => Some(Step::Refuse(LOGIN_REQUIRED)),
        }
    }

    /// What comes then.
    pub fn then(&self, consent: Consent) -> Step {
        match (consent, self.prompt.none) {
            (Consent::Given, _) if !self.prompt.consent => Step::Issue,
            (Consent::Missing, true) => Step::Refuse(CONSENT_REQUIRED),
            (_, true) => Step::Refuse(INTERACTION_REQUIRED),
            (_, false) => Step::Ask,
        }
    }
}

/// Nothing that is secret may be in a query.
///
/// # Errors
/// `invalid_request` if it is.
pub fn without_secrets(query: &Form) -> Result<(), OAuthError> {
    if query.names().any(|name| SECRETS.contains(&name)) {
        return Err(OAuthError::invalid_request(
            "a URL must not hold tokens, codes or secrets; whoever has seen it can use them",
        ));
    }
    Ok(())
}

impl Prompt {
    fn parse(text: Option<&str>) -> Result<Self, OAuthError> {
        let mut prompt = Self::default();
        for value in text.unwrap_or_default().split(' ').filter(|value| !value.is_empty()) {
            match value {
                "none" => prompt.none = true,
                "login" | "select_account" => prompt.sign_in = true,
                "consent" => prompt.consent = true,
                _ => return Err(OAuthError::invalid_request("prompt has an unknown value")),
            }
        }
        if prompt.none && (prompt.sign_in || prompt.consent) {
            return Err(OAuthError::invalid_request("prompt=none goes with nothing else"));
        }
        Ok(prompt)
    }
}

/// The challenge, which there must be: of all clients, as OAuth 2.1 section 7.5.2 has it.
fn challenge(form: &Form) -> Result<String, OAuthError> {
    let text = form.require("code_challenge", "code_challenge is missing: PKCE is required")?;
    // Without a method it would be `plain`, RFC 7636 section 4.3.
    if form.get("code_challenge_method") != Some(pkce::METHOD) {
        return Err(OAuthError::invalid_request("only code_challenge_method=S256 is served"));
    }
    if !pkce::is_challenge(text) {
        return Err(OAuthError::invalid_request("code_challenge is not that of S256"));
    }
    Ok(text.to_owned())
}

/// All scopes asked for must be the client's; by default all of its own, but for the one that lengthens a
/// session, which is asked for by name.
fn scopes(form: &Form, terms: Terms<'_>) -> Result<Vec<String>, OAuthError> {
    let Some(text) = form.get("scope") else {
        let usual = terms.scopes.iter().filter(|name| *name != scope::OFFLINE_ACCESS);
        let usual: Vec<String> = usual.cloned().collect();
        return if usual.is_empty() { Err(UNREGISTERED) } else { Ok(usual) };
    };
    let asked = scope::parse(text)?;
    if asked.iter().any(|name| !terms.scopes.contains(name)) {
        return Err(UNREGISTERED);
    }
    Ok(asked)
}

fn resources(form: &Form, terms: Terms<'_>) -> Result<Vec<String>, OAuthError> {
    let mut resources = Vec::new();
    for text in form.all("resource") {
        let resource = terms.resources.canonical(text)?;
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    if resources.is_empty() {
        if terms.first_party {
            resources.push(terms.resources.issuer().to_owned());
        }
        resources.push(terms.resources.mcp().to_owned());
    }
    Ok(resources)
}

/// A thumbprint of RFC 7638 by SHA-256.
fn key(form: &Form) -> Result<Option<String>, OAuthError> {
    let Some(text) = form.get("dpop_jkt") else { return Ok(None) };
    if from_base64url(text).is_none_or(|digest| digest.len() != 32) {
        return Err(OAuthError::invalid_request("dpop_jkt is not a thumbprint of SHA-256"));
    }
    Ok(Some(text.to_owned()))
}

const REQUEST_OBJECT: OAuthError = OAuthError::new(
    ErrorCode::RequestNotSupported,
    "request objects are not read; push the request instead (RFC 9126)",
);
const UNREGISTERED: OAuthError =
    OAuthError::new(ErrorCode::InvalidScope, "the client is not registered for the scope");
const LOGIN_REQUIRED: OAuthError =
    OAuthError::new(ErrorCode::LoginRequired, "nobody is signed in, or they must sign in again");
const CONSENT_REQUIRED: OAuthError =
    OAuthError::new(ErrorCode::ConsentRequired, "the person has not agreed to this yet");
const INTERACTION_REQUIRED: OAuthError =
    OAuthError::new(ErrorCode::InteractionRequired, "the person must be asked");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const ISSUER: &str = "https://edge.example";
    const GOOD: [(&str, &str); 6] = [
        ("client_id", "app"),
        ("redirect_uri", "https://client.example/cb"),
        ("response_type", "code"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "a b&c=d"),
    ];

    fn form(parameters: &[(&str, &str)]) -> Form {
        let query =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        Form::of_query(Some(&query)).expect("a form")
    }

    /// The good request with other or further parameters; an empty value omits one.
    fn with(changes: &[(&str, &str)]) -> Form {
        let kept = GOOD.iter().filter(|(name, _)| changes.iter().all(|(other, _)| other != name));
        form(&kept.chain(changes).copied().collect::<Vec<_>>())
    }

    fn read(form: &Form, first_party: bool) -> Result<AuthorizationRequest, OAuthError> {
        let scopes = ["atoms:workspace.read", "atoms:workspace.write", "offline_access"];
        let (scopes, resources) = (scopes.map(str::to_owned), Resources::of(ISSUER));
        let terms = Terms { scopes: &scopes, first_party, resources: &resources };
        AuthorizationRequest::parse(form, Target::read("app", form)?, terms)
    }

    fn refused(changes: &[(&str, &str)]) -> &'static str {
        read(&with(changes), false).map_err(|error| error.code.as_str()).expect_err("refused")
    }

    #[test]
    fn a_request_is_read_with_its_defaults() {
        let request = read(&with(&[]), false).expect("a request");
        assert_eq!(request.target.redirect_uri, "https://client.example/cb");
        assert_eq!(request.scopes, ["atoms:workspace.read", "atoms:workspace.write"]);
        assert_eq!(request.resources, ["https://edge.example/mcp"]);
        assert_eq!((request.prompt, request.key), (Prompt::default(), None));
        let ours = read(&with(&[]), true).expect("a request");
        assert_eq!(ours.resources, ["https://edge.example", "https://edge.example/mcp"]);
    }

    #[test]
    fn it_is_read_again_as_it_was_written() {
        let more = [("prompt", "login consent"), ("dpop_jkt", CHALLENGE), ("login_hint", "a@b")];
        let request = read(&with(&more), false).expect("a request");
        let text = serde_json::to_vec(&request).expect("JSON");
        assert_eq!(serde_json::from_slice::<AuthorizationRequest>(&text).ok(), Some(request));
    }

    #[test]
    fn m8_pkce_cannot_be_left_out_or_weakened() {
        for changes in [
            [("code_challenge", ""), ("code_challenge_method", "S256")],
            [("code_challenge", ""), ("code_challenge_method", "")],
            [("code_challenge", CHALLENGE), ("code_challenge_method", "plain")],
            [("code_challenge", CHALLENGE), ("code_challenge_method", "")],
            [("code_challenge", CHALLENGE), ("code_challenge_method", "s256")],
            [("code_challenge", CHALLENGE), ("code_challenge_method", "S512")],
            [("code_challenge", "abc"), ("code_challenge_method", "S256")],
        ] {
            assert_eq!(refused(&changes), "invalid_request", "{changes:?}");
        }
    }

    #[test]
    fn what_is_not_served_has_its_own_word() {
        for (change, code) in [
            (("response_type", ""), "invalid_request"),
            (("response_type", "token"), "unsupported_response_type"),
            (("response_type", "code id_token"), "unsupported_response_type"),
            (("response_type", "none"), "unsupported_response_type"),
            (("response_mode", "fragment"), "invalid_request"),
            (("response_mode", "form_post"), "invalid_request"),
            (("request", "e30."), "request_not_supported"),
            (("scope", "atoms:everything"), "invalid_scope"),
            (("scope", "atoms:workspace.read sessions:write"), "invalid_scope"),
            (("scope", " "), "invalid_scope"),
            (("resource", "https://other.example/mcp"), "invalid_target"),
            (("resource", "https://edge.example/mcp#x"), "invalid_target"),
            (("prompt", "none login"), "invalid_request"),
            (("prompt", "maybe"), "invalid_request"),
            (("dpop_jkt", "abc"), "invalid_request"),
        ] {
            assert_eq!(refused(&[change]), code, "{change:?}");
        }
        let alone = [("client_id", "app"), ("request", "e30.")];
        let told = Target::read("app", &form(&alone)).map_err(|error| error.code);
        assert_eq!(told, Err(ErrorCode::RequestNotSupported));
    }

    #[test]
    fn without_a_place_there_is_no_target() {
        for change in [
            ("redirect_uri", ""),
            ("state", "\r\n"),
            ("state", "é"),
            ("state", &"s".repeat(MAX_STATE + 1)),
        ] {
            let told = Target::read("app", &with(&[change])).map_err(|error| error.code);
            assert_eq!(told, Err(ErrorCode::InvalidRequest), "{change:?}");
        }
    }

    #[test]
    fn m6_what_is_secret_is_no_part_of_a_url() {
        assert_eq!(without_secrets(&with(&[])), Ok(()));
        for name in SECRETS {
            assert!(without_secrets(&with(&[(name, "x")])).is_err(), "{name}");
        }
    }

    #[test]
    fn m9_every_answer_tells_its_issuer_and_the_state() {
        let target = Target::read("app", &with(&[])).expect("a target");
        assert_eq!(
            target.success(ISSUER, "ac1_x"),
            "https://client.example/cb?code=ac1_x&iss=https%3A%2F%2Fedge.example&state=a+b%26c%3Dd"
        );
        let refusal = target.refusal(ISSUER, &LOGIN_REQUIRED);
        assert!(refusal.contains("?error=login_required&error_description=nobody+is+signed+in"));
        assert!(refusal.ends_with("&iss=https%3A%2F%2Fedge.example&state=a+b%26c%3Dd"));
        let changes = [("redirect_uri", "https://client.example/cb?a=b"), ("state", "")];
        let target = Target::read("app", &with(&changes)).expect("a target");
        assert_eq!(
            target.success(ISSUER, "x"),
            "https://client.example/cb?a=b&code=x&iss=https%3A%2F%2Fedge.example"
        );
    }

    fn asked(prompt: &str) -> AuthorizationRequest {
        read(&with(&[("prompt", prompt)]), false).expect("a request")
    }

    #[test]
    fn a_person_is_asked_for_what_is_missing() {
        use Presence::{Earlier, Nobody, Now};
        let sign_in = || Some(Step::SignIn);
        let refused = Some(Step::Refuse(LOGIN_REQUIRED));
        for (prompt, first) in [
            ("", [sign_in(), None, None]),
            ("consent", [sign_in(), None, None]),
            ("login", [sign_in(), sign_in(), None]),
            ("select_account", [sign_in(), sign_in(), None]),
            ("login consent", [sign_in(), sign_in(), None]),
            ("none", [refused, None, None]),
        ] {
            assert_eq!(
                [Nobody, Earlier, Now].map(|who| asked(prompt).first(who)),
                first,
                "{prompt}"
            );
        }
        let (issue, ask) = (|| Step::Issue, || Step::Ask);
        let refuse = [INTERACTION_REQUIRED, CONSENT_REQUIRED].map(Step::Refuse);
        let [again, missing] = refuse;
        for (prompt, then) in [
            ("", [issue(), ask(), ask()]),
            ("login", [issue(), ask(), ask()]),
            ("consent", [ask(), ask(), ask()]),
            ("none", [issue(), again, missing]),
        ] {
            let all = [Consent::Given, Consent::Again, Consent::Missing];
            assert_eq!(all.map(|consent| asked(prompt).then(consent)), then, "{prompt}");
        }
    }

    proptest! {
        #[test]
        fn an_answer_changes_neither_the_place_nor_what_else_it_says(
            state in "[ -~]{1,40}",
            code in "[ -~]{1,40}",
        ) {
            let target = Target::read("app", &with(&[("state", &state)])).expect("a target");
            let answer = target.success(ISSUER, &code);
            let (place, query) = answer.split_once('?').expect("a query");
            prop_assert_eq!(place, "https://client.example/cb");
            let told = Form::of_query(Some(query)).expect("a form");
            prop_assert_eq!(
                ["code", "iss", "state"].map(|name| told.get(name)),
                [Some(code.as_str()), Some(ISSUER), Some(state.as_str())]
            );
            prop_assert_eq!(told.names().count(), 3);
            prop_assert!(!query.contains('#'));
        }
    }
}
