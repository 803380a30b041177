//! What can happen in a history.

use ledger::{
    AuditLevel, Check, Command, CreateSession, Credential, Device, Extend, Fingerprint, LeaseId,
    Ledger, Limits, Link, Millis, OnChange, OnLimit, Once, OnceId, Policy, Refresh, Renewed,
    Revoke, SessionLimit, Settle, Settled, Signals, Subject, UpstreamAnswer, UpstreamGrant,
    UpstreamStore, Usage, Which,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::{START, Token, picked};

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

const SCOPES: [&str; 3] = ["read", "write", "offline_access"];
const RESOURCES: [&str; 2] = ["https://one", "https://two"];

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Pass(Millis),
    Back(Millis),
    /// The store makes a backup.
    Save,
    /// The store is back at its backup: later writes are lost, later tokens are not.
    Restore,
    /// One token is refreshed several times at once.
    Parallel {
        refresh: Order,
        times: u8,
    },
    /// One after the other.
    Sequence(Vec<Op>),
    Command(Order),
}

/// Which formerly issued token is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pick {
    Stranger,
    Recent(usize),
    Any(Index),
}

/// Whether a refresh asks for its time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    Now,
    IfDue,
    InAnyCase,
}

/// What the provider gives: how long its access token lives, and of whom it speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    number: u8,
    age: Millis,
    life: Millis,
    organization: Option<u8>,
}

/// What the provider answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    Renewed(Given),
    Retryable { wait: Option<Millis>, unsure: bool },
    Ended,
}

/// Something that may be used once, for so long still.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use {
    name: u8,
    left: Millis,
}

/// The key that a caller proves to hold, and with what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    key: Option<u8>,
    proof: Option<Use>,
}

/// A command before it is known which tokens there are.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    SignIn {
        client: u8,
        external: Option<u8>,
        organization: u8,
        scopes: u8,
        resources: u8,
        by_default: (bool, bool),
        age: Millis,
        key_id: u8,
        signals: Signals,
        code: Option<Use>,
        bound: Bound,
    },
    Refresh {
        pick: Pick,
        foreign: bool,
        scopes: Option<u8>,
        resources: Option<u8>,
        key_id: u8,
        when: When,
        renews_upstream: bool,
        signals: Signals,
        bound: Bound,
    },
    Extend {
        pick: Pick,
        foreign: bool,
        key_id: u8,
    },
    Check {
        pick: Pick,
        access: bool,
        bound: Bound,
    },
    Consume {
        uses: Vec<Use>,
    },
    WasUsed {
        names: Vec<u8>,
    },
    RevokeToken {
        pick: Pick,
        access: bool,
        foreign: bool,
        cascade: bool,
    },
    RevokeMany {
        orders: Vec<Order>,
    },
    RevokeSession {
        pick: Pick,
    },
    RevokeAll {
        except: Option<Pick>,
    },
    RevokeExternal {
        external: u8,
    },
    RevokeOthers {
        external: u8,
    },
    Disconnect {
        pick: Pick,
    },
    Grant {
        pick: Pick,
        renewed: Given,
    },
    Claim {
        pick: Pick,
        lease: u8,
    },
    Store {
        pick: Pick,
        lease: u8,
        answer: Answer,
    },
    List,
    Register,
    Sweep,
    Deliver {
        up_to: u64,
        /// Of a trail that the store has lost.
        other: bool,
    },
    Peek,
    ClaimWebhooks {
        limit: u32,
    },
    Settle {
        which: Index,
        /// The lease of somebody else.
        stale: bool,
        then: Settled,
    },
}

