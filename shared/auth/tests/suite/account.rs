//! The account page: what a person sees and ends.

use auth::Failure;
use auth::account::{Done, NoOrder, Order, Overview, admit, csrf, overview, perform};
use auth::consent::remember;
use auth::login::{LIFETIME, Login, LoginSettings};
use data::clients::ClientOrigin;
use data::consents::Agreed;
use futures::executor::block_on;
use http::HeaderMap;
use oauth::form::Form;
use testing::{Dependency, Fault};

use crate::login::{browser, login_of};
use crate::support::{Edge, MINUTE};

fn seen(edge: &Edge, login: &Login) -> Overview {
    block_on(overview(&edge.world.platform, &edge.settings, login)).unwrap()
}

fn done(edge: &Edge, login: &Login, order: &Order) -> Result<Done, Failure> {
    block_on(perform(&edge.world.platform, &edge.settings, login, order))
}

fn connect(edge: &Edge, person: &str, client: &str, name: &str) {
    let agreed = Agreed {
        client_id: client.to_owned(),
        client_name: name.to_owned(),
        scopes: vec!["atoms:workspace.read".to_owned()],
    };
    block_on(remember(&edge.world.platform, &edge.settings.sql, person, &agreed)).unwrap();
}

/// A session at a client, of a sign-in that is not the one of the login.
fn elsewhere(edge: &Edge, client: &str, user: &str) -> crate::support::Issued {
    let token = edge.world.authkit(user, &format!("another sign-in of {user}"));
    edge.exchange(client, &token, &[]).unwrap()
}

#[test]
fn a_person_sees_their_sessions_at_all_clients_and_their_applications() {
    let edge = Edge::new();
    let login = login_of(&edge.world.platform, "ada");
    let cli = edge.sign_in("ada");
    edge.world.platform.advance(MINUTE);
    let web = elsewhere(&edge, "atoms-web", "ada");
    edge.sign_in("bob");
    connect(&edge, "ada", "atoms-web", "The web");
    connect(&edge, "ada", "https://claude.ai/meta", "Claude");
    connect(&edge, "ada", "gone", "Once");
    connect(&edge, "bob", "atoms-cli", "Not hers");
    let Overview { sessions, apps } = seen(&edge, &login);
    let shown: Vec<_> = sessions
        .iter()
        .map(|one| (one.view.id.to_string(), one.client.as_str(), one.here))
        .collect();
    // By the name that she saw, or else by the one that is registered.
    let expected = [(web.session, "The web", false), (cli.session, "Test client atoms-cli", true)];
    assert_eq!(shown, expected);
    let apps: Vec<_> =
        apps.unwrap().into_iter().map(|app| (app.consent.client_name, app.origin)).collect();
    let named = |name: &str, origin| (name.to_owned(), origin);
    assert_eq!(
        apps,
        [
            named("The web", ClientOrigin::Registered),
            named("Once", ClientOrigin::Dynamic),
            named("Claude", ClientOrigin::Document),
        ]
    );
}

#[test]
fn a_person_ends_one_session() {
    let edge = Edge::new();
    let login = login_of(&edge.world.platform, "ada");
    let (cli, bob) = (edge.sign_in("ada"), edge.sign_in("bob"));
    for unknown in [bob.session.as_str(), "", "x", "../x", "00112233445566778899aabbccddeeff"] {
        assert_eq!(
            done(&edge, &login, &Order::End(unknown.to_owned())),
            Ok(Done::Gone),
            "{unknown}"
        );
    }
    assert!(edge.active(bob.access()));
    assert_eq!(done(&edge, &login, &Order::End(cli.session)), Ok(Done::Ended));
    assert_eq!(edge.introspect(&cli.tokens.access_token)["active"], false);
}

#[test]
fn a_person_ends_what_did_not_come_from_this_sign_in() {
    let edge = Edge::new();
    let login = login_of(&edge.world.platform, "ada");
    let here = [edge.sign_in("ada"), edge.sign_in_at("atoms-web", "ada")];
    let there = elsewhere(&edge, "atoms-web", "ada");
    let bob = edge.sign_in("bob");
    assert_eq!(done(&edge, &login, &Order::EndOthers), Ok(Done::OthersEnded));
    assert!(here.iter().all(|session| edge.active(session.access())) && edge.active(bob.access()));
    assert!(!edge.active(there.access()));
    assert_eq!(done(&edge, &login, &Order::EndOthers), Ok(Done::OthersEnded), "it may be repeated");
}

