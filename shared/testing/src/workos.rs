use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use http::{Method, StatusCode};
use jwt_compact::alg::{Rsa, RsaPrivateKey};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{AlgorithmExt as _, Claims, Header};
use oauth::pkce;
use ports::{Millis, Request, Response};
use serde_json::{Map, Value, json};

use crate::world::{WORKOS_API_KEY, WORKOS_CLIENT_ID, WORKOS_ISSUER};

/// A 2048-bit key that guards nothing: it is published right here.
const KEY: &str = include_str!("fixtures/workos_test_key.json");

static SIGNING_KEY: LazyLock<RsaPrivateKey> = LazyLock::new(|| {
    let jwk: JsonWebKey<'_> = serde_json::from_str(KEY).expect("a JWK");
    RsaPrivateKey::try_from(&jwk).expect("an RSA key")
});

/// RSA is slow without optimisation, and RS256 gives the same token for the same claims: each is
/// signed once per test binary.
static SIGNED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// The identity provider's key set and token endpoints, and what signs its access tokens. One key serves under
/// whatever key ids a test publishes.
pub struct FakeWorkos {
    published: RefCell<Vec<String>>,
    clock: Rc<Cell<Millis>>,
    grants: RefCell<BTreeMap<String, Grant>>,
    codes: RefCell<BTreeMap<String, (Grant, String)>>,
    drawn: Cell<u32>,
    renewals: Cell<u32>,
}

/// What a refresh token stands for: the claims of the next access token.
#[derive(Debug, Clone)]
struct Grant {
    user: String,
    session: String,
    more: Map<String, Value>,
}

impl FakeWorkos {
    /// The key id that is published from the start.
    pub const KID: &'static str = "sso_oidc_key_1";

    /// With one published key and a clock of its own that stands still.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Rc::default())
    }

    /// With one published key, and the clock of a platform.
    pub(crate) fn with_clock(clock: Rc<Cell<Millis>>) -> Self {
        Self {
            published: RefCell::new(vec![Self::KID.to_owned()]),
            clock,
            grants: RefCell::default(),
            codes: RefCell::default(),
            drawn: Cell::default(),
            renewals: Cell::default(),
        }
    }

    /// A person signs in: the refresh token of the sign-in.
    pub fn grant(&self, user: &str, session: &str) -> String {
        let (user, session) = (user.to_owned(), session.to_owned());
        self.draw(Grant { user, session, more: Map::new() })
    }

    /// A person signs in at the page that was asked for with this challenge: the code that they are sent
    /// back with.
    pub fn sign_in(&self, user: &str, session: &str, challenge: &str) -> String {
        let grant = Grant { user: user.to_owned(), session: session.to_owned(), more: Map::new() };
        self.drawn.set(self.drawn.get() + 1);
        let code = format!("workos-code-{session}-{}", self.drawn.get());
        self.codes.borrow_mut().insert(code.clone(), (grant, challenge.to_owned()));
        code
    }

    /// From now on the access tokens of a sign-in say this too; `exp` is in seconds from `iat`.
    pub fn tell(&self, session: &str, claim: &str, value: impl Into<Value>) {
        let value = value.into();
        for grant in self.grants.borrow_mut().values_mut().filter(|one| one.session == session) {
            grant.more.insert(claim.to_owned(), value.clone());
        }
    }

    /// A sign-in ends there: none of its refresh tokens is in force any more.
    pub fn end(&self, session: &str) {
        self.grants.borrow_mut().retain(|_, grant| grant.session != session);
    }

    /// How often a refresh token was redeemed.
    pub fn renewals(&self) -> u32 {
        self.renewals.get()
    }

    /// The answer to a request at the token endpoint: the refresh token is replaced.
    pub fn authenticate(&self, request: &Request) -> Response {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if body["client_id"] != WORKOS_CLIENT_ID || body["client_secret"] != WORKOS_API_KEY {
            return refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let grant = match text("grant_type") {
            "refresh_token" => self.grants.borrow_mut().remove(text("refresh_token")),
            "authorization_code" => {
                let known = self.codes.borrow_mut().remove(text("code"));
                let proved = |challenge: &str| pkce::verify(challenge, text("code_verifier"));
                known.filter(|(_, challenge)| proved(challenge)).map(|(grant, _)| grant)
            }
            _ => return refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        };
        let Some(grant) = grant else {
            return refusal(StatusCode::BAD_REQUEST, "invalid_grant");
        };
        if text("grant_type") == "refresh_token" {
            self.renewals.set(self.renewals.get() + 1);
        }
        let now = self.clock.get();
        let mut access = AuthKitToken::of(&grant.user, &grant.session, now);
        for (claim, value) in &grant.more {
            let life = value.as_u64().filter(|_| claim == "exp");
            let value = life.map_or_else(|| value.clone(), |life| json!(now / 1000 + life));
            access = access.with(claim, value);
        }
        let access_token = self.sign(&access);
        let user = json!({ "id": grant.user, "email": format!("{}@example.test", grant.user) });
        let refresh_token = self.draw(grant);
        let body =
            json!({ "access_token": access_token, "refresh_token": refresh_token, "user": user });
        Response::new(body.to_string().into())
    }

    fn draw(&self, grant: Grant) -> String {
        self.drawn.set(self.drawn.get() + 1);
        let token = format!("workos-refresh-{}-{}", grant.session, self.drawn.get());
        self.grants.borrow_mut().insert(token.clone(), grant);
        token
    }

    /// Publish these key ids, and no others.
    pub fn publish(&self, kids: &[&str]) {
        *self.published.borrow_mut() = kids.iter().map(|&kid| kid.to_owned()).collect();
    }

    /// The answer to a request at the key set endpoint.
    pub fn answer(&self, request: &Request) -> Response {
        if request.method() != Method::GET {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            return response;
        }
        let keys: Vec<Value> = self.published.borrow().iter().map(|kid| public(kid)).collect();
        Response::new(json!({ "keys": keys }).to_string().into())
    }

    /// Sign a token.
    pub fn sign(&self, token: &AuthKitToken) -> String {
        let name = format!("{:?} {}", token.kid, token.claims());
        let known = SIGNED.lock().expect("no panic while signing").get(&name).cloned();
        known.unwrap_or_else(|| {
            let text = Self::sign_now(token);
            SIGNED.lock().expect("no panic while signing").insert(name, text.clone());
            text
        })
    }

    fn sign_now(token: &AuthKitToken) -> String {
        let mut header = Header::empty();
        if let Some(kid) = &token.kid {
            header = header.with_key_id(kid.as_str());
        }
        Rsa::rs256()
            .token(&header, &Claims::new(token.claims.clone()), &SIGNING_KEY)
            .expect("claims that can be signed")
    }
}