impl Order {
    pub(crate) fn command(&self, tokens: &[Token], ledger: &Ledger, now: Millis) -> Command {
        match *self {
            Self::SignIn {
                client,
                external,
                organization,
                scopes,
                resources,
                by_default: (scopes_by_default, resources_by_default),
                age,
                key_id,
                ref signals,
                code,
                bound,
            } => Command::CreateSession(CreateSession {
                subject: subject(organization),
                client_id: format!("client-{client}"),
                scopes: chosen(&SCOPES, scopes),
                scopes_by_default,
                resources: chosen(&RESOURCES, resources),
                resources_by_default,
                device: Device { label: "test".to_owned(), fingerprint: None },
                external_id: external.map(|external| format!("sign-in-{external}")),
                // Whole seconds, as in a proof.
                authenticated_at: now.saturating_sub(age) / SECOND * SECOND,
                key_id,
                signals: signals.clone(),
                fresh_for: if key_id < 32 { 5 * MINUTE } else { 0 },
                code: code.map(|code| code.at(now)),
                proof: bound.proof(now),
                key: bound.key(),
            }),
            Self::Extend { pick, foreign, key_id } => {
                let token = picked(tokens, pick);
                let (session, client_id) = (token.session, holder(&token, foreign));
                Command::Extend(Extend { session, client_id, key_id })
            }
            Self::Refresh {
                pick,
                foreign,
                scopes,
                resources,
                key_id,
                when,
                renews_upstream,
                ref signals,
                bound,
            } => {
                let token = picked(tokens, pick);
                Command::Refresh(Refresh {
                    session: token.session,
                    generation: token.generation,
                    counter: token.counter,
                    client_id: holder(&token, foreign),
                    scopes: scopes.map(|mask| chosen(&SCOPES, mask)),
                    resources: resources.map(|mask| chosen(&RESOURCES, mask)),
                    key_id,
                    proactive: !matches!(when, When::Now),
                    force_rotation: matches!(when, When::InAnyCase),
                    renews_upstream,
                    signals: signals.clone(),
                    key: bound.key(),
                    proof: bound.proof(now),
                })
            }
            Self::Check { pick, access, bound } => {
                let token = picked(tokens, pick);
                let (session, credential) = (token.session, credential(&token, access));
                Command::Check(Check {
                    session,
                    credential,
                    usage: Usage::Introspection,
                    key: bound.key(),
                    proof: bound.proof(now),
                })
            }
            Self::RevokeToken { pick, access, foreign, cascade } => {
                let token = picked(tokens, pick);
                let (session, client_id) = (token.session, holder(&token, foreign));
                let credential = credential(&token, access);
                Command::RevokeToken(Revoke {
                    session,
                    credential,
                    client_id,
                    cascade,
                    reason: None,
                })
            }
            Self::RevokeMany { ref orders } => {
                let tokens =
                    orders.iter().filter_map(|order| match order.command(tokens, ledger, now) {
                        Command::RevokeToken(revoke) => Some(revoke),
                        _ => None,
                    });
                Command::RevokeMany { tokens: tokens.collect() }
            }
            Self::RevokeSession { pick } => {
                Command::RevokeSession { session: picked(tokens, pick).session, reason: None }
            }
            Self::RevokeAll { except } => {
                let except = except.map(|pick| picked(tokens, pick).session);
                Command::RevokeAll { except, reason: None }
            }
            Self::RevokeOthers { external } => {
                let which = Which::NotFrom(format!("sign-in-{external}"));
                Command::RevokeSome { which, reason: None }
            }
            Self::Disconnect { pick } => {
                let client = holder(&picked(tokens, pick), false);
                Command::RevokeSome { which: Which::OfClient(client), reason: None }
            }
            Self::RevokeExternal { external } => {
                let external_id = format!("sign-in-{external}");
                Command::RevokeExternal { external_id, reason: None }
            }
            Self::Grant { pick, renewed } => {
                let session = picked(tokens, pick).session;
                Command::UpstreamGrant(UpstreamGrant { session, grant: renewed.at(now) })
            }
            Self::Claim { pick, lease } => {
                let session = picked(tokens, pick).session;
                Command::UpstreamClaim { session, lease: LeaseId::from_bytes([lease; 16]) }
            }
            Self::Store { pick, lease, answer } => {
                let (session, lease) =
                    (picked(tokens, pick).session, LeaseId::from_bytes([lease; 16]));
                let answer = answer.at(now);
                Command::UpstreamStore(UpstreamStore { session, lease, answer })
            }
            Self::Consume { ref uses } => {
                Command::Consume { once: uses.iter().map(|one| one.at(now)).collect() }
            }
            Self::WasUsed { ref names } => {
                let names = names.iter().map(|name| OnceId::from_bytes([*name; 16]));
                Command::WasUsed { names: names.collect() }
            }
            Self::List => Command::List,
            Self::Register => Command::Register,
            Self::Sweep => Command::Sweep,
            Self::Deliver { up_to, other } => {
                let outbox = &ledger.outbox;
                let delivered = outbox.events.iter().filter(|event| event.id <= up_to);
                let hash = delivered.fold(outbox.base, |link, event| link.then(event));
                let hash = if other { Link::from_bytes([0xee; 32]) } else { hash };
                Command::AckOutbox { up_to, hash }
            }
            Self::Peek => Command::Outbox { limit: 5 },
            Self::ClaimWebhooks { limit } => Command::ClaimWebhooks { limit },
            Self::Settle { which, stale, ref then } => {
                let pending = &ledger.webhooks.pending;
                let one = (!pending.is_empty()).then(|| &pending[which.index(pending.len())]);
                let (id, lease) = one.map_or_else(Default::default, |one| (one.id, one.next_at));
                let then = match then.clone() {
                    Settled::Retry { at, settled } => Settled::Retry { at: now + at, settled },
                    other => other,
                };
                Command::SettleWebhook(Settle { id, lease: lease + u64::from(stale), then })
            }
        }
    }
}

