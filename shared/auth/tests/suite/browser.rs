//! A person's browser at the authorization endpoint: it keeps cookies, goes where it is sent, and answers.

use std::cell::RefCell;
use std::collections::BTreeMap;

use auth::authorize::{
    Answered, Ask, AuthorizeSettings, Back, Next, Visit, answer, authorize, callback, login, pushed,
};
use auth::{Failure, Settings};
use futures::executor::block_on;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Method};
use oauth::authorization::Target;
use oauth::code::{self, CodeGrant};
use oauth::form::{Form, encode};
use oauth::keys::KeyRing;
use ports::{Config as _, Request};

use crate::support::Edge;

/// The challenge of RFC 7636 appendix B.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The redirect URI of every client of the world.
pub(crate) const CALLBACK: &str = "http://127.0.0.1:52163/callback";

/// The authorization endpoint of a deployment.
pub(crate) struct Door {
    pub(crate) edge: Edge,
    pub(crate) settings: AuthorizeSettings,
}

/// One browser. Several may visit the same door.
pub(crate) struct Browser<'d> {
    pub(crate) door: &'d Door,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl Door {
    pub(crate) fn new() -> Self {
        let edge = Edge::new();
        let settings = AuthorizeSettings::load(&edge.world.platform).unwrap();
        Self { edge, settings }
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { door: self, cookies: RefCell::default() }
    }

    /// What a code stands for.
    pub(crate) fn opened(&self, code: &str) -> CodeGrant {
        code::open(&self.ring("CODE_KEYS"), code).expect("a code of ours")
    }

    pub(crate) fn ring(&self, name: &str) -> KeyRing {
        KeyRing::parse(&self.edge.world.platform.get(name).unwrap()).unwrap()
    }

    /// A client pushes a request.
    pub(crate) async fn push(
        &self,
        headers: &[(&'static str, &str)],
        parameters: &[(&str, &str)],
    ) -> Result<String, Failure> {
        let mut call = Request::default();
        (*call.method_mut(), *call.uri_mut()) = (Method::POST, "/oauth/par".parse().unwrap());
        for (name, value) in headers {
            call.headers_mut().insert(*name, value.parse().unwrap());
        }
        let form = Form::of_query(Some(&encode(parameters))).unwrap();
        let (platform, settings) = (&self.edge.world.platform, &self.settings);
        let (service, client): (&Settings, _) = (&self.edge.settings, &self.edge.client);
        let receipt = pushed::push(platform, service, settings, client, &call, &form);
        receipt.await.map(|receipt| receipt.request_uri)
    }
}

impl Browser<'_> {
    /// Where a client sends it.
    pub(crate) fn go(&self, parameters: &[(&str, &str)]) -> Result<Visit, Failure> {
        block_on(self.visit(&encode(parameters)))
    }

    pub(crate) async fn visit(&self, query: &str) -> Result<Visit, Failure> {
        let Door { edge, settings } = self.door;
        let (platform, service) = (&edge.world.platform, &edge.settings);
        let headers = self.headers();
        let visit = authorize(platform, service, settings, &headers, Some(query)).await;
        visit.inspect(|visit| self.keep(&visit.cookies))
    }

    /// Where AuthKit sends it back to.
    pub(crate) fn come_back(&self, parameters: &[(&str, &str)]) -> Result<Visit, Failure> {
        let Door { edge, settings } = self.door;
        let (platform, service) = (&edge.world.platform, &edge.settings);
        let (headers, query) = (self.headers(), encode(parameters));
        match block_on(callback(platform, service, settings, &headers, Some(&query)))? {
            Back::Visit(visit) => {
                self.keep(&visit.cookies);
                Ok(visit)
            }
            Back::Account(_) => panic!("a sign-in without a client"),
        }
    }

    /// Somebody signs in without a client, and gets to their page.
    pub(crate) fn sign_in_alone(&self, query: &str, user: &str) -> Result<(), Failure> {
        let Door { edge, settings } = self.door;
        let (platform, service) = (&edge.world.platform, &edge.settings);
        let departure = login(platform, service, settings, &self.headers(), Some(query))?;
        self.keep(&departure.cookies);
        let page = parameters(departure.location.split_once('?').unwrap().1);
        let code = edge.world.workos.sign_in(user, "alone", &page["code_challenge"]);
        let query = encode(&[("code", &code), ("state", &page["state"])]);
        match block_on(callback(platform, service, settings, &self.headers(), Some(&query)))? {
            Back::Account(cookies) => self.keep(&cookies),
            Back::Visit(visit) => panic!("of no client: {visit:?}"),
        }
        Ok(())
    }

    /// Somebody signs in at AuthKit, as they were asked to, and comes back.
    pub(crate) fn sign_in(&self, visit: &Visit, user: &str) -> Visit {
        let page = at_authkit(visit);
        let session = format!("sign-in of {user}");
        let code = self.door.edge.world.workos.sign_in(user, &session, &page["code_challenge"]);
        self.come_back(&[("code", &code), ("state", &page["state"])]).unwrap()
    }

    /// What somebody answers on the page that asks.
    pub(crate) fn answer(&self, ask: &Ask, decision: &str) -> Result<Answered, Failure> {
        self.post(&[("request", &ask.request), ("csrf", &ask.csrf), ("decision", decision)])
    }

    pub(crate) fn post(&self, fields: &[(&str, &str)]) -> Result<Answered, Failure> {
        let Door { edge, settings } = self.door;
        let (platform, service) = (&edge.world.platform, &edge.settings);
        let form = Form::of_query(Some(&encode(fields))).unwrap();
        let mut headers = self.headers();
        headers.insert("sec-fetch-site", "same-origin".parse().unwrap());
        block_on(answer(platform, service, settings, &headers, &form))
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    pub(crate) fn plant(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &*self.cookies.borrow() {
            headers.append(COOKIE, format!("{name}={value}").parse().unwrap());
        }
        headers
    }

    fn keep(&self, cookies: &[HeaderValue]) {
        for cookie in cookies {
            let text = cookie.to_str().unwrap();
            for attribute in ["; Path=/; ", "; HttpOnly; ", "; SameSite=Lax; ", "; Secure"] {
                assert!(format!("{text}; ").contains(attribute), "{text}");
            }
            let (name, value) = text.split_once(';').unwrap().0.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"));
            self.plant(name, value);
        }
    }
}

/// A request of a client, with more or other parameters than the usual ones; an empty one is left out.
pub(crate) fn request<'p>(
    client_id: &'p str,
    more: &[(&'p str, &'p str)],
) -> Vec<(&'p str, &'p str)> {
    let usual = [
        ("client_id", client_id),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "of the client"),
    ];
    let kept = usual.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    kept.chain(more.iter().copied()).filter(|(_, value)| !value.is_empty()).collect()
}

