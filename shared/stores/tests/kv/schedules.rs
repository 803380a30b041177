//! Random schedules over two locations, each of whose reads may be a minute old, the next one fresh
//! and the one after it old again, their own writes included.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::join;
use ledger::{
    Address, Check, Command, CreateSession, Credential, Device, Envelope, Extend, Issue, Limits,
    Millis, Once, OnceId, Origin, Outcome, Policy, Refusal, Revoke, SessionId, Signals, Subject,
    Usage,
};
use ports::{Clock, Ledgers};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use testing::Lag;
use testing::contract::refresh_of;

use crate::support::{Apart, Site};

const ADDRESS: Address = Address::from_bytes([7; 16]);
const STALENESS: Millis = 60_000;
/// A client does not retry for longer; the grace of a rotation is five minutes.
const PATIENCE: Millis = 200_000;

#[derive(Debug, Clone)]
enum Op {
    SignIn {
        there: bool,
        external: Option<u8>,
        /// By a code that nobody else has.
        code: bool,
    },
    Refresh {
        there: bool,
        client: Index,
    },
    /// The answer was lost, or another tab was as fast.
    Retry {
        there: bool,
        client: Index,
    },
    RefreshAtBoth {
        client: Index,
    },
    Extend {
        there: bool,
        client: Index,
    },
    Introspect {
        there: bool,
        client: Index,
    },
    RevokeByName {
        there: bool,
        client: Index,
    },
    RevokeByToken {
        there: bool,
        client: Index,
    },
    RevokeWhileRefreshed {
        client: Index,
    },
    RevokeAll {
        there: bool,
        except: Option<Index>,
    },
    List {
        there: bool,
    },
    Wait {
        milliseconds: u16,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let there = any::<bool>();
    let client = any::<Index>;
    let at = (there, client());
    prop_oneof![
        4 => (there, proptest::option::of(0..2u8), any::<bool>())
            .prop_map(|(there, external, code)| Op::SignIn { there, external, code }),
        8 => at.clone().prop_map(|(there, client)| Op::Refresh { there, client }),
        4 => at.clone().prop_map(|(there, client)| Op::Retry { there, client }),
        3 => client().prop_map(|client| Op::RefreshAtBoth { client }),
        1 => at.clone().prop_map(|(there, client)| Op::Extend { there, client }),
        3 => at.clone().prop_map(|(there, client)| Op::Introspect { there, client }),
        1 => at.clone().prop_map(|(there, client)| Op::RevokeByName { there, client }),
        1 => at.prop_map(|(there, client)| Op::RevokeByToken { there, client }),
        1 => client().prop_map(|client| Op::RevokeWhileRefreshed { client }),
        1 => (there, proptest::option::of(client()))
            .prop_map(|(there, except)| Op::RevokeAll { there, except }),
        1 => there.prop_map(|there| Op::List { there }),
        4 => (0..20_000u16).prop_map(|milliseconds| Op::Wait { milliseconds }),
    ]
}

/// What must be true of a session in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives,
    Dead,
    /// A revocation got no answer.
    Unknown,
}

/// A client that holds the tokens of one session.
struct Holder {
    newest: (u16, u32),
    /// What it has refreshed to get that, and when it first did.
    before: Option<((u16, u32), Millis)>,
    fate: Fate,
    /// Whether all that has ended it is an end of all but another one.
    only_by_but_one: bool,
}

struct Run {
    store: Apart,
    holders: BTreeMap<SessionId, Holder>,
    /// When all sessions were ended last.
    ended_all: Millis,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_stale_the_revoked_are_dead_and_the_others_live(
        ops in vec(op(), 1..40),
        seed: u64,
    ) {
        block_on(async {
            let store = Apart::new(Lag::Random(STALENESS));
            let mut run = Run { store, holders: BTreeMap::new(), ended_all: 0 };
            run.store.here.0.seed(seed);
            for op in ops {
                run.step(op).await;
                run.store.here.0.advance(Duration::from_millis(1));
            }
            run.quiesce().await;
        });
    }
}

impl Run {
    fn site(&self, there: bool) -> &Site<testing::KvLocation> {
        if there { &self.store.there } else { &self.store.here }
    }

    fn now(&self) -> Millis {
        self.store.here.now()
    }

    async fn run(&self, there: bool, command: Command) -> Option<Outcome> {
        let policy = Policy { limits: Limits::off(), max_sessions: 1000, ..Policy::default() };
        let envelope = Envelope { command, policy, origin: Origin::default() };
        self.site(there).execute(&ADDRESS, &envelope).await.ok()
    }