#[test]
fn to_disconnect_an_application_ends_its_sessions_and_makes_it_ask_again() {
    let edge = Edge::new();
    let login = login_of(&edge.world.platform, "ada");
    connect(&edge, "ada", "atoms-web", "The web");
    connect(&edge, "bob", "atoms-web", "The web");
    let (web, cli) = (edge.sign_in_at("atoms-web", "ada"), edge.sign_in("ada"));
    let bob = edge.sign_in_at("atoms-web", "bob");
    let order = || Order::Disconnect("atoms-web".to_owned());
    assert_eq!(done(&edge, &login, &order()), Ok(Done::Disconnected));
    assert!(!edge.active(web.access()) && edge.active(cli.access()) && edge.active(bob.access()));
    assert_eq!(seen(&edge, &login).apps, Some(vec![]));
    assert_eq!(seen(&edge, &login_of(&edge.world.platform, "bob")).apps.unwrap().len(), 1);
    assert_eq!(done(&edge, &login, &order()), Ok(Done::Disconnected), "it may be repeated");
}

#[test]
fn an_application_whose_sessions_cannot_be_ended_stays_to_be_disconnected() {
    let edge = Edge::new();
    let login = login_of(&edge.world.platform, "ada");
    connect(&edge, "ada", "atoms-web", "The web");
    edge.world.platform.fail(Dependency::Ledger, Fault::Away);
    let refused = done(&edge, &login, &Order::Disconnect("atoms-web".to_owned()));
    assert!(matches!(refused, Err(Failure::Unavailable(_))));
    edge.world.platform.heal(Dependency::Ledger);
    assert_eq!(seen(&edge, &login).apps.unwrap().len(), 1);
}

#[test]
fn sessions_are_ended_while_the_database_is_away() {
    let edge = Edge::new();
    let login = login_of(&edge.world.platform, "ada");
    let cli = edge.sign_in("ada");
    edge.world.platform.fail(Dependency::Sql, Fault::Away);
    let Overview { sessions, apps } = seen(&edge, &login);
    assert_eq!((sessions.len(), apps), (1, None));
    assert_eq!(done(&edge, &login, &Order::End(cli.session)), Ok(Done::Ended));
}

#[test]
fn whoever_hurries_is_told_and_nothing_is_done() {
    let edge = Edge::with(&[("RATE_LIMIT_TIER", "1")]);
    let login = login_of(&edge.world.platform, "ada");
    let there = elsewhere(&edge, "atoms-web", "ada");
    assert_eq!(done(&edge, &login, &Order::EndOthers), Ok(Done::OthersEnded));
    assert!(!edge.active(there.access()));
    let token = edge.world.authkit("ada", "a third sign-in");
    let third = edge.exchange("atoms-web", &token, &[]).unwrap();
    assert!(matches!(done(&edge, &login, &Order::EndOthers), Err(Failure::Limited { .. })));
    assert!(edge.active(third.access()));
}

#[test]
fn a_form_counts_for_whom_it_was_made_only() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    let settings = LoginSettings::load(platform).unwrap();
    let login = login_of(platform, "ada");
    let headers = browser(platform, &settings, &login);
    let token = csrf(&settings, &login).unwrap();
    let posted = |headers: &HeaderMap, token: &str| {
        let form = Form::of([("csrf", Some(token.to_owned()))]).unwrap();
        block_on(admit(platform, &edge.settings, &settings, headers, &form))
    };
    assert_eq!(posted(&headers, &token), Ok(login.clone()));
    assert_eq!(posted(&headers, ""), Err(NoOrder::Incomplete));
    assert_eq!(posted(&HeaderMap::new(), &token), Err(NoOrder::SignedOut));
    let consent = auth::consent::csrf(&settings, &login, "request").unwrap();
    let eve = csrf(&settings, &login_of(platform, "eve")).unwrap();
    let before = csrf(&settings, &login_of(platform, "ada")).unwrap();
    for foreign in [&consent, &eve, &before, "1.x"] {
        assert_eq!(posted(&headers, foreign), Err(NoOrder::Stale), "{foreign}");
    }
    let mut cross = headers.clone();
    cross.insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(posted(&cross, &token), Err(NoOrder::Elsewhere));
    platform.fail(Dependency::Ledger, Fault::Away);
    assert!(matches!(posted(&headers, &token), Err(NoOrder::Failed(Failure::Unavailable(_)))));
    platform.heal(Dependency::Ledger);
    platform.advance(LIFETIME);
    assert_eq!(posted(&headers, &token), Err(NoOrder::SignedOut));
}

#[test]
fn a_copy_of_the_cookie_is_worth_nothing_after_the_person_has_signed_out() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    let settings = LoginSettings::load(platform).unwrap();
    let (here, there) = (login_of(platform, "ada"), login_of(platform, "ada"));
    let who = |login: &Login| {
        let headers = browser(platform, &settings, login);
        block_on(auth::login::current(platform, &edge.settings, &settings, &headers)).unwrap()
    };
    let cli = edge.sign_in("ada");
    assert_eq!(who(&here), Some(here.clone()));
    assert_eq!(done(&edge, &here, &Order::SignOut), Ok(Done::SignedOut));
    assert_eq!(who(&here), None);
    assert_eq!(done(&edge, &here, &Order::SignOut), Ok(Done::SignedOut), "it may be repeated");
    assert_eq!(who(&there), Some(there), "in another browser they stay");
    assert!(edge.active(cli.access()), "and applications stay connected");
}
