//! A platform that refuses writes, and what a command costs.

use std::time::Duration;

use futures::executor::block_on;
use futures::future::join_all;
use ledger::{
    Address, AuditLevel, Command, CreateSession, Credential, Device, EndReason, Envelope, Issue,
    Limits, Once, OnceId, Origin, Outcome, Policy, Refresh, Refusal, Revoke, SessionId, Signals,
    Subject,
};
use ports::{LedgerError, Ledgers};
use testing::contract::refresh_of;
use testing::{KvLocation, Lag, NOW, Obstacle};

use crate::support::Site;

const ADDRESS: Address = Address::from_bytes([7; 16]);

struct Store {
    site: Site<KvLocation>,
    policy: Policy,
}

impl Store {
    fn new() -> Self {
        let [location] = KvLocation::several(NOW);
        let policy = Policy { limits: Limits::off(), ..Policy::default() };
        Self { site: Site(location), policy }
    }

    async fn attempt(&self, command: Command) -> Result<Outcome, LedgerError> {
        let envelope = Envelope { command, policy: self.policy.clone(), origin: Origin::default() };
        self.site.execute(&ADDRESS, &envelope).await
    }

    async fn run(&self, command: Command) -> Outcome {
        self.attempt(command).await.unwrap()
    }

    async fn create(&self) -> SessionId {
        issue(self.run(sign_in()).await).session
    }

    /// What a command writes, by kind.
    async fn written(&self, command: Command) -> String {
        let before = self.site.0.writes().len();
        self.run(command).await;
        let kinds = self.site.0.writes();
        kinds[before..].iter().filter_map(|key| key.split('/').nth(1)).collect()
    }
}

#[test]
fn a_race_on_one_key_meets_the_platforms_limit_and_converges_all_the_same() {
    block_on(async {
        let store = Store::new();
        let session = store.create().await;
        for counter in 0..5 {
            let racers = join_all((0..50).map(|_| store.run(refresh(session, counter)))).await;
            assert!(racers.into_iter().map(issue).all(|issue| issue.counter == counter + 1));
        }
        assert_eq!(issue(store.run(refresh(session, 5)).await).counter, 6);
        assert!(store.site.0.refused() > 0, "the race has met the limit");
    });
}

#[test]
fn a_race_of_stale_readers_on_one_key_converges_too() {
    block_on(async {
        let store = Store::new();
        let session = store.create().await;
        store.site.0.advance(Duration::from_secs(60));
        store.site.0.set_lag(Lag::Random(30_000));
        let racers = join_all((0..50).map(|_| store.run(refresh(session, 0)))).await;
        assert!(racers.into_iter().map(issue).all(|issue| issue.counter == 1));
    });
}

#[test]
fn a_refused_revocation_is_written_once_the_platform_lets_it() {
    block_on(async {
        for times in 1..=3 {
            let store = Store::new();
            let session = store.create().await;
            store.site.0.obstruct("ledger/t/", Obstacle::TooSoon, times);
            let revoke = Command::RevokeSession { session, reason: None };
            assert_eq!(store.run(revoke).await, Outcome::Revoked { sessions: 1 });
            let ended = Refusal::SessionEnded(EndReason::Revoked);
            assert_eq!(store.run(refresh(session, 0)).await, Outcome::Refused(ended));
        }
    });
}

#[test]
fn a_revocation_that_cannot_be_written_is_not_said_to_be_done() {
    block_on(async {
        for (kind, obstacle, times) in [
            ("t", Obstacle::TooSoon, 4),
            ("t", Obstacle::Away, 1),
            ("e", Obstacle::Away, 1),
            ("a", Obstacle::Away, 1),
        ] {
            let store = Store::new();
            let session = store.create().await;
            store.site.0.obstruct(&format!("ledger/{kind}/"), obstacle, times);
            let revoke = Command::RevokeAll { except: None, reason: None };
            assert!(store.attempt(revoke.clone()).await.is_err(), "{kind} {obstacle:?}");
            assert!(matches!(store.run(revoke).await, Outcome::Revoked { .. }));
            let Outcome::Refused(Refusal::SessionEnded(_)) = store.run(refresh(session, 0)).await
            else {
                panic!("it lives after {kind} {obstacle:?}")
            };
        }
    });
}

#[test]
fn a_revoked_access_token_that_cannot_be_written_is_not_said_to_be_revoked() {
    block_on(async {
        let store = Store::new();
        let session = store.create().await;
        let credential = Credential::Access { jti: "j".to_owned(), expires_at: NOW + 900_000 };
        let client_id = "app".to_owned();
        let revoke = Revoke { session, credential, client_id, cascade: false, reason: None };
        store.site.0.obstruct("ledger/j/", Obstacle::Away, 1);
        assert!(store.attempt(Command::RevokeToken(revoke.clone())).await.is_err());
        let done = store.run(Command::RevokeToken(revoke)).await;
        assert_eq!(done, Outcome::Revoked { sessions: 0 });
        assert!(store.site.0.writes().iter().any(|key| key.starts_with("ledger/j/")));
    });
}

#[test]
fn nobody_is_told_of_a_session_that_could_not_be_written() {
    block_on(async {
        for (obstacle, times) in [(Obstacle::Away, 1), (Obstacle::TooSoon, 4)] {
            let store = Store::new();
            store.site.0.obstruct("ledger/s/", obstacle, times);
            assert!(store.attempt(sign_in()).await.is_err(), "{obstacle:?}");
        }
    });
}