    fn pick(&self, client: Index) -> Option<SessionId> {
        let names: Vec<_> = self.holders.keys().copied().collect();
        (!names.is_empty()).then(|| *client.get(&names))
    }

    async fn step(&mut self, op: Op) {
        let client = match &op {
            Op::Refresh { client, .. }
            | Op::Retry { client, .. }
            | Op::RefreshAtBoth { client }
            | Op::Extend { client, .. }
            | Op::Introspect { client, .. }
            | Op::RevokeByName { client, .. }
            | Op::RevokeByToken { client, .. }
            | Op::RevokeWhileRefreshed { client } => match self.pick(*client) {
                Some(session) => session,
                None => return,
            },
            _ => SessionId::from_bytes([0; 16]),
        };
        match op {
            Op::SignIn { there, external, code } => self.sign_in(there, external, code).await,
            Op::Refresh { there, .. } => {
                let token = self.holders[&client].newest;
                let outcome = self.run(there, refresh(client, token)).await;
                self.refreshed(client, token, outcome);
            }
            Op::Retry { there, .. } => {
                let Some((token, since)) = self.holders[&client].before else { return };
                if self.now() < since + PATIENCE {
                    let outcome = self.run(there, refresh(client, token)).await;
                    self.refreshed(client, token, outcome);
                }
            }
            Op::RefreshAtBoth { .. } => {
                let token = self.holders[&client].newest;
                let command = refresh(client, token);
                let both = join(self.run(false, command.clone()), self.run(true, command)).await;
                if let (Some(Outcome::Issued(one)), Some(Outcome::Issued(other))) = &both {
                    assert_eq!((one.generation, one.counter), (other.generation, other.counter));
                }
                self.refreshed(client, token, both.0);
                self.refreshed(client, token, both.1);
            }
            Op::Extend { there, .. } => {
                let client_id = "app".to_owned();
                let extend = Extend { session: client, client_id, key_id: 1 };
                if let Some(Outcome::Issued(issue)) = self.run(there, Command::Extend(extend)).await
                {
                    let token = self.holders[&client].newest;
                    self.got(client, token, &issue);
                }
            }
            Op::Introspect { there, .. } => {
                let credential = Credential::Access { jti: "x".to_owned(), expires_at: u64::MAX };
                let check = Check {
                    session: client,
                    credential,
                    usage: Usage::Introspection,
                    key: None,
                    proof: None,
                };
                self.run(there, Command::Check(check)).await;
            }
            Op::RevokeByName { there, .. } => {
                let revoke = Command::RevokeSession { session: client, reason: None };
                let outcome = self.run(there, revoke).await;
                self.revoked(client, outcome);
            }
            Op::RevokeByToken { there, .. } => {
                let outcome = self.run(there, self.revoke_by_token(client)).await;
                self.revoked(client, outcome);
            }
            Op::RevokeWhileRefreshed { .. } => {
                let token = self.holders[&client].newest;
                let revoke = self.run(false, self.revoke_by_token(client));
                let (outcome, refreshed) =
                    join(revoke, self.run(true, refresh(client, token))).await;
                self.revoked(client, outcome);
                self.refreshed(client, token, refreshed);
            }
            Op::RevokeAll { there, except } => self.revoke_all(there, except).await,
            Op::List { there } => {
                self.run(there, Command::List).await;
            }
            Op::Wait { milliseconds } => {
                self.store.here.0.advance(Duration::from_millis(milliseconds.into()));
            }
        }
    }

    async fn sign_in(&mut self, there: bool, external: Option<u8>, code: bool) {
        // Proofs carry whole seconds.
        let authenticated_at = self.now() / 1000 * 1000;
        let command = Command::CreateSession(CreateSession {
            subject: Subject { id: "user".to_owned(), organization: None, roles: vec![] },
            client_id: "app".to_owned(),
            scopes: vec![],
            scopes_by_default: false,
            resources: vec![],
            resources_by_default: false,
            device: Device { label: String::new(), fingerprint: None },
            signals: Signals::default(),
            external_id: external.map(|number| number.to_string()),
            authenticated_at,
            key_id: 1,
            fresh_for: 0,
            code: code.then(|| {
                let id = OnceId::from_bytes(u128::from(self.now()).to_be_bytes());
                Once::new(id, self.now() + 60_000)
            }),
            proof: None,
            key: None,
        });
        if let Some(Outcome::Issued(issue)) = self.run(there, command).await {
            let newest = (issue.generation, issue.counter);
            // A proof from before an end of all that cannot be seen there begins what is over.
            let proved = external.is_some() || code;
            let stale = proved && authenticated_at <= self.ended_all;
            let fate = if stale { Fate::Unknown } else { Fate::Lives };
            let fresh = Holder { newest, before: None, fate, only_by_but_one: true };
            let holder = self.holders.entry(issue.session).or_insert(fresh);
            if newest > holder.newest {
                // The sign-in has rotated: what the client had is the one before, or older.
                (holder.newest, holder.before) = (newest, None);
            }
        }
    }