impl Use {
    fn at(self, now: Millis) -> Once {
        Once::new(OnceId::from_bytes([self.name; 16]), now + self.left)
    }
}

impl Bound {
    fn key(self) -> Option<String> {
        self.key.map(|key| format!("thumbprint-{key}"))
    }

    fn proof(self, now: Millis) -> Option<Once> {
        self.proof.map(|proof| proof.at(now))
    }
}

impl Given {
    fn at(self, now: Millis) -> Renewed {
        let issued_at = now.saturating_sub(self.age) / SECOND * SECOND;
        Renewed {
            sealed: format!("sealed {}", self.number),
            issued_at,
            expires_at: issued_at + self.life,
            external_id: format!("sign-in-{}", self.number % 2),
            organization: self.organization.map(|number| format!("their {number}")),
            role: None,
            subject: self.organization.map(subject),
        }
    }
}

impl Answer {
    fn at(self, now: Millis) -> UpstreamAnswer {
        match self {
            Self::Renewed(given) => UpstreamAnswer::Renewed(given.at(now)),
            Self::Retryable { wait, unsure } => UpstreamAnswer::Retryable {
                reason: "away".to_owned(),
                retry_at: wait.map(|wait| now + wait),
                unsure,
            },
            Self::Ended => UpstreamAnswer::Ended,
        }
    }
}

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    let on_limit = || select(vec![OnLimit::EvictLongestIdle, OnLimit::Deny]);
    let own = (0..3_u16, on_limit()).prop_map(|(max, on_limit)| SessionLimit { max, on_limit });
    let limits = (0..4_u16, on_limit(), proptest::option::of(own));
    let times = (
        select(vec![10 * SECOND, 30 * MINUTE]),
        // The first is shorter than most idle times, so that absolute ends are met too.
        select(vec![20 * MINUTE, 2 * HOUR, DAY]),
        select(vec![0, 5 * MINUTE]),
        select(vec![0, HOUR, 7 * DAY]),
    );
    let change = || select(vec![OnChange::RaiseRisk, OnChange::Note, OnChange::Refuse]);
    let not_before = prop_oneof![3 => Just(None), 1 => select(vec![MINUTE, HOUR]).prop_map(Some)];
    let few = Limits {
        refresh: 3,
        replays: 3,
        revoke: 1,
        list: 2,
        delete: 1,
        revoke_all: 1,
        register: 1,
        ..Limits::off()
    };
    let rates = select(vec![Limits::off(), Limits::default(), few]);
    let audit = select(vec![AuditLevel::Off, AuditLevel::Notable, AuditLevel::All]);
    let told = (audit, any::<bool>());
    let risk = select(vec![(500, 800), (100, 250), (50, 1_001)]);
    let binding = (change(), change(), not_before, rates, told, risk);
    (limits, times, binding).prop_map(|(limits, times, binding)| policy_of(limits, times, binding))
}

