//! `POST /internal/maintenance`: the work that is due, for whoever has a schedule and the credential of
//! an operator.

use auth::operator::{Operators, PREFIX};
use http::header::{ALLOW, AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, StatusCode};
use observe::Facts;
use ports::route::{MAINTENANCE, Match, find};
use ports::{ConfigError, Response};
use serde_json::json;

use super::{Home, Pass, pass, ready, trail};
use crate::pipeline::misconfigured;
use crate::store::check;
use crate::{Visit, respond};

/// What it takes to answer, read once per instance.
pub struct Maintenance(Result<Operators, ConfigError>);

impl Maintenance {
    /// Read the settings; what is wrong with them comes out when somebody asks.
    pub fn load(platform: &impl Home) -> Self {
        let operators = auth::settings::public_url(platform)
            .and_then(|_| ready(platform))
            .and_then(|()| check(platform, platform.choice()))
            .and_then(|()| auth::settings::TrailSettings::load(platform).map(drop))
            .and_then(|()| Operators::load(platform));
        Self(operators)
    }

    /// Answer a request to the one route. It has no body, and whatever has one is not read.
    pub async fn answer(&self, platform: &impl Home, parts: &Parts) -> Response {
        let visit = Visit::begin(platform, "ledger", parts);
        let answer = match find(parts.uri.path()).filter(|found| found.route.path == MAINTENANCE) {
            Some(found) => self.enter(platform, parts, &found).await,
            None => respond::not_found(),
        };
        visit.end(platform, MAINTENANCE, answer)
    }

    /// 1. the method, 2. the settings, 3. the credential, 4. the work.
    async fn enter(&self, platform: &impl Home, parts: &Parts, found: &Match<'_>) -> Response {
        if parts.method == Method::OPTIONS {
            let mut response = respond::empty(StatusCode::NO_CONTENT);
            respond::set(&mut response, ALLOW, &respond::allowed(found.route.methods));
            return response;
        }
        if !found.route.allows(&parts.method) {
            return respond::method_not_allowed(found.route.methods);
        }
        let operators = match &self.0 {
            Ok(operators) => operators,
            Err(error) => return misconfigured(*error, found.route),
        };
        match operator(operators, parts) {
            Some(name) => work(platform, name).await,
            None => refused(parts.headers.contains_key(AUTHORIZATION)),
        }
    }
}

/// The name of the operator whose credential the request carries.
fn operator<'o>(operators: &'o Operators, parts: &Parts) -> Option<&'o str> {
    let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = header.split_once(' ')?;
    let credential = credential.trim();
    let ours = scheme.eq_ignore_ascii_case("bearer") && credential.starts_with(PREFIX);
    operators.recognise(credential).filter(|_| ours)
}

/// RFC 6750 section 3.
fn refused(presented: bool) -> Response {
    let (code, challenge, detail) = if presented {
        ("invalid_token", "Bearer error=\"invalid_token\"", "the credential is no operator's")
    } else {
        ("token_missing", "Bearer", "the request carries no operator's credential")
    };
    let mut response = respond::problem(StatusCode::UNAUTHORIZED, code, detail);
    respond::set(&mut response, WWW_AUTHENTICATE, challenge);
    response
}

/// A pass, and once a day retention. Whatever is called twice finds nothing left to do.
async fn work(platform: &impl Home, operator: &str) -> Response {
    let done = async {
        let done = pass(platform).await?;
        let retained = trail::retain_daily(platform).await?;
        Ok::<_, String>((done, retained.map(|retained| retained.events)))
    };
    match done.await {
        Ok((Pass { swept, delivered, remaining }, retained)) => {
            let body = json!({
                "swept": swept,
                "delivered": delivered,
                "remaining": remaining,
                "retained": retained,
            });
            let facts = Facts { outcome: Some(format!("operator {operator}")), ..Facts::default() };
            respond::noted(respond::json(StatusCode::OK, &body), facts)
        }
        Err(error) => {
            let facts = Facts::outcome("unavailable").because(error);
            respond::noted(respond::unavailable(), facts)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::executor::block_on;
    use oauth::keys::hash_operator_key;
    use ports::{Kv as _, LedgerError};
    use stores::{Cas, MemoryStore, StoreChoice};
    use testing::{FakePlatform, World};

    use super::*;
    use crate::owner::guarded;

    const CREDENTIAL: &str = "op_credential";
    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    thread_local! {
        static STORE: &'static MemoryStore = Box::leak(Box::default());
    }

    impl Home for FakePlatform {
        type Ledgers<'p> = Cas<'p, Self, &'static MemoryStore>;

        fn choice(&self) -> Result<StoreChoice, ConfigError> {
            Ok(StoreChoice::Memory)
        }

        async fn ledgers(&self) -> Result<Self::Ledgers<'_>, LedgerError> {
            Ok(guarded(self, STORE.with(|store| *store)))
        }
    }

    fn platform() -> FakePlatform {
        let platform = World::new().platform;
        let entry = format!("cron={}", hash_operator_key(CREDENTIAL));
        platform.set("OPERATOR_KEY_HASHES", &entry);
        platform.set("AUDIT_KEYS", &format!("1={KEY}"));
        block_on(platform.put("maintenance/retained", b"1", Duration::from_secs(86_400))).unwrap();
        platform
    }

    fn ask(platform: &FakePlatform, method: Method, credential: Option<&str>) -> Response {
        let mut request = http::Request::builder().method(method).uri(MAINTENANCE);
        if let Some(credential) = credential {
            request = request.header(AUTHORIZATION, format!("Bearer {credential}"));
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        block_on(Maintenance::load(platform).answer(platform, &parts))
    }

    #[test]
    fn only_operators_are_let_in() {
        let platform = platform();
        for (credential, code) in [
            (None, "token_missing"),
            (Some("op_other"), "invalid_token"),
            (Some("credential"), "invalid_token"),
            (Some(""), "invalid_token"),
        ] {
            let answer = ask(&platform, Method::POST, credential);
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{credential:?}");
            assert!(answer.headers().contains_key(WWW_AUTHENTICATE));
            assert!(String::from_utf8_lossy(answer.body()).contains(code), "{credential:?}");
        }
        let other = ask(&platform, Method::GET, Some(CREDENTIAL));
        assert_eq!(other.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn it_may_be_asked_again_and_says_what_was_done() {
        let platform = platform();
        for _ in 0..2 {
            let answer = ask(&platform, Method::POST, Some(CREDENTIAL));
            assert_eq!(answer.status(), StatusCode::OK);
            let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
            let done = json!({ "swept": 0, "delivered": 0, "remaining": false, "retained": null });
            assert_eq!(body, done);
        }
    }

    #[test]
    fn a_setting_that_is_wrong_is_named_in_the_log_only() {
        let platform = platform();
        platform.set("OPERATOR_KEY_HASHES", "canary");
        let answer = ask(&platform, Method::POST, Some(CREDENTIAL));
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"));
        assert!(!String::from_utf8_lossy(answer.body()).contains("OPERATOR"));
        let log = platform.lines().concat();
        assert!(log.contains("OPERATOR_KEY_HASHES") && !log.contains("canary"), "{log}");
    }
}
