//! A deployment in memory with its settings read, and the endpoints' use cases as short calls.

use std::cell::RefCell;

use auth::authorization_code::redeem;
use auth::exchange::exchange;
use auth::introspect::introspect;
use auth::issue::TokenResponse;
use auth::refresh::{Refreshed, refresh};
use auth::revoke::revoke;
use auth::settings::{ClientSettings, Introspector, MintSettings, ResourceSettings, Verifier};
use auth::visitor::Visitor;
use auth::{Failure, Settings, access, client_credentials, clients, proof};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data::clients::ClientRecord;
use futures::executor::block_on;
use http::Method;
use http::header::AUTHORIZATION;
use oauth::access_token::AccessToken;
use oauth::form::Form;
use ports::{Place, Request};
use serde_json::Value;
use testing::World;

pub(crate) const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
pub(crate) const SECOND: u64 = 1000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

pub(crate) struct Edge {
    pub(crate) world: World,
    pub(crate) settings: Settings,
    pub(crate) client: ClientSettings,
    pub(crate) mint: MintSettings,
    pub(crate) verifier: Verifier,
    pub(crate) resource: ResourceSettings,
    request: RefCell<Request>,
    pub(crate) introspector: Introspector,
}

/// A token response with what the log is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Issued {
    pub(crate) tokens: TokenResponse,
    pub(crate) session: String,
    pub(crate) repeated: bool,
}

impl Edge {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With other settings than the usual ones.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let world = World::new();
        for (name, value) in settings {
            world.platform.set(name, value);
        }
        Self::on(world)
    }

    pub(crate) fn on(world: World) -> Self {
        let platform = &world.platform;
        let settings = Settings::load(platform).unwrap();
        let client = ClientSettings::load(platform).unwrap();
        let mint = MintSettings::load(platform).unwrap();
        let verifier = Verifier::load(platform).unwrap();
        let resource = ResourceSettings::load(platform).unwrap();
        let introspector = Introspector::load(platform).unwrap();
        let request = RefCell::default();
        let edge =
            Self { settings, client, mint, verifier, resource, introspector, request, world };
        edge.come_from(&[("user-agent", "curl/8.5.0")], Place::default());
        edge
    }

    pub(crate) fn record(&self, client_id: &str) -> ClientRecord {
        self.world.database.client(client_id).unwrap()
    }

    /// A session of a person at `atoms-cli`, in a sign-in of their name.
    pub(crate) fn sign_in(&self, user: &str) -> Issued {
        self.sign_in_at("atoms-cli", user)
    }

    pub(crate) fn sign_in_at(&self, client_id: &str, user: &str) -> Issued {
        let token = self.world.authkit(user, &format!("sign-in of {user}"));
        self.exchange(client_id, &token, &[]).unwrap()
    }

    pub(crate) fn exchange(
        &self,
        client_id: &str,
        subject_token: &str,
        more: &[(&str, &str)],
    ) -> Result<Issued, Failure> {
        let mut parameters = subject(subject_token).to_vec();
        parameters.extend_from_slice(more);
        self.exchange_form(client_id, &form(&parameters))
    }

    pub(crate) fn exchange_form(&self, client_id: &str, form: &Form) -> Result<Issued, Failure> {
        block_on(self.exchange_as(&self.record(client_id), form))
    }

    pub(crate) async fn exchange_as(
        &self,
        record: &ClientRecord,
        form: &Form,
    ) -> Result<Issued, Failure> {
        let platform = &self.world.platform;
        let visitor = self.visitor(form).await?;
        exchange(platform, &self.settings, &self.client, &self.mint, record, &visitor, form)
            .await
            .map(issued)
    }

    pub(crate) fn refresh(&self, client_id: &str, token: &str) -> Result<Issued, Failure> {
        self.refresh_with(client_id, token, &[])
    }

    pub(crate) fn refresh_with(
        &self,
        client_id: &str,
        token: &str,
        more: &[(&str, &str)],
    ) -> Result<Issued, Failure> {
        let mut parameters = vec![("refresh_token", token)];
        parameters.extend_from_slice(more);
        block_on(self.refresh_as(&self.record(client_id), &form(&parameters)))
    }

    pub(crate) async fn refresh_as(
        &self,
        record: &ClientRecord,
        form: &Form,
    ) -> Result<Issued, Failure> {
        let platform = &self.world.platform;
        let visitor = self.visitor(form).await?;
        refresh(platform, &self.settings, &self.client, &self.mint, record, &visitor, form)
            .await
            .map(issued)
    }

    pub(crate) fn redeem_form(&self, client_id: &str, form: &Form) -> Result<Issued, Failure> {
        block_on(self.redeem_as(&self.record(client_id), form))
    }

    pub(crate) async fn redeem_as(
        &self,
        record: &ClientRecord,
        form: &Form,
    ) -> Result<Issued, Failure> {
        let platform = &self.world.platform;
        let visitor = self.visitor(form).await?;
        redeem(platform, &self.settings, &self.client, &self.mint, record, &visitor, form)
            .await
            .map(issued)
    }

    pub(crate) fn credentials_form(&self, client_id: &str, form: &Form) -> Result<Issued, Failure> {
        block_on(self.credentials_as(&self.record(client_id), form))
    }

    pub(crate) async fn credentials_as(
        &self,
        record: &ClientRecord,
        form: &Form,
    ) -> Result<Issued, Failure> {
        let platform = &self.world.platform;
        let visitor = self.visitor(form).await?;
        let Self { settings, client, mint, .. } = self;
        client_credentials::issue(platform, settings, client, mint, record, &visitor, form)
            .await
            .map(issued)
    }

    /// From now on, requests come with these headers and from this place.
    pub(crate) fn come_from(&self, headers: &[(&'static str, &str)], place: Place) {
        let mut request = Request::default();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request.extensions_mut().insert(place);
        *self.request.borrow_mut() = request;
    }

    async fn visitor(&self, form: &Form) -> Result<Visitor, Failure> {
        let mut request = self.request.borrow().clone();
        *request.method_mut() = Method::POST;
        *request.uri_mut() = "/oauth/token".parse().unwrap();
        let mut visitor = Visitor::of(&request, form, &self.client, &self.mint)?;
        let (platform, nonces) = (&self.world.platform, &self.resource.nonces);
        visitor.proof = proof::check(platform, &self.settings, nonces, &request, None).await?;
        Ok(visitor)
    }

    /// What `atoms-api` is told of a token.
    pub(crate) fn introspect(&self, token: &str) -> Value {
        self.introspect_as("atoms-api", &[("token", token)]).unwrap().0
    }

    pub(crate) fn introspect_as(
        &self,
        client_id: &str,
        parameters: &[(&str, &str)],
    ) -> Result<(Value, &'static str), Failure> {
        block_on(self.introspect_by(&self.record(client_id), &form(parameters)))
    }

    pub(crate) async fn introspect_by(
        &self,
        record: &ClientRecord,
        form: &Form,
    ) -> Result<(Value, &'static str), Failure> {
        let platform = &self.world.platform;
        let Self { settings, client, verifier, introspector, .. } = self;
        introspect(platform, settings, client, verifier, introspector, record, form)
            .await
            .map(|told| (serde_json::to_value(told.answer).unwrap(), told.outcome))
    }

    /// Whether a token is in force for a resource server.
    pub(crate) fn active(&self, token: &str) -> bool {
        self.introspect(token)["active"] == true
    }

    /// The outcome for the log.
    pub(crate) fn revoke(
        &self,
        client_id: &str,
        parameters: &[(&str, &str)],
    ) -> Result<&'static str, Failure> {
        block_on(self.revoke_as(&self.record(client_id), &form(parameters)))
    }

    pub(crate) async fn revoke_as(
        &self,
        record: &ClientRecord,
        form: &Form,
    ) -> Result<&'static str, Failure> {
        let platform = &self.world.platform;
        revoke(platform, &self.settings, &self.client, &self.verifier, record, form)
            .await
            .map(|revoked| revoked.outcome)
    }

    pub(crate) async fn authenticate(
        &self,
        authorization: Option<&str>,
        form: &Form,
    ) -> Result<ClientRecord, Failure> {
        let platform = &self.world.platform;
        let mut headers = self.request.borrow().headers().clone();
        if let Some(header) = authorization {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        clients::authenticate(platform, &self.settings, &self.client, &headers, form).await
    }

    /// What an access token says, its signature checked.
    pub(crate) fn claims(&self, token: &str) -> AccessToken {
        let platform = &self.world.platform;
        let whole = access::Purpose::Whole;
        block_on(access::verify(platform, &self.settings, &self.verifier, token, whole)).unwrap()
    }
}

