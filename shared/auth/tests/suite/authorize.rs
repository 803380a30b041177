//! From a client's request to its code, and what may go wrong on the way.

use auth::login::{self, End, Login};
use futures::executor::block_on;
use ports::Clock as _;
use testing::{Dependency, Fault};

use crate::browser::{
    Browser, CALLBACK, CHALLENGE, Door, asked, at_authkit, code_of, error, request, told,
};
use crate::support::{HOUR, MINUTE, tampered, word};

const WEB: &str = "https://client.example/cb";

fn web_client(door: &Door) {
    let database = &door.edge.world.database;
    database.change("third-party", |client| client.redirect_uris.push(WEB.to_owned()));
}

#[test]
fn a_person_signs_in_and_our_own_application_gets_its_code() {
    let door = Door::new();
    let browser = door.browser();
    let more = [("resource", "https://edge.example/mcp"), ("scope", "atoms:workspace.read")];
    let page = browser.go(&request("atoms-web", &more)).unwrap();
    let at = at_authkit(&page);
    for (name, value) in [
        ("client_id", testing::WORKOS_CLIENT_ID),
        ("redirect_uri", "https://edge.example/oauth/callback"),
        ("response_type", "code"),
        ("provider", "authkit"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(at[name], value);
    }
    assert!(!at.contains_key("max_age") && !at.contains_key("login_hint"));
    let now = door.edge.world.platform.now();
    let grant = door.opened(&code_of(&browser.sign_in(&page, "ada")));
    assert_eq!((grant.user.as_str(), grant.sign_in.as_str()), ("ada", "sign-in of ada"));
    assert_eq!((grant.client_id.as_str(), grant.redirect_uri.as_str()), ("atoms-web", CALLBACK));
    assert_eq!((grant.code_challenge.as_str(), grant.id.len()), (CHALLENGE, 32));
    assert_eq!(grant.scopes, ["atoms:workspace.read"]);
    assert_eq!(grant.resources, ["https://edge.example/mcp"]);
    assert_eq!((grant.authenticated_at, grant.expires_at), (now, now + MINUTE));
    let token = oauth::code::open_upstream(
        &door.ring("UPSTREAM_KEYS"),
        &grant.id,
        &grant.upstream.unwrap(),
    );
    assert!(token.unwrap().starts_with("workos-refresh-sign-in of ada"));
}

#[test]
fn who_is_signed_in_is_not_asked_again_for_a_working_day() {
    let door = Door::new();
    let browser = door.browser();
    let page = browser.go(&request("atoms-web", &[])).unwrap();
    let first = door.opened(&code_of(&browser.sign_in(&page, "ada")));
    door.edge.world.platform.advance(8 * HOUR - 1);
    let second = door.opened(&code_of(&browser.go(&request("atoms-cli", &[])).unwrap()));
    assert_eq!((second.user, second.authenticated_at), (first.user, first.authenticated_at));
    assert_eq!(second.upstream, None, "the grant of a sign-in is handed on once");
    assert_ne!(first.id, second.id);
    door.edge.world.platform.advance(1);
    at_authkit(&browser.go(&request("atoms-web", &[])).unwrap());
}

#[test]
fn others_are_asked_for_and_what_was_said_is_kept_in_mind() {
    let door = Door::new();
    web_client(&door);
    let browser = door.browser();
    let read = [("redirect_uri", WEB), ("scope", "atoms:workspace.read")];
    let page = browser.go(&request("third-party", &read)).unwrap();
    let page = browser.sign_in(&page, "ada");
    let ask = asked(&page);
    assert_eq!(ask.scopes, ["atoms:workspace.read"]);
    assert_eq!(ask.email.as_deref(), Some("ada@example.test"));
    let answered = browser.answer(ask, "allow").unwrap();
    assert!(answered.allowed && answered.client.client_id == "third-party");
    let grant = door.opened(&code_of(&answered.visit));
    assert!(grant.upstream.is_some(), "the sign-in was for this request");
    let again = browser.go(&request("third-party", &read)).unwrap();
    assert_eq!(door.opened(&code_of(&again)).scopes, ["atoms:workspace.read"]);
    let more = [("redirect_uri", WEB), ("scope", "atoms:workspace.read atoms:workspace.write")];
    asked(&browser.go(&request("third-party", &more)).unwrap());
    asked(
        &browser
            .go(&request("third-party", &[&read[..], &[("prompt", "consent")]].concat()))
            .unwrap(),
    );
    let another = door.browser();
    let page = another.go(&request("third-party", &read)).unwrap();
    asked(&another.sign_in(&page, "bob"));
}

#[test]
fn a_program_on_the_device_is_allowed_each_time_it_asks() {
    let door = Door::new();
    let browser = door.browser();
    let page = browser.go(&request("third-party", &[])).unwrap();
    let page = browser.sign_in(&page, "ada");
    code_of(&browser.answer(asked(&page), "allow").unwrap().visit);
    // RFC 8252 section 8.6: another program could pass for it.
    asked(&browser.go(&request("third-party", &[])).unwrap());
    let silently = browser.go(&request("third-party", &[("prompt", "none")])).unwrap();
    assert_eq!(error(&silently), "interaction_required");
}

#[test]
fn prompt_none_asks_nobody_anything() {
    let door = Door::new();
    web_client(&door);
    let browser = door.browser();
    let none = [("prompt", "none"), ("redirect_uri", WEB)];
    assert_eq!(error(&browser.go(&request("third-party", &none)).unwrap()), "login_required");
    let page = browser.go(&request("third-party", &[("redirect_uri", WEB)])).unwrap();
    let page = browser.sign_in(&page, "ada");
    assert_eq!(error(&browser.go(&request("third-party", &none)).unwrap()), "consent_required");
    browser.answer(asked(&page), "allow").unwrap();
    code_of(&browser.go(&request("third-party", &none)).unwrap());
    code_of(&browser.go(&request("atoms-web", &[("prompt", "none")])).unwrap());
}

#[test]
fn prompt_login_and_select_account_ask_for_a_new_sign_in() {
    let door = Door::new();
    let browser = door.browser();
    let page = browser.go(&request("atoms-web", &[])).unwrap();
    browser.sign_in(&page, "ada");
    for prompt in ["login", "select_account"] {
        let more = [("prompt", prompt), ("login_hint", "bob@example.test")];
        let page = browser.go(&request("atoms-web", &more)).unwrap();
        let at = at_authkit(&page);
        assert_eq!((at["max_age"].as_str(), at["login_hint"].as_str()), ("0", "bob@example.test"));
        let grant = door.opened(&code_of(&browser.sign_in(&page, "bob")));
        assert_eq!(grant.user, "bob");
    }
    let silent = browser.go(&request("atoms-web", &[("prompt", "none login")])).unwrap();
    assert_eq!(error(&silent), "invalid_request");
}

#[test]
fn m9_nobody_is_sent_where_the_client_is_not_known_to_be() {
    let door = Door::new();
    let browser = door.browser();
    for asked in [
        "http://127.0.0.1:52163@evil.example/callback",
        "http://127.0.0.1:52163/callback#x",
        "http://127.0.0.1:52163/callback%2f..%2fevil",
        "http://127.0.0.1.evil.example/callback",
        "http://localhost.evil.example/callback",
        "http://127.0.0.1.:52163/callback",
        "https://evil.example",
        "javascript:alert(1)",
    ] {
        let refused = browser.go(&request("atoms-web", &[("redirect_uri", asked)]));
        assert_eq!(word(refused), "invalid_request", "{asked}");
    }
    for (changes, code) in [
        ([("redirect_uri", ""), ("x", "y")], "invalid_request"),
        ([("client_id", ""), ("x", "y")], "invalid_request"),
        ([("client_id", "nobody"), ("x", "y")], "invalid_client"),
        ([("client_id", "atoms-web"), ("client_id", "atoms-cli")], "invalid_request"),
        ([("state", "a"), ("state", "b")], "invalid_request"),
        ([("redirect_uri", CALLBACK), ("redirect_uri", CALLBACK)], "invalid_request"),
    ] {
        assert_eq!(word(browser.go(&request("atoms-web", &changes))), code, "{changes:?}");
    }
    door.edge.world.database.change("atoms-cli", |client| client.disabled = true);
    assert_eq!(word(browser.go(&request("atoms-cli", &[]))), "invalid_client");
}

#[test]
fn m6_a_secret_in_the_query_is_refused() {
    let door = Door::new();
    for name in ["access_token", "refresh_token", "client_secret", "client_assertion", "code"] {
        let refused = door.browser().go(&request("atoms-web", &[(name, "secret")]));
        assert_eq!(word(refused), "invalid_request", "{name}");
    }
}

#[test]
fn m8_pkce_cannot_be_weakened_and_the_client_is_told() {
    let door = Door::new();
    let browser = door.browser();
    for changes in [
        [("code_challenge", ""), ("code_challenge_method", "")],
        [("code_challenge", CHALLENGE), ("code_challenge_method", "plain")],
        [("code_challenge", CHALLENGE), ("code_challenge_method", "")],
        [("code_challenge", ""), ("code_challenge_method", "S256")],
    ] {
        let visit = browser.go(&request("atoms-web", &changes)).unwrap();
        assert_eq!(error(&visit), "invalid_request", "{changes:?}");
    }
}

#[test]
fn m9_the_client_is_told_what_is_wrong_with_its_request() {
    let door = Door::new();
    let browser = door.browser();
    for (change, code) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", "atoms:everything"), "invalid_scope"),
        (("resource", "https://other.example"), "invalid_target"),
        (("request", "e30."), "request_not_supported"),
        (("prompt", "whatever"), "invalid_request"),
        (("dpop_jkt", "short"), "invalid_request"),
    ] {
        assert_eq!(error(&browser.go(&request("third-party", &[change])).unwrap()), code);
    }
    door.edge.world.database.change("third-party", |client| client.grant_types.truncate(2));
    door.edge.world.platform.advance(MINUTE);
    assert_eq!(error(&browser.go(&request("third-party", &[])).unwrap()), "unauthorized_client");
}