/// The query of the page at AuthKit where somebody is to sign in.
pub(crate) fn at_authkit(visit: &Visit) -> BTreeMap<String, String> {
    let Ok(Next::SignIn(location)) = &visit.next else { panic!("no sign-in: {visit:?}") };
    let (page, query) = location.split_once('?').unwrap();
    assert_eq!(page, "https://workos.example/user_management/authorize");
    parameters(query)
}

/// What the client is told, at its redirect URI.
pub(crate) fn told(visit: &Visit) -> BTreeMap<String, String> {
    let location = visit.location(testing::PUBLIC_URL).expect("an answer to the client");
    let (place, query) = location.split_once('?').unwrap();
    let Target { redirect_uri, .. } = &visit.target;
    assert_eq!(place, redirect_uri);
    parameters(query)
}

/// The error that the client is told, with the state and the issuer that must be beside it.
pub(crate) fn error(visit: &Visit) -> String {
    let told = told(visit);
    assert_eq!(
        (told["state"].as_str(), told["iss"].as_str()),
        ("of the client", testing::PUBLIC_URL)
    );
    assert!(!told.contains_key("code"));
    told["error"].clone()
}

/// The page that somebody is asked on.
pub(crate) fn asked(visit: &Visit) -> &Ask {
    match &visit.next {
        Ok(Next::Ask(ask)) => ask,
        other => panic!("nobody is asked: {other:?}"),
    }
}

/// The code that the client gets.
pub(crate) fn code_of(visit: &Visit) -> String {
    assert!(matches!(visit.next, Ok(Next::Code(_))), "no code: {:?}", visit.next);
    let told = told(visit);
    assert_eq!(
        (told["state"].as_str(), told["iss"].as_str()),
        ("of the client", testing::PUBLIC_URL)
    );
    told["code"].clone()
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let form = Form::of_query(Some(query)).unwrap();
    form.names().map(|name| (name.to_owned(), form.get(name).unwrap().to_owned())).collect()
}
