//! Pushed authorization requests, RFC 9126.

use futures::executor::block_on;
use futures::future::join_all;
use ports::Clock as _;
use testing::{Dependency, Fault, ProofKey, SERVICE_SECRET, proof_claims};

use crate::browser::{CALLBACK, CHALLENGE, Door, at_authkit, code_of, error, request};
use crate::support::{SECOND, basic, word};

fn go<'p>(client_id: &'p str, uri: &'p str) -> [(&'p str, &'p str); 2] {
    [("client_id", client_id), ("request_uri", uri)]
}

fn push(door: &Door, client_id: &str) -> String {
    block_on(door.push(&[], &request(client_id, &[]))).unwrap()
}

#[test]
fn what_was_pushed_counts_and_nothing_else() {
    let door = Door::new();
    let browser = door.browser();
    let pushed = request("atoms-web", &[("scope", "atoms:workspace.read")]);
    let uri = block_on(door.push(&[], &pushed)).unwrap();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"));
    let mut query = request("atoms-web", &[("scope", "audit:read"), ("state", "another")]);
    query.push(("request_uri", &uri));
    let page = browser.go(&query).unwrap();
    let grant = door.opened(&code_of(&browser.sign_in(&page, "ada")));
    assert_eq!(
        (grant.scopes, grant.redirect_uri.as_str()),
        (vec!["atoms:workspace.read".to_owned()], CALLBACK)
    );
}

#[test]
fn a_request_uri_is_used_once() {
    let door = Door::new();
    let browser = door.browser();
    let uri = push(&door, "atoms-web");
    at_authkit(&browser.go(&go("atoms-web", &uri)).unwrap());
    assert_eq!(word(browser.go(&go("atoms-web", &uri))), "invalid_request_uri");
    assert_eq!(word(door.browser().go(&go("atoms-web", &uri))), "invalid_request_uri");
}

#[test]
fn of_fifty_parallel_uses_one_succeeds() {
    let door = Door::new();
    let uri = push(&door, "atoms-web");
    let query = oauth::form::encode(&go("atoms-web", &uri));
    let browsers: Vec<_> = (0..50).map(|_| door.browser()).collect();
    let visits = block_on(join_all(browsers.iter().map(|browser| browser.visit(&query))));
    assert_eq!(visits.iter().filter(|visit| visit.is_ok()).count(), 1);
    assert!(
        visits
            .into_iter()
            .filter(Result::is_err)
            .all(|refused| word(refused) == "invalid_request_uri")
    );
}

#[test]
fn a_request_uri_is_its_clients_alone_and_for_ninety_seconds() {
    let door = Door::new();
    let browser = door.browser();
    let uri = push(&door, "atoms-web");
    assert_eq!(word(browser.go(&go("atoms-cli", &uri))), "invalid_request_uri");
    for at in [34, 60, uri.len() - 1] {
        let tampered = crate::support::tampered(&uri, at);
        assert_eq!(word(browser.go(&go("atoms-web", &tampered))), "invalid_request_uri");
    }
    door.edge.world.platform.advance(90 * SECOND - 1);
    at_authkit(&browser.go(&go("atoms-web", &uri)).unwrap());
    let uri = push(&door, "atoms-web");
    door.edge.world.platform.advance(90 * SECOND);
    assert_eq!(word(browser.go(&go("atoms-web", &uri))), "invalid_request_uri");
}

#[test]
fn request_uris_of_others_are_not_followed() {
    let door = Door::new();
    let browser = door.browser();
    for uri in ["https://client.example/request.jwt", "http://169.254.169.254/", "urn:x"] {
        assert_eq!(word(browser.go(&go("atoms-web", uri))), "request_uri_not_supported", "{uri}");
    }
    let uri = push(&door, "atoms-web");
    let both = [("client_id", "atoms-web"), ("request_uri", uri.as_str()), ("request", "e30.")];
    assert_eq!(word(browser.go(&both)), "invalid_request");
    at_authkit(&browser.go(&go("atoms-web", &uri)).unwrap());
}