impl Issued {
    pub(crate) fn access(&self) -> &str {
        &self.tokens.access_token
    }

    pub(crate) fn refresh(&self) -> &str {
        refresh_of(&self.tokens)
    }

    /// Both tokens: what must not differ between replays.
    pub(crate) fn both(&self) -> (&str, &str) {
        (self.access(), self.refresh())
    }
}

/// The refresh token of an answer that must have one.
pub(crate) fn refresh_of(tokens: &TokenResponse) -> &str {
    tokens.refresh_token.as_deref().unwrap()
}

/// A call of a resource.
pub(crate) fn calling(authorization: Option<&str>) -> Request {
    let mut request = Request::default();
    if let Some(header) = authorization {
        request.headers_mut().insert(AUTHORIZATION, header.parse().unwrap());
    }
    request
}

pub(crate) fn subject(token: &str) -> [(&str, &str); 2] {
    [("subject_token", token), ("subject_token_type", ACCESS_TOKEN_TYPE)]
}

pub(crate) fn form(parameters: &[(&str, &str)]) -> Form {
    let encode =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
    let body: Vec<_> =
        parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    Form::parse(Some("application/x-www-form-urlencoded"), body.join("&").as_bytes()).unwrap()
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// The failure in one word: an OAuth code, ``unavailable`, `internal`, `limited` or the like.
pub(crate) fn word<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> &'static str {
    match outcome.unwrap_err() {
        Failure::Refused { told, .. } | Failure::Forbidden { told } => told.code.as_str(),
        Failure::Client { .. } => "invalid_client",
        Failure::Unavailable(_) => "unavailable",
        Failure::Internal(_) => "internal",
        Failure::Limited { .. } => "limited",
        Failure::NotDue { .. } => "not due",
        Failure::Backoff { .. } => "backoff",
        Failure::Misconfigured(_) => "misconfigured",
    }
}

/// The same text with another character at one place.
pub(crate) fn tampered(text: &str, at: usize) -> String {
    let old = text.as_bytes()[at];
    let new = if old == b'A' { 'B' } else { 'A' };
    format!("{}{new}{}", &text[..at], &text[at + 1..])
}

/// An access token without its internal MACs, which leaves it to the signature, and that was made with
/// them.
pub(crate) fn without_macs(text: &str) -> String {
    let (header, rest) = text.split_once('.').unwrap();
    let mut header: Value =
        serde_json::from_slice(&oauth::from_base64url(header).unwrap()).unwrap();
    header.as_object_mut().unwrap().remove("amac").unwrap();
    format!("{}.{rest}", oauth::base64url(header.to_string().as_bytes()))
}

fn issued((tokens, done): (TokenResponse, Refreshed)) -> Issued {
    Issued { tokens, session: done.session, repeated: done.repeated }
}