impl Default for FakeWorkos {
    fn default() -> Self {
        Self::new()
    }
}

/// An AuthKit access token before it is signed.
#[derive(Debug, Clone)]
pub struct AuthKitToken {
    kid: Option<String>,
    claims: Map<String, Value>,
}

impl AuthKitToken {
    /// What AuthKit says of a person who has just signed in: five minutes long, for our client.
    pub fn of(user: &str, session: &str, now: Millis) -> Self {
        let claims = json!({
            "iss": WORKOS_ISSUER,
            "sub": user,
            "sid": session,
            "client_id": WORKOS_CLIENT_ID,
            "jti": format!("{session}-{now}"),
            "iat": now / 1000,
            "exp": now / 1000 + 300,
        });
        let claims = claims.as_object().cloned().unwrap_or_default();
        Self { kid: Some(FakeWorkos::KID.to_owned()), claims }
    }

    /// With another claim, or another value of one.
    #[must_use]
    pub fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(claim.to_owned(), value.into());
        self
    }

    /// Without a claim.
    #[must_use]
    pub fn without(mut self, claim: &str) -> Self {
        self.claims.remove(claim);
        self
    }

    /// As if signed by this key; `None` names no key.
    #[must_use]
    pub fn by_key(mut self, kid: Option<&str>) -> Self {
        self.kid = kid.map(str::to_owned);
        self
    }

    /// The claims as JSON.
    pub fn claims(&self) -> Value {
        Value::Object(self.claims.clone())
    }
}

fn refusal(status: StatusCode, error: &str) -> Response {
    let mut response = Response::new(json!({ "error": error }).to_string().into());
    *response.status_mut() = status;
    response
}

fn public(kid: &str) -> Value {
    let mut key =
        serde_json::to_value(JsonWebKey::from(&SIGNING_KEY.to_public_key())).expect("a public JWK");
    key["kid"] = json!(kid);
    key["alg"] = json!("RS256");
    key["use"] = json!("sig");
    key
}