#[test]
fn code_injection_a_sign_in_ends_in_the_browser_where_it_began() {
    let door = Door::new();
    let (attacker, victim) = (door.browser(), door.browser());
    let page = attacker.go(&request("atoms-web", &[])).unwrap();
    let at = at_authkit(&page);
    let code = door.edge.world.workos.sign_in("mallory", "sign-in", &at["code_challenge"]);
    let back = [("code", code.as_str()), ("state", at["state"].as_str())];
    assert_eq!(word(victim.come_back(&back)), "invalid_request", "no cookie at all");
    let theirs = victim.go(&request("atoms-web", &[])).unwrap();
    assert_eq!(word(victim.come_back(&back)), "invalid_request", "the cookie of another browser");
    let state = at_authkit(&theirs)["state"].clone();
    let mixed = victim.come_back(&[("code", &code), ("state", &state)]).unwrap();
    assert_eq!(error(&mixed), "access_denied", "PKCE binds AuthKit's code to the request");
    assert_eq!(victim.cookie("__Host-atoms_login"), None);
    for at_char in [0, 40, state.len() - 1] {
        let state = tampered(&state, at_char);
        let refused = victim.come_back(&[("code", &code), ("state", &state)]);
        assert_eq!(word(refused), "invalid_request");
    }
    victim.plant("__Host-atoms_browser", "x; __Host-atoms_browser=y");
    assert_eq!(word(victim.come_back(&back)), "invalid_request", "two cookies");
}

