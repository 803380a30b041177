//! Many tokens revoked at once.

use auth::Failure;
use auth::bulk::{Bulk, BulkRevoked, revoke};
use futures::executor::block_on;
use serde_json::{Value, json};
use testing::{Dependency, Fault};

use crate::support::{Edge, Issued, form, tampered, word};

fn run(edge: &Edge, client: &str, bulk: &Bulk) -> Result<BulkRevoked, Failure> {
    let Edge { settings, client: keys, verifier, .. } = edge;
    let (platform, record) = (&edge.world.platform, edge.record(client));
    block_on(revoke(platform, settings, keys, verifier, &record, bulk))
}

fn of_json(body: &Value) -> Result<Bulk, &'static str> {
    let read = Bulk::of_json(body.to_string().as_bytes());
    read.map(|(_, bulk)| bulk).map_err(|error| error.code.as_str())
}

fn results(edge: &Edge, client: &str, tokens: &[Value]) -> Value {
    let bulk = of_json(&json!({ "tokens": tokens })).unwrap();
    serde_json::to_value(run(edge, client, &bulk).unwrap().results).unwrap()
}

fn item(token: &str) -> Value {
    json!({ "token": token })
}

/// Sessions of one person, each of a sign-in of its own.
fn sessions(edge: &Edge, user: &str, many: u32) -> Vec<Issued> {
    let one =
        |at| edge.exchange("atoms-cli", &edge.world.authkit(user, &format!("{user}{at}")), &[]);
    (0..many).map(|at| one(at).unwrap()).collect()
}

#[test]
fn tokens_of_many_people_are_revoked_by_one_request() {
    let edge = Edge::new();
    let (ada, bob) = (sessions(&edge, "ada", 3), sessions(&edge, "bob", 2));
    let tokens = [
        item(ada[0].refresh()),
        item(bob[0].access()),
        json!({ "token": ada[1].access(), "cascade": true, "token_type_hint": "refresh_token" }),
    ];
    let calls = edge.world.platform.calls(Dependency::Ledger);
    let answer = results(&edge, "atoms-cli", &tokens);
    assert_eq!(edge.world.platform.calls(Dependency::Ledger) - calls, 2, "once for each person");
    assert_eq!(answer, json!([{ "revoked": true }, { "revoked": true }, { "revoked": true }]));
    assert!(!edge.active(ada[0].access()) && !edge.active(ada[1].refresh()));
    assert!(!edge.active(bob[0].access()) && edge.active(bob[0].refresh()), "it goes alone");
    assert!(edge.active(ada[2].access()) && edge.active(bob[1].access()));
}

#[test]
fn v3_what_is_unknown_looks_revoked_and_v7_another_clients_token_survives() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let foreign = edge.sign_in_at("atoms-web", "ada");
    let forged = tampered(issued.refresh(), issued.refresh().len() - 3);
    let tokens: Vec<_> =
        ["x", &forged, "a.b.c", foreign.refresh(), issued.refresh(), issued.refresh()]
            .map(item)
            .into();
    let revoked = json!({ "revoked": true });
    let refused = json!({ "revoked": false, "error": "invalid_grant" });
    let expected = json!([revoked, revoked, revoked, refused, revoked, revoked]);
    assert_eq!(results(&edge, "atoms-cli", &tokens), expected);
    assert!(edge.active(foreign.access()) && !edge.active(issued.access()));
    edge.world.platform.forget_cache();
    assert_eq!(results(&edge, "atoms-cli", &tokens), expected, "repeating it changes nothing");
}

#[test]
fn a_hundred_tokens_are_the_most() {
    let edge = Edge::new();
    let issued = edge.sign_in("ada");
    let many = |count: usize| json!({ "tokens": vec![item(issued.refresh()); count] });
    assert_eq!(of_json(&many(101)), Err("invalid_request"));
    assert_eq!(of_json(&many(0)), Err("invalid_request"));
    assert!(edge.active(issued.access()));
    let done = run(&edge, "atoms-cli", &of_json(&many(100)).unwrap()).unwrap();
    assert_eq!(done.results.len(), 100);
    assert!(!edge.active(issued.access()));
}