#[test]
fn c4_a_client_that_can_keep_a_secret_proves_itself() {
    let door = Door::new();
    let pushed = request("atoms-service", &[]);
    assert_eq!(word(block_on(door.push(&[], &pushed))), "invalid_client");
    let wrong = basic("atoms-service", "wrong");
    assert_eq!(word(block_on(door.push(&[("authorization", &wrong)], &pushed))), "invalid_client");
    let right = basic("atoms-service", SERVICE_SECRET);
    block_on(door.push(&[("authorization", &right)], &pushed)).unwrap();
    block_on(door.push(&[("authorization", &right)], &request("", &[]))).unwrap();
    assert_eq!(
        word(block_on(door.push(&[("authorization", &right)], &request("atoms-web", &[])))),
        "invalid_request"
    );
}

#[test]
fn all_of_a_request_is_checked_when_it_is_pushed() {
    let door = Door::new();
    for (change, code) in [
        (("redirect_uri", "http://127.0.0.1@evil.example/callback"), "invalid_request"),
        (("redirect_uri", ""), "invalid_request"),
        (("request_uri", "urn:ietf:params:oauth:request_uri:x"), "invalid_request"),
        (("request", "e30."), "request_not_supported"),
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("scope", "atoms:everything"), "invalid_scope"),
        (("resource", "https://other.example"), "invalid_target"),
        (("client_id", "nobody"), "invalid_client"),
    ] {
        let refused = block_on(door.push(&[], &request("third-party", &[change])));
        assert_eq!(word(refused), code, "{change:?}");
    }
}

#[test]
fn a_client_may_be_held_to_pushing() {
    let door = Door::new();
    door.edge.world.database.change("atoms-web", |client| client.require_pushed = true);
    let browser = door.browser();
    let direct = [("code_challenge", CHALLENGE)];
    assert_eq!(error(&browser.go(&request("atoms-web", &direct)).unwrap()), "invalid_request");
    at_authkit(&browser.go(&go("atoms-web", &push(&door, "atoms-web"))).unwrap());
}

#[test]
fn f15_nothing_is_used_up_while_the_ledger_is_away() {
    let door = Door::new();
    let browser = door.browser();
    let uri = push(&door, "atoms-web");
    door.edge.world.platform.fail(Dependency::Ledger, Fault::Away);
    assert_eq!(word(browser.go(&go("atoms-web", &uri))), "unavailable");
    door.edge.world.platform.heal(Dependency::Ledger);
    at_authkit(&browser.go(&go("atoms-web", &uri)).unwrap());
}

#[test]
fn f17_a_request_that_is_pushed_with_a_proof_is_for_its_key() {
    let door = Door::new();
    let platform = &door.edge.world.platform;
    let (key, other) = (ProofKey::es256(1), ProofKey::es256(2));
    let url = "https://edge.example/oauth/par";
    let proof = || {
        let nonce = door.settings.nonces.current(platform.now()).unwrap();
        key.proof(&proof_claims("POST", url, platform.now(), &nonce))
    };
    let pushed = request("atoms-web", &[]);
    let first = proof();
    let uri = block_on(door.push(&[("dpop", &first)], &pushed)).unwrap();
    let browser = door.browser();
    let page = browser.go(&go("atoms-web", &uri)).unwrap();
    let grant = door.opened(&code_of(&browser.sign_in(&page, "ada")));
    assert_eq!(grant.key, Some(key.thumbprint()));
    let refused = |headers: &[(&'static str, &str)], more: &[(&str, &str)]| {
        word(block_on(door.push(headers, &request("atoms-web", more))))
    };
    assert_eq!(refused(&[("dpop", &first)], &[]), "invalid_dpop_proof", "used before");
    let thumbprint = other.thumbprint();
    let named = [("dpop_jkt", thumbprint.as_str())];
    assert_eq!(refused(&[("dpop", &proof())], &named), "invalid_dpop_proof", "another key");
    let bare = key.proof(&proof_claims("POST", url, platform.now(), "made up"));
    assert_eq!(refused(&[("dpop", &bare)], &[]), "use_dpop_nonce");
}