#[test]
fn what_was_sealed_for_one_purpose_is_nothing_for_another() {
    let door = Door::new();
    let browser = door.browser();
    let page = browser.go(&request("third-party", &[])).unwrap();
    let state = at_authkit(&page)["state"].clone();
    let pushed = format!("urn:ietf:params:oauth:request_uri:{state}");
    let misused = [("client_id", "third-party"), ("request_uri", pushed.as_str())];
    assert_eq!(word(browser.go(&misused)), "invalid_request_uri");
    let page = browser.sign_in(&page, "ada");
    let sealed = asked(&page).request.clone();
    assert_eq!(word(browser.come_back(&[("code", "x"), ("state", &sealed)])), "invalid_request");
}

#[test]
fn a_sign_in_that_came_to_nothing_is_told() {
    let door = Door::new();
    let browser = door.browser();
    let page = browser.go(&request("atoms-web", &[])).unwrap();
    let state = at_authkit(&page)["state"].clone();
    for back in [
        [("error", "access_denied"), ("state", &state)],
        [("code", "made up"), ("state", &state)],
        [("other", "x"), ("state", &state)],
    ] {
        assert_eq!(error(&browser.come_back(&back).unwrap()), "access_denied");
    }
    door.edge.world.platform.advance(30 * MINUTE);
    assert_eq!(word(browser.come_back(&[("code", "x"), ("state", &state)])), "invalid_request");
    assert_eq!(word(browser.come_back(&[("code", "x")])), "invalid_request");
}

