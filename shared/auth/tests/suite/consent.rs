//! Consent: what counts as an answer, and what is remembered of it.

use auth::consent::{Decided, NoDecision, csrf, decide, may_be_spared, remember, remembered};
use auth::login::{self, Login, LoginSettings};
use data::consents::Agreed;
use futures::executor::block_on;
use http::HeaderMap;
use oauth::form::Form;
use testing::{Dependency, Fault, NOW};

use crate::login::{browser, login_of};
use crate::support::Edge;

struct Asked {
    edge: Edge,
    settings: LoginSettings,
    login: Login,
    headers: HeaderMap,
    token: String,
}

const REQUEST: &str = "AQHsealed-request";

fn asked() -> Asked {
    let edge = Edge::new();
    let settings = LoginSettings::load(&edge.world.platform).unwrap();
    let login = login_of(&edge.world.platform, "ada");
    let headers = browser(&edge.world.platform, &settings, &login);
    let token = csrf(&settings, &login, REQUEST).unwrap();
    Asked { edge, settings, login, headers, token }
}

impl Asked {
    fn answer(
        &self,
        headers: &HeaderMap,
        fields: &[(&'static str, &str)],
    ) -> Result<Decided, NoDecision> {
        let fields = fields.iter().map(|(name, value)| (*name, Some((*value).to_owned())));
        decide(&self.settings, headers, &Form::of(fields).unwrap(), NOW)
    }

    fn usual(&self, decision: &str) -> Result<Decided, NoDecision> {
        let fields = [("request", REQUEST), ("csrf", &self.token), ("decision", decision)];
        self.answer(&self.headers, &fields)
    }
}

#[test]
fn an_answer_says_who_gave_it_and_to_what() {
    let asked = asked();
    for (decision, allowed) in [("allow", true), ("deny", false)] {
        let decided = asked.usual(decision).unwrap();
        let (login, request) = (asked.login.clone(), REQUEST.to_owned());
        assert_eq!(decided, Decided { login, request, allowed });
    }
    for unclear in ["", "ALLOW", "yes", "allow deny"] {
        assert_eq!(asked.usual(unclear), Err(NoDecision::Unclear), "{unclear}");
    }
}

#[test]
fn an_answer_without_the_token_of_its_form_is_forged() {
    let asked = asked();
    let forged = |fields: &[(&'static str, &str)]| {
        matches!(asked.answer(&asked.headers, fields), Err(NoDecision::Forged(_)))
    };
    let (request, allow) = (("request", REQUEST), ("decision", "allow"));
    assert!(forged(&[request, allow]));
    assert!(forged(&[("csrf", &asked.token), allow]));
    assert!(forged(&[request, ("csrf", "1.x"), allow]));
    // That of the account page, of another person, of another browser of the same person.
    let account = auth::account::csrf(&asked.settings, &asked.login).unwrap();
    assert!(forged(&[request, ("csrf", &account), allow]));
    let platform = &asked.edge.world.platform;
    for other in [login_of(platform, "eve"), login_of(platform, "ada")] {
        let token = csrf(&asked.settings, &other, REQUEST).unwrap();
        assert!(forged(&[request, ("csrf", &token), allow]), "{}", other.user);
    }
}

#[test]
fn an_answer_counts_for_the_request_that_was_shown_only() {
    let asked = asked();
    // The thief asks for more with a request of their own, sealed by us for them.
    let fields = [("request", "AQHwider-request"), ("csrf", &*asked.token), ("decision", "allow")];
    assert!(matches!(asked.answer(&asked.headers, &fields), Err(NoDecision::Forged(_))));
}

#[test]
fn an_answer_counts_in_the_browser_that_was_asked_only() {
    let asked = asked();
    let platform = &asked.edge.world.platform;
    let fields = [("request", REQUEST), ("csrf", &*asked.token), ("decision", "allow")];
    assert_eq!(asked.answer(&HeaderMap::new(), &fields), Err(NoDecision::SignedOut));
    for other in [login_of(platform, "eve"), login_of(platform, "ada")] {
        let headers = browser(platform, &asked.settings, &other);
        assert!(matches!(asked.answer(&headers, &fields), Err(NoDecision::Forged(_))));
    }
    let form = Form::of(fields.map(|(name, value)| (name, Some(value.to_owned())))).unwrap();
    let later = decide(&asked.settings, &asked.headers, &form, NOW + login::LIFETIME);
    assert_eq!(later, Err(NoDecision::SignedOut));
}

#[test]
fn an_answer_that_another_site_posts_is_forged_whatever_it_knows() {
    let asked = asked();
    let fields = [("request", REQUEST), ("csrf", &*asked.token), ("decision", "allow")];
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let mut headers = asked.headers.clone();
        headers.insert(name, value.parse().unwrap());
        assert!(matches!(asked.answer(&headers, &fields), Err(NoDecision::Forged(_))), "{name}");
    }
}

#[test]
fn consent_is_remembered_for_a_person_a_client_and_its_scopes() {
    let edge = Edge::new();
    let (platform, sql) = (&edge.world.platform, &edge.settings.sql);
    let scopes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let known = |person, client, names: &[&str]| {
        block_on(remembered(platform, sql, person, client, &scopes(names))).unwrap()
    };
    assert!(!known("ada", "app", &["read"]));
    let agreed = |names| Agreed {
        client_id: "app".to_owned(),
        client_name: "App".to_owned(),
        scopes: scopes(names),
    };
    block_on(remember(platform, sql, "ada", &agreed(&["read"]))).unwrap();
    assert!(known("ada", "app", &["read"]));
    assert!(!known("ada", "app", &["read", "write"]), "a wider ask asks again");
    assert!(!known("ada", "other", &["read"]) && !known("eve", "app", &["read"]));
    block_on(remember(platform, sql, "ada", &agreed(&["write"]))).unwrap();
    assert!(known("ada", "app", &["read", "write"]));
}

#[test]
fn without_the_database_nothing_counts_as_agreed() {
    let edge = Edge::new();
    edge.world.platform.fail(Dependency::Sql, Fault::Away);
    let asked = remembered(&edge.world.platform, &edge.settings.sql, "ada", "app", &[]);
    assert!(matches!(block_on(asked), Err(auth::Failure::Unavailable(_))));
}

#[test]
fn whoever_could_be_anybody_asks_each_time() {
    assert!(may_be_spared(false, "https://claude.ai/cb"));
    assert!(may_be_spared(true, "http://127.0.0.1/cb"), "a secret is a proof");
    for uri in [
        "http://127.0.0.1:5/cb",
        "http://[::1]/cb",
        "http://localhost/cb",
        "cursor://x/cb",
        "com.example:/cb",
        "https",
        "",
    ] {
        assert!(!may_be_spared(false, uri), "{uri}");
    }
}