#[test]
fn a_code_whose_use_cannot_be_written_starts_nothing() {
    block_on(async {
        for obstacle in [Obstacle::Away, Obstacle::TooSoon] {
            let store = Store::new();
            let Command::CreateSession(create) = sign_in() else { panic!("a sign-in") };
            let code = Some(Once::new(OnceId::from_bytes([1; 16]), NOW + 60_000));
            let redeem = Command::CreateSession(CreateSession { code, ..create });
            store.site.0.obstruct("ledger/c/", obstacle, 1);
            assert!(store.attempt(redeem.clone()).await.is_err(), "{obstacle:?}");
            assert_eq!(store.run(Command::List).await, Outcome::Sessions(vec![]));
            assert!(matches!(store.run(redeem).await, Outcome::Issued(_)), "it is still good");
        }
    });
}

#[test]
fn a_proof_finds_its_session_also_without_the_index() {
    block_on(async {
        let store = Store::new();
        let Command::CreateSession(create) = sign_in() else { panic!("a sign-in") };
        let proof = CreateSession { external_id: Some("x".to_owned()), ..create };
        store.site.0.obstruct("ledger/x/", Obstacle::Away, 1);
        let session = issue(store.run(Command::CreateSession(proof.clone())).await).session;
        store.run(Command::RevokeSession { session, reason: None }).await;
        let again = store.run(Command::CreateSession(proof)).await;
        assert_eq!(again, Outcome::Refused(Refusal::StaleProof));
    });
}

#[test]
fn a_rotation_that_cannot_be_written_for_others_is_caught_up_with_by_its_successor() {
    block_on(async {
        let store = Store::new();
        let session = store.create().await;
        store.site.0.obstruct("ledger/s/", Obstacle::TooSoon, 4);
        assert_eq!(issue(store.run(refresh(session, 0)).await).counter, 1);
        assert_eq!(issue(store.run(refresh(session, 1)).await).counter, 2);
        store.site.0.obstruct("ledger/s/", Obstacle::Away, 1);
        assert!(store.attempt(refresh(session, 2)).await.is_err(), "an outage is one");
        assert_eq!(issue(store.run(refresh(session, 2)).await).counter, 3);
    });
}

#[test]
fn a_lost_rate_limit_window_is_nobodys_problem() {
    block_on(async {
        let store = Store { policy: Policy::default(), ..Store::new() };
        let session = store.create().await;
        store.site.0.obstruct("ledger/w/", Obstacle::Away, 1);
        assert_eq!(issue(store.run(refresh(session, 0)).await).counter, 1);
        let mut counter = 1;
        while let Outcome::Issued(issue) = store.run(refresh(session, counter)).await {
            counter = issue.counter;
        }
        let limit = store.policy.limits.refresh;
        assert!((limit..=limit + 2).contains(&counter), "limits hold, nearly: {counter}");
    });
}

#[test]
fn a_command_writes_what_it_must_and_no_more() {
    block_on(async {
        let store = Store { policy: Policy::default(), ..Store::new() };
        assert_eq!(store.written(sign_in()).await, "es");
        let session = store.create().await;
        assert_eq!(store.written(refresh(session, 0)).await, "ws");
        assert_eq!(store.written(refresh(session, 0)).await, "", "the same answer again");
        assert_eq!(store.written(Command::List).await, "w");
        let foreign = |at: u64| {
            let Command::Refresh(refresh) = refresh(session, 1) else { panic!("a refresh") };
            let client_id = "thief".to_owned();
            store.site.0.advance(Duration::from_secs(at));
            Command::Refresh(Refresh { client_id, ..refresh })
        };
        assert_eq!(store.written(foreign(0)).await, "e");
        assert_eq!(store.written(foreign(2)).await, "", "what is caused at will is told once");
        assert_eq!(store.written(foreign(60)).await, "e", "a minute");
        let revoke = Command::RevokeSession { session, reason: None };
        assert_eq!(store.written(revoke.clone()).await, "etw");
        assert_eq!(store.written(revoke).await, "");
        store.site.0.advance(Duration::from_secs(1));
        let all = Command::RevokeAll { except: None, reason: None };
        assert_eq!(store.written(all).await, "etaw");
        let loud = Store {
            policy: Policy { audit: AuditLevel::All, ..store.policy.clone() },
            ..Store::new()
        };
        let session = loud.create().await;
        assert_eq!(loud.written(refresh(session, 0)).await, "ews");
    });
}

fn issue(outcome: Outcome) -> Issue {
    match outcome {
        Outcome::Issued(issue) => issue,
        other => panic!("tokens were expected, not {other:?}"),
    }
}

pub(crate) fn sign_in() -> Command {
    Command::CreateSession(CreateSession {
        subject: Subject { id: "user".to_owned(), organization: None, roles: vec![] },
        client_id: "app".to_owned(),
        scopes: vec![],
        scopes_by_default: false,
        resources: vec![],
        resources_by_default: false,
        device: Device { label: String::new(), fingerprint: None },
        signals: Signals::default(),
        external_id: None,
        authenticated_at: NOW,
        key_id: 1,
        fresh_for: 0,
        code: None,
        proof: None,
        key: None,
    })
}

fn refresh(session: SessionId, counter: u32) -> Command {
    refresh_of("app", session, (0, counter))
}