type Binding = (OnChange, OnChange, Option<Millis>, Limits, (AuditLevel, bool), (u16, u16));

fn policy_of(
    (max_sessions, on_limit, client_limit): (u16, OnLimit, Option<SessionLimit>),
    (idle, absolute, grace, memory): (Millis, Millis, Millis, Millis),
    (on_device_change, on_network_change, not_before, limits, (audit, webhooks), risk): Binding,
) -> Policy {
    Policy {
        max_sessions,
        on_limit,
        client_limit,
        idle,
        absolute,
        offline_idle: 2 * idle,
        offline_absolute: 2 * absolute,
        grace,
        revocation_memory: memory,
        access_token: 15 * MINUTE,
        on_device_change,
        on_network_change,
        not_before: not_before.map(|after| START + after),
        limits,
        upstream_ahead: 5 * MINUTE,
        audit,
        webhooks,
        risk_flag: risk.0,
        risk_end: risk.1,
    }
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let steps = vec![
        1,
        SECOND,
        5 * SECOND,
        10 * SECOND,
        MINUTE - 1,
        MINUTE,
        5 * MINUTE - 1,
        5 * MINUTE,
        20 * MINUTE,
        30 * MINUTE,
    ];
    let leaps = vec![HOUR, 2 * HOUR, DAY, 7 * DAY];
    let back = vec![1, SECOND, MINUTE, 6 * MINUTE, HOUR];
    prop_oneof![
        6 => select(steps).prop_map(Op::Pass),
        1 => select(leaps).prop_map(Op::Pass),
        1 => select(back).prop_map(Op::Back),
        2 => Just(Op::Save),
        2 => Just(Op::Restore),
        3 => (refresh(), 2..5_u8).prop_map(|(refresh, times)| Op::Parallel { refresh, times }),
        3 => renewals().prop_map(Op::Sequence),
        16 => order().prop_map(Op::Command),
    ]
}