#[test]
fn a_page_that_is_loaded_again_goes_on_as_who_has_signed_in() {
    let door = Door::new();
    let browser = door.browser();
    let page = browser.go(&request("third-party", &[])).unwrap();
    let at = at_authkit(&page);
    let code = door.edge.world.workos.sign_in("ada", "sign-in", &at["code_challenge"]);
    let back = [("code", code.as_str()), ("state", at["state"].as_str())];
    asked(&browser.come_back(&back).unwrap());
    let again = browser.come_back(&back).unwrap();
    let grant = door.opened(&code_of(&browser.answer(asked(&again), "allow").unwrap().visit));
    assert_eq!((grant.user.as_str(), grant.upstream), ("ada", None));
    // Whoever signed in long before has not done so for this request.
    door.edge.world.platform.advance(5 * MINUTE);
    let later = browser.go(&request("third-party", &[("prompt", "login")])).unwrap();
    let state = at_authkit(&later)["state"].clone();
    let replayed = browser.come_back(&[("code", &code), ("state", &state)]).unwrap();
    assert_eq!(error(&replayed), "access_denied");
}

#[test]
fn a_client_that_is_gone_by_then_gets_nothing() {
    let door = Door::new();
    let browser = door.browser();
    let page = browser.go(&request("third-party", &[])).unwrap();
    let page = browser.sign_in(&page, "ada");
    let ask = asked(&page);
    let change = |change: fn(&mut data::clients::ClientRecord)| {
        door.edge.world.database.change("third-party", change);
        door.edge.world.platform.advance(MINUTE);
    };
    change(|client| client.redirect_uris.clear());
    assert_eq!(word(browser.answer(ask, "allow")), "invalid_request");
    change(|client| client.disabled = true);
    assert_eq!(word(browser.answer(ask, "allow")), "invalid_client");
}