#[test]
fn a_request_spends_one_revocation_of_each_person() {
    let edge = Edge::with(&[("RATE_LIMIT_TIER", "1")]);
    let ada = sessions(&edge, "ada", 10);
    let bulk = |from: usize, to: usize| {
        let tokens: Vec<_> = ada[from..to].iter().map(|one| item(one.refresh())).collect();
        of_json(&json!({ "tokens": tokens })).unwrap()
    };
    let done = run(&edge, "atoms-cli", &bulk(0, 5)).unwrap();
    assert_eq!(done.budget.map(|budget| (budget.limit, budget.remaining)), Some((5, 4)));
    let done = run(&edge, "atoms-cli", &bulk(0, 5)).unwrap();
    assert_eq!(done.budget, None, "what finds nothing to end is not counted");
    for at in 5..9 {
        run(&edge, "atoms-cli", &bulk(at, at + 1)).unwrap();
    }
    assert_eq!(word(run(&edge, "atoms-cli", &bulk(9, 10)).map(|done| done.results)), "limited");
    assert!(edge.active(ada[9].access()));
}

#[test]
fn without_an_answer_of_all_there_is_no_success() {
    let edge = Edge::new();
    let (ada, bob) = (edge.sign_in("ada"), edge.sign_in("bob"));
    let bulk = of_json(&json!({ "tokens": [item(ada.refresh()), item(bob.refresh())] })).unwrap();
    edge.world.platform.fail_times(Dependency::Ledger, Fault::Away, 1);
    assert_eq!(word(run(&edge, "atoms-cli", &bulk).map(|done| done.results)), "unavailable");
    assert_eq!(run(&edge, "atoms-cli", &bulk).unwrap().results.len(), 2);
    assert!(!edge.active(ada.access()) && !edge.active(bob.access()));
}

#[test]
fn a_form_may_have_one_tokens_for_each() {
    let edge = Edge::new();
    let ada = sessions(&edge, "ada", 2);
    let read = |fields: &[(&str, &str)]| Bulk::of_form(&form(fields));
    assert_eq!(read(&[("token", "x")]), Ok(None));
    for bad in [
        &[("tokens", "x"), ("token", "y")][..],
        &[("tokens", "x"), ("cascade", "yes")],
        &[("tokens", "x"), ("reason", &"r".repeat(201))],
        &[("tokens", "x"); 101],
    ] {
        assert_eq!(read(bad).unwrap_err().code.as_str(), "invalid_request", "{}", bad.len());
    }
    let fields = [("tokens", ada[0].access()), ("tokens", ada[1].access()), ("cascade", "true")];
    let bulk = read(&fields).unwrap().unwrap();
    assert_eq!(run(&edge, "atoms-cli", &bulk).unwrap().results.len(), 2);
    assert!(ada.iter().all(|one| !edge.active(one.refresh())));
}

#[test]
fn what_is_no_such_object_is_refused() {
    for body in [
        json!([]),
        json!({}),
        json!({ "tokens": "x" }),
        json!({ "tokens": ["x"] }),
        json!({ "tokens": [["x"]] }),
        json!({ "tokens": [{ "token": 1 }] }),
        json!({ "tokens": [{ "token": "x", "cascade": "true" }] }),
        json!({ "tokens": [{ "token": "x", "reason": "r".repeat(201) }] }),
        json!({ "tokens": [{ "token": "x" }], "reason": "r".repeat(201) }),
    ] {
        assert_eq!(of_json(&body), Err("invalid_request"), "{body}");
    }
    assert!(Bulk::of_json(b"{").is_err());
}

#[test]
fn reasons_are_kept_with_what_they_ended() {
    let edge = Edge::new();
    let ada = sessions(&edge, "ada", 3);
    let tokens = json!([
        { "token": ada[0].refresh(), "reason": "lost phone" },
        { "token": ada[1].refresh() },
    ]);
    let bulk = of_json(&json!({ "tokens": tokens, "reason": "clean-up" })).unwrap();
    run(&edge, "atoms-cli", &bulk).unwrap();
    edge.revoke("atoms-cli", &[("token", ada[2].refresh()), ("reason", "alone")]).unwrap();
    let ledger = edge.world.platform.ledgers().remove(0);
    let notes: Vec<_> = ledger.sessions.iter().filter_map(|one| one.end_note.as_deref()).collect();
    assert_eq!(notes, ["lost phone", "clean-up", "alone"]);
    let long = "r".repeat(201);
    let outcome = edge.revoke("atoms-cli", &[("token", "x"), ("reason", &long)]);
    assert_eq!(word(outcome), "invalid_request");
}