/// A grant is handed over and renewed a few times, mostly when it is due and by one at a time.
fn renewals() -> impl Strategy<Value = Vec<Op>> {
    let passes = || select(vec![0, SECOND, 9 * SECOND, 10 * SECOND, 30 * SECOND, 5 * MINUTE]);
    let stored = prop::option::weighted(0.8, (0..2_u8, answer()));
    let turn = (passes(), 0..2_u8, passes(), stored);
    (pick(), prop::option::of(given()), prop::collection::vec(turn, 1..4)).prop_map(
        |(pick, renewed, turns)| {
            let given = renewed.map(|renewed| Op::Command(Order::Grant { pick, renewed }));
            let turns = turns.into_iter().flat_map(|(before, lease, after, stored)| {
                let claim = Op::Command(Order::Claim { pick, lease });
                let store = stored.map(|(other, answer)| {
                    // Mostly by whoever claimed it.
                    let lease = if other == 0 { lease } else { 0 };
                    Op::Command(Order::Store { pick, lease, answer })
                });
                let turn = [Op::Pass(before), claim, Op::Pass(after)];
                turn.into_iter().chain(store).collect::<Vec<_>>()
            });
            given.into_iter().chain(turns).collect()
        },
    )
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        8 => sign_in(),
        16 => refresh(),
        2 => (pick(), rarely(), any::<u8>())
            .prop_map(|(pick, foreign, key_id)| Order::Extend { pick, foreign, key_id }),
        6 => (pick(), any::<bool>(), bound())
            .prop_map(|(pick, access, bound)| Order::Check { pick, access, bound }),
        2 => prop::collection::vec(one_use(), 0..4).prop_map(|uses| Order::Consume { uses }),
        1 => prop::collection::vec(0..12_u8, 0..4).prop_map(|names| Order::WasUsed { names }),
        2 => revoke(),
        1 => prop::collection::vec(revoke(), 0..4)
            .prop_map(|orders| Order::RevokeMany { orders }),
        1 => pick().prop_map(|pick| Order::RevokeSession { pick }),
        1 => prop::option::of(pick()).prop_map(|except| Order::RevokeAll { except }),
        2 => Just(Order::List),
        1 => Just(Order::Register),
        1 => Just(Order::Sweep),
        1 => (0..40_u64, rarely()).prop_map(|(up_to, other)| Order::Deliver { up_to, other }),
        1 => Just(Order::Peek),
        2 => (0..4_u32).prop_map(|limit| Order::ClaimWebhooks { limit }),
        2 => (any::<Index>(), rarely(), settled())
            .prop_map(|(which, stale, then)| Order::Settle { which, stale, then }),
        1 => (0..2_u8).prop_map(|external| Order::RevokeExternal { external }),
        1 => (0..2_u8).prop_map(|external| Order::RevokeOthers { external }),
        1 => pick().prop_map(|pick| Order::Disconnect { pick }),
        2 => (pick(), given()).prop_map(|(pick, renewed)| Order::Grant { pick, renewed }),
        1 => (pick(), 0..2_u8).prop_map(|(pick, lease)| Order::Claim { pick, lease }),
        1 => (pick(), 0..2_u8, answer())
            .prop_map(|(pick, lease, answer)| Order::Store { pick, lease, answer }),
    ]
}

fn given() -> impl Strategy<Value = Given> {
    let age = prop_oneof![3 => Just(0), 1 => select(vec![SECOND, MINUTE])];
    // At five minutes it is due at once.
    let life = select(vec![5 * MINUTE, 6 * MINUTE, HOUR]);
    (any::<u8>(), age, life, prop::option::of(0..4_u8))
        .prop_map(|(number, age, life, organization)| Given { number, age, life, organization })
}

fn answer() -> impl Strategy<Value = Answer> {
    let wait = prop::option::of(select(vec![SECOND, MINUTE, HOUR]));
    prop_oneof![
        2 => given().prop_map(Answer::Renewed),
        3 => (wait, any::<bool>()).prop_map(|(wait, unsure)| Answer::Retryable { wait, unsure }),
        2 => Just(Answer::Ended),
    ]
}

fn settled() -> impl Strategy<Value = Settled> {
    let retry = select(vec![SECOND, MINUTE, HOUR])
        .prop_map(|at| Settled::Retry { at, settled: vec!["endpoint".to_owned()] });
    prop_oneof![Just(Settled::Done), Just(Settled::GivenUp), retry]
}

fn revoke() -> impl Strategy<Value = Order> {
    (pick(), any::<bool>(), rarely(), rarely()).prop_map(|(pick, access, foreign, cascade)| {
        Order::RevokeToken { pick, access, foreign, cascade }
    })
}