#[test]
fn consent_forgery_only_who_was_asked_can_answer() {
    let door = Door::new();
    let (ada, bob) = (door.browser(), door.browser());
    let ask_of = |browser: &Browser<'_>, user| {
        let page = browser.go(&request("third-party", &[("prompt", "login")])).unwrap();
        browser.sign_in(&page, user)
    };
    let page = ask_of(&ada, "ada");
    let mine = asked(&page);
    let other = ask_of(&bob, "bob");
    let (request, csrf) = (mine.request.as_str(), mine.csrf.as_str());
    let allow = ("decision", "allow");
    // In another browser, as another person; with their token, too.
    assert_eq!(word(bob.answer(mine, "allow")), "access_denied");
    let theirs = [("request", request), ("csrf", &asked(&other).csrf), allow];
    assert_eq!(word(bob.post(&theirs)), "access_denied");
    // Without a token, or with one for another request.
    assert_eq!(word(ada.post(&[("request", request), allow])), "access_denied");
    let page = ada.go(&self::request("third-party", &[])).unwrap();
    let swapped = [("request", asked(&page).request.as_str()), ("csrf", csrf), allow];
    assert_eq!(word(ada.post(&swapped)), "access_denied");
    // No answer, and one that comes too late.
    assert_eq!(word(ada.answer(mine, "perhaps")), "invalid_request");
    let denied = ada.answer(mine, "deny").unwrap();
    assert!(!denied.allowed);
    assert_eq!(error(&denied.visit), "access_denied");
    door.edge.world.platform.advance(30 * MINUTE);
    assert_eq!(word(ada.answer(mine, "allow")), "invalid_request");
    // Nobody has agreed to anything in all that.
    asked(&ada.go(&self::request("third-party", &[])).unwrap());
}

#[test]
fn a_person_who_has_signed_in_anew_is_asked_anew() {
    let door = Door::new();
    let browser = door.browser();
    let page = browser.go(&request("third-party", &[])).unwrap();
    let page = browser.sign_in(&page, "ada");
    let again = browser.go(&request("third-party", &[("prompt", "login")])).unwrap();
    browser.sign_in(&again, "bob");
    assert_eq!(word(browser.answer(asked(&page), "allow")), "access_denied");
}

#[test]
fn a_login_that_has_ended_is_none() {
    let door = Door::new();
    let browser = door.browser();
    let page = browser.go(&request("third-party", &[])).unwrap();
    let page = browser.sign_in(&page, "ada");
    let (platform, service) = (&door.edge.world.platform, &door.edge.settings);
    let end = End::SignIn("sign-in of ada").remember(platform, service, "ada");
    block_on(end).unwrap();
    // Though the browser still shows the page, and has the cookie.
    assert_eq!(word(browser.answer(asked(&page), "allow")), "invalid_request");
    at_authkit(&browser.go(&request("atoms-web", &[])).unwrap());
    platform.fail(Dependency::Ledger, Fault::Away);
    let unsure = browser.go(&request("atoms-web", &[])).unwrap();
    assert_eq!(error(&unsure), "temporarily_unavailable");
}

#[test]
fn open_redirect_without_a_client_there_is_one_way_to_go() {
    let door = Door::new();
    let browser = door.browser();
    for elsewhere in [
        "https://evil.example",
        "//evil.example",
        "/oauth/authorize",
        "/account/../x",
        "/account?x",
    ] {
        let query = oauth::form::encode(&[("return_to", elsewhere)]);
        assert_eq!(word(browser.sign_in_alone(&query, "ada")), "invalid_request", "{elsewhere}");
    }
    browser.sign_in_alone("return_to=/account", "ada").unwrap();
    assert_eq!(door.opened(&code_of(&browser.go(&request("atoms-web", &[])).unwrap())).user, "ada");
}

#[test]
fn two_answers_are_one_code() {
    let door = Door::new();
    let browser = door.browser();
    let page = browser.go(&request("third-party", &[])).unwrap();
    let page = browser.sign_in(&page, "ada");
    let code = || door.opened(&code_of(&browser.answer(asked(&page), "allow").unwrap().visit));
    assert_eq!(code().id, code().id, "of which the ledger redeems one");
}