    fn refreshed(&mut self, session: SessionId, token: (u16, u32), outcome: Option<Outcome>) {
        match outcome {
            Some(Outcome::Issued(issue)) => self.got(session, token, &issue),
            // It cannot be seen there yet.
            None => {}
            Some(other) => {
                let fate = self.holders[&session].fate;
                assert_ne!(other, Outcome::Refused(Refusal::Reuse), "nobody has reused anything");
                assert_ne!(fate, Fate::Lives, "a living session was refused: {other:?}");
            }
        }
    }

    fn got(&mut self, session: SessionId, token: (u16, u32), issue: &Issue) {
        let now = self.now();
        let holder = self.holders.get_mut(&session).unwrap();
        let got = (issue.generation, issue.counter);
        if got > holder.newest {
            holder.newest = got;
            holder.before = Some((token, now));
        }
    }

    fn revoked(&mut self, session: SessionId, outcome: Option<Outcome>) {
        let holder = self.holders.get_mut(&session).unwrap();
        match outcome {
            Some(Outcome::Revoked { .. }) => {
                (holder.fate, holder.only_by_but_one) = (Fate::Dead, false);
            }
            Some(Outcome::Refused(Refusal::SessionEnded(_))) => {
                assert_ne!(holder.fate, Fate::Lives);
            }
            // Nobody was told that it was done.
            Some(Outcome::Refused(Refusal::UnknownSession)) => {}
            None if holder.fate == Fate::Lives => holder.fate = Fate::Unknown,
            None => {}
            Some(other) => panic!("a revocation answered {other:?}"),
        }
    }

    async fn revoke_all(&mut self, there: bool, except: Option<Index>) {
        let except = except.and_then(|client| self.pick(client));
        let outcome = self.run(there, Command::RevokeAll { except, reason: None }).await;
        self.ended_all = self.now();
        for (session, holder) in &mut self.holders {
            if Some(*session) == except {
                // This end may be written over the one that has spared another one.
                if holder.fate == Fate::Dead && holder.only_by_but_one {
                    holder.fate = Fate::Unknown;
                }
            } else {
                match outcome {
                    Some(_) => {
                        holder.fate = Fate::Dead;
                        holder.only_by_but_one &= except.is_some();
                    }
                    None if holder.fate == Fate::Lives => holder.fate = Fate::Unknown,
                    None => {}
                }
            }
        }
    }

    fn revoke_by_token(&self, session: SessionId) -> Command {
        let (generation, counter) = self.holders[&session].newest;
        Command::RevokeToken(Revoke {
            session,
            credential: Credential::Refresh { generation, counter },
            client_id: "app".to_owned(),
            cascade: false,
            reason: None,
        })
    }

    /// All is seen everywhere: then nothing is approximate any more.
    async fn quiesce(&mut self) {
        self.store.set(Lag::None);
        self.store.here.0.advance(Duration::from_millis(STALENESS));
        for (session, holder) in &self.holders {
            let mut token = holder.newest;
            for there in [false, true, false] {
                let outcome = self.run(there, refresh(*session, token)).await.unwrap();
                match (holder.fate, outcome) {
                    (Fate::Dead | Fate::Unknown, Outcome::Refused(Refusal::SessionEnded(_))) => {}
                    (Fate::Lives | Fate::Unknown, Outcome::Issued(issue)) => {
                        let next = (issue.generation, issue.counter);
                        assert!(next > token);
                        token = next;
                    }
                    (fate, outcome) => panic!("{fate:?}, but {outcome:?}"),
                }
            }
        }
    }
}

fn refresh(session: SessionId, token: (u16, u32)) -> Command {
    refresh_of("app", session, token)
}