fn sign_in() -> impl Strategy<Value = Order> {
    // Often the same sign-in by the same client, so that it is met again after its end.
    let client = prop_oneof![3 => Just(0), 1 => Just(1_u8)];
    let external = prop_oneof![4 => Just(Some(0)), 1 => Just(Some(1_u8)), 1 => Just(None)];
    let age = prop_oneof![2 => Just(0), 2 => select(vec![SECOND, MINUTE, 6 * MINUTE, HOUR])];
    // Mostly one organization, now and then a switch.
    let organization = prop_oneof![4 => Just(0), 1 => 1..4_u8];
    let grant = (any::<u8>(), any::<u8>(), any::<(bool, bool)>());
    // Few codes, so that they meet again.
    let once = (prop::option::weighted(0.3, one_use()), bound());
    (client, external, organization, grant, age, any::<u8>(), signals(), once).prop_map(
        |(client, external, organization, grant, age, key_id, signals, (code, bound))| {
            let (scopes, resources, by_default) = grant;
            Order::SignIn {
                client,
                external,
                organization,
                scopes,
                resources,
                by_default,
                age,
                key_id,
                signals,
                code,
                bound,
            }
        },
    )
}

fn refresh() -> impl Strategy<Value = Order> {
    let mask = || prop_oneof![6 => Just(None), 1 => any::<u8>().prop_map(Some)];
    let when =
        prop_oneof![4 => Just(When::Now), 1 => Just(When::IfDue), 1 => Just(When::InAnyCase)];
    let asked = (when, any::<bool>());
    (pick(), rarely(), mask(), mask(), any::<u8>(), asked, signals(), bound()).prop_map(
        |(pick, foreign, scopes, resources, key_id, (when, renews_upstream), signals, bound)| {
            Order::Refresh {
                pick,
                foreign,
                scopes,
                resources,
                key_id,
                when,
                renews_upstream,
                signals,
                bound,
            }
        },
    )
}

/// Mostly from one place, so that histories are long.
fn signals() -> impl Strategy<Value = Signals> {
    let one = || prop_oneof![1 => Just(None), 12 => Just(Some(0)), 1 => Just(Some(1_u8))];
    (one(), one(), one()).prop_map(|(device, network, country)| Signals {
        fingerprint: device.map(|device| Fingerprint::from_bytes([device; 16])),
        network: network.map(|network| format!("192.0.{network}.0/24")),
        country: country.map(|country| format!("C{country}")),
        ..Signals::default()
    })
}

fn one_use() -> impl Strategy<Value = Use> {
    let left = prop_oneof![1 => Just(0), 1 => Just(SECOND), 8 => Just(MINUTE), 2 => Just(HOUR)];
    (0..12_u8, left).prop_map(|(name, left)| Use { name, left })
}

/// Mostly none or the same one, so that histories are long.
fn bound() -> impl Strategy<Value = Bound> {
    let key = prop_oneof![10 => Just(None), 2 => Just(Some(0)), 1 => Just(Some(1_u8))];
    (key, prop::option::weighted(0.1, one_use())).prop_map(|(key, proof)| Bound { key, proof })
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        1 => Just(Pick::Stranger),
        20 => (0..3_usize).prop_map(Pick::Recent),
        6 => any::<Index>().prop_map(Pick::Any),
    ]
}

fn rarely() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.1)
}

/// One person in one of two organizations and one of two roles.
fn subject(number: u8) -> Subject {
    let roles = vec![if number & 1 == 0 { "member" } else { "admin" }.to_owned()];
    Subject { id: "user".to_owned(), organization: Some(format!("org-{}", number >> 1)), roles }
}

fn chosen(names: &[&str], mask: u8) -> Vec<String> {
    let bits = names.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
    bits.map(|(_, &name)| name.to_owned()).collect()
}

fn holder(token: &Token, foreign: bool) -> String {
    if foreign { "thief".to_owned() } else { token.client_id.clone() }
}

fn credential(token: &Token, access: bool) -> Credential {
    let (generation, counter) = (token.generation, token.counter);
    if access {
        let jti = format!("{}/{generation}/{counter}", token.session);
        Credential::Access { jti, expires_at: token.issued_at + 15 * MINUTE }
    } else {
        Credential::Refresh { generation, counter }
    }
}