#[test]
fn a_dependency_that_is_away_is_no_fault_of_anybody() {
    let door = Door::new();
    let platform = &door.edge.world.platform;
    let browser = door.browser();
    let page = browser.go(&request("third-party", &[])).unwrap();
    let state = at_authkit(&page)["state"].clone();
    platform.fail(Dependency::Workos, Fault::Away);
    let back = [("code", "x"), ("state", state.as_str())];
    assert_eq!(error(&browser.come_back(&back).unwrap()), "temporarily_unavailable");
    platform.heal(Dependency::Workos);
    platform.fail(Dependency::Sql, Fault::Away);
    let page = browser.sign_in(&page, "ada");
    assert_eq!(error(&page), "temporarily_unavailable", "nobody knows what they have agreed to");
    assert!(browser.cookie("__Host-atoms_login").is_some(), "but they are signed in");
    let unknown = browser.go(&request("atoms-service", &[]));
    assert_eq!(word(unknown), "unavailable");
    platform.heal(Dependency::Sql);
    asked(&browser.go(&request("third-party", &[])).unwrap());
}

#[test]
fn an_answer_that_cannot_be_made_tells_no_cause() {
    let door = Door::new();
    let browser = door.browser();
    let page = browser.go(&request("atoms-web", &[])).unwrap();
    door.edge.world.platform.fail(Dependency::Workos, Fault::Timeout);
    let state = at_authkit(&page)["state"].clone();
    let visit = browser.come_back(&[("code", "secret-code"), ("state", &state)]).unwrap();
    let told = told(&visit);
    let said = format!("{told:?}");
    assert!(!said.contains("secret-code") && !said.contains("identity provider"), "{said}");
}

/// A browser in which somebody is signed in, and what is needed to end that.
fn signed_in<'d>(door: &'d Door, user: &str) -> (Browser<'d>, Login) {
    let browser = door.browser();
    browser.sign_in_alone("return_to=/account", user).unwrap();
    let headers = browser.headers();
    let now = door.edge.world.platform.now();
    let login = login::read(&door.settings.login, &headers, now).unwrap();
    (browser, login)
}

#[test]
fn a_copied_cookie_is_worth_nothing_after_a_sign_out() {
    let door = Door::new();
    let (platform, service) = (&door.edge.world.platform, &door.edge.settings);
    let (thief, login) = signed_in(&door, "ada");
    let page = thief.go(&request("third-party", &[])).unwrap();
    code_of(&thief.go(&request("atoms-web", &[])).unwrap());
    let order = auth::account::Order::SignOut;
    block_on(auth::account::perform(platform, service, &login, &order)).unwrap();
    at_authkit(&thief.go(&request("atoms-web", &[])).unwrap());
    assert_eq!(word(thief.answer(asked(&page), "allow")), "invalid_request");
    assert_eq!(
        error(&thief.go(&request("atoms-web", &[("prompt", "none")])).unwrap()),
        "login_required"
    );
}

#[test]
fn who_has_signed_out_signs_in_anew_whatever_authkit_remembers() {
    let door = Door::new();
    let (browser, _) = signed_in(&door, "ada");
    let cookie = login::sign_out_cookie(&door.settings.login);
    let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
    let (name, value) = pair.split_once('=').unwrap();
    browser.plant(name, value);
    let page = browser.go(&request("atoms-web", &[])).unwrap();
    assert_eq!(at_authkit(&page)["max_age"], "0");
    code_of(&browser.sign_in(&page, "bob"));
    let again = door.opened(&code_of(&browser.go(&request("atoms-web", &[])).unwrap()));
    assert_eq!(again.user, "bob", "and is not asked for more");
}

#[test]
fn a_login_of_which_nobody_knows_whether_it_is_over_counts_for_nothing() {
    let door = Door::new();
    let (browser, _) = signed_in(&door, "ada");
    let page = browser.go(&request("third-party", &[])).unwrap();
    door.edge.world.platform.fail(Dependency::Ledger, Fault::Away);
    let visit = browser.go(&request("atoms-web", &[])).unwrap();
    assert_eq!(error(&visit), "temporarily_unavailable");
    assert_eq!(word(browser.answer(asked(&page), "allow")), "unavailable");
    door.edge.world.platform.heal(Dependency::Ledger);
    code_of(&browser.answer(asked(&page), "allow").unwrap().visit);
}
