use std::time::Duration;

use futures::future::{join, join_all};
use ledger::{
    Address, Check, Command, CreateSession, Credential, Device, EndReason, Envelope, Inactive,
    Issue, Limits, Origin, Outcome, Policy, Refresh, Refusal, Revoke, SessionId, SessionView,
    Signals, Subject, Usage,
};
use ports::{Clock, LedgerError, Ledgers};

use super::{ledgers_at_work as at_work, ledgers_once as once};

pub(super) const CLIENT: &str = "contract";
/// So often a client tries again.
const PATIENCE: u32 = 20;

/// A store of ledgers as the suite needs it. A failing case must not disturb the next one, so each
/// works at an address of its own.
pub trait LedgerStore {
    /// The port under test, on a host whose clock is the one that the store judges by.
    type Host: Ledgers + Clock;

    /// The port.
    fn host(&self) -> &Self::Host;

    /// An address that nobody has used.
    fn fresh_address(&self) -> Address;

    /// Let time pass: on a fake, move the clock; on a real store, sleep.
    async fn wait(&self, time: Duration);

    /// The answers of the next so many writes get lost, though the writes happen; of none from now
    /// on if it is zero. Says whether it can be done to this store.
    fn lose_answers(&self, _times: u32) -> bool {
        false
    }

    /// Ledgers with work due now; `None` for a store that wakes up by itself.
    async fn due(&self, _limit: u32) -> Option<Vec<Address>> {
        None
    }
}

/// Each command on one address is atomic, whatever runs beside it; what was answered is kept, and
/// every command can be repeated.
pub async fn ledgers(store: &impl LedgerStore) {
    a_new_ledger_is_empty(&Case::of(store)).await;
    a_session_is_kept_as_it_was_created(&Case::of(store)).await;
    addresses_are_apart(&Case::of(store), &Case::of(store)).await;
    racing_creations_of_one_sign_in_make_one_session(&Case::of(store)).await;
    racing_creations_never_exceed_the_limit(&Case::of(store)).await;
    racing_refreshes_converge(&Case::of(store)).await;
    racing_refreshes_of_many_sessions_lose_nothing(&Case::of(store)).await;
    a_revocation_wins_whatever_runs_beside_it(&Case::of(store)).await;
    a_repeated_command_gives_the_answer_that_was_lost(&Case::of(store)).await;
    a_caller_who_goes_away_leaves_all_or_nothing(&Case::of(store)).await;
    a_replaced_token_ends_its_session(&Case::of(store)).await;
    one_access_token_is_revoked(&Case::of(store)).await;
    an_unused_session_ends(store, &Case::of(store)).await;
    a_sweep_forgets_what_is_over(store, &Case::of(store)).await;
    a_limit_holds_where_nothing_else_is_kept(&Case::of(store)).await;
    once::of_many_uses_at_once_one_succeeds(&Case::of(store)).await;
    once::of_many_redemptions_at_once_one_succeeds_and_the_others_end_it(&Case::of(store)).await;
    once::codes_of_one_sign_in_start_sessions_of_their_own(&Case::of(store)).await;
    once::a_bound_session_is_of_use_with_its_key_and_each_proof_once(&Case::of(store)).await;
    once::a_command_that_is_sent_again_is_no_second_use(&Case::of(store)).await;
    at_work::a_thousand_commands_at_once_lose_nothing(&Case::of(store)).await;
    at_work::a_lost_answer_is_no_lost_command(store, &Case::of(store)).await;
    at_work::events_appear_with_their_change_and_stay_until_delivered(&Case::of(store)).await;
    at_work::two_deliverers_tell_everything(&Case::of(store)).await;
    at_work::ledgers_with_work_due_are_found(store, &Case::of(store)).await;
}

pub(super) struct Case<'a, L> {
    pub(super) host: &'a L,
    pub(super) address: Address,
    pub(super) policy: Policy,
}

impl<'a, L: Ledgers + Clock> Case<'a, L> {
    fn of<S: LedgerStore<Host = L>>(store: &'a S) -> Self {
        Self { host: store.host(), address: store.fresh_address(), policy: quiet() }
    }

    pub(super) async fn run(&self, command: Command) -> Outcome {
        self.try_once(command).await.expect("an outcome")
    }

    /// Repeats the command as a client does that is told to try again later.
    pub(super) async fn insist(&self, command: Command) -> Outcome {
        for _ in 0..PATIENCE {
            if let Ok(outcome) = self.try_once(command.clone()).await {
                return outcome;
            }
        }
        self.run(command).await
    }

    async fn try_once(&self, command: Command) -> Result<Outcome, LedgerError> {
        self.send(command, None).await
    }

    /// With the number of its sending.
    pub(super) async fn send(
        &self,
        command: Command,
        sending: Option<u32>,
    ) -> Result<Outcome, LedgerError> {
        let origin = Origin { sending, ..Origin::default() };
        let envelope = Envelope { command, policy: self.policy.clone(), origin };
        self.host.execute(&self.address, &envelope).await
    }

    pub(super) fn sign_in(&self, external_id: Option<&str>) -> Command {
        Command::CreateSession(CreateSession {
            subject: Subject {
                id: "user_\u{1f600}".to_owned(),
                organization: Some("org".to_owned()),
                roles: vec!["owner".to_owned()],
            },
            client_id: CLIENT.to_owned(),
            scopes: vec!["a".to_owned(), "b".to_owned()],
            scopes_by_default: false,
            resources: vec!["https://one.example".to_owned()],
            resources_by_default: false,
            device: Device { label: "Zoë's \"Phone\"".to_owned(), fingerprint: None },
            signals: Signals::default(),
            external_id: external_id.map(str::to_owned),
            authenticated_at: self.host.now(),
            key_id: 1,
            fresh_for: 0,
            code: None,
            proof: None,
            key: None,
        })
    }

    pub(super) async fn create(&self) -> Issue {
        issue(self.run(self.sign_in(None)).await)
    }

    pub(super) async fn list(&self) -> Vec<SessionView> {
        match self.run(Command::List).await {
            Outcome::Sessions(sessions) => sessions,
            other => unreachable!("List answered {other:?}"),
        }
    }

    pub(super) async fn check(&self, session: SessionId, jti: &str) -> Outcome {
        self.run(Command::Check(Check {
            session,
            credential: access(jti, self.host.now()),
            usage: Usage::Direct,
            key: None,
            proof: None,
        }))
        .await
    }

    pub(super) async fn refresh(&self, session: SessionId, counter: u32) -> Outcome {
        self.run(refresh(session, counter)).await
    }
}

async fn a_new_ledger_is_empty<L: Ledgers + Clock>(case: &Case<'_, L>) {
    assert_eq!(case.list().await, [], "nobody has used the address");
    assert_eq!(case.run(Command::Sweep).await, Outcome::Swept);
    let nobody = SessionId::from_bytes([9; 16]);
    assert_eq!(case.check(nobody, "x").await, Outcome::Inactive(Inactive::Unknown));
}

async fn a_session_is_kept_as_it_was_created<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let created = case.create().await;
    let Outcome::Active(standing) = case.check(created.session, "x").await else {
        unreachable!("the session is active");
    };
    assert_eq!(standing.subject, created.subject);
    assert_eq!((standing.client_id.as_str(), &standing.scopes), (CLIENT, &created.scopes));
    let listed = case.list().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].id, listed[0].device.label.as_str()),
        (created.session, "Zoë's \"Phone\"")
    );
}

async fn addresses_are_apart<L: Ledgers + Clock>(one: &Case<'_, L>, other: &Case<'_, L>) {
    let created = one.create().await;
    assert_eq!(other.list().await, [], "another user's ledger");
    let seen = other.check(created.session, "x").await;
    assert_eq!(seen, Outcome::Inactive(Inactive::Unknown));
}

async fn racing_creations_of_one_sign_in_make_one_session<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let racers = (0..20).map(|_| async {
        let outcome = case.run(case.sign_in(Some("sign-in"))).await;
        issue(outcome)
    });
    let issues = join_all(racers).await;
    assert!(issues.iter().all(|one| one.session == issues[0].session), "one sign-in, one session");
    let first = issues.iter().filter(|one| !one.repeated).count();
    assert_eq!(first, 1, "one of them was the first");
    assert_eq!(case.list().await.len(), 1);
}

async fn racing_creations_never_exceed_the_limit<L: Ledgers + Clock>(case: &Case<'_, L>) {
    join_all((0..25).map(|_| case.create())).await;
    assert_eq!(case.list().await.len(), usize::from(case.policy.max_sessions));
}

async fn racing_refreshes_converge<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let session = case.create().await.session;
    let issues: Vec<_> = join_all((0..50).map(|_| case.refresh(session, 0))).await;
    let issues: Vec<_> = issues.into_iter().map(issue).collect();
    let rotated = issues.iter().filter(|one| !one.repeated).count();
    assert_eq!(rotated, 1, "one rotation, everybody else is answered the same");
    for one in &issues {
        let repeated = issues[0].repeated;
        assert_eq!(Issue { repeated, ..one.clone() }, issues[0]);
    }
    assert_eq!(issues[0].counter, 1);
}

async fn racing_refreshes_of_many_sessions_lose_nothing<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let created = join_all((0..8).map(|_| case.create())).await;
    for counter in 0..3 {
        let outcomes = join_all(created.iter().map(|one| case.refresh(one.session, counter))).await;
        for one in outcomes.into_iter().map(issue) {
            assert_eq!((one.counter, one.repeated), (counter + 1, false), "no rotation was lost");
        }
    }
}

async fn a_revocation_wins_whatever_runs_beside_it<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let session = case.create().await.session;
    let refreshes = join_all((0..20).map(|_| case.refresh(session, 0)));
    let revocation = case.run(Command::RevokeSession { session, reason: None });
    let (answers, revoked) = join(refreshes, revocation).await;
    assert_eq!(revoked, Outcome::Revoked { sessions: 1 });
    for answer in answers {
        let ended = Outcome::Refused(Refusal::SessionEnded(EndReason::Revoked));
        assert!(matches!(answer, Outcome::Issued(_)) || answer == ended, "not {answer:?}");
    }
    let after = case.check(session, "x").await;
    assert_eq!(after, Outcome::Inactive(Inactive::Ended(EndReason::Revoked)));
    assert_eq!(case.list().await, []);
}

async fn a_repeated_command_gives_the_answer_that_was_lost<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let created = issue(case.run(case.sign_in(Some("sign-in"))).await);
    let again = issue(case.run(case.sign_in(Some("sign-in"))).await);
    assert_eq!(again, Issue { repeated: true, ..created.clone() });
    let rotated = issue(case.refresh(created.session, 0).await);
    let again = issue(case.refresh(created.session, 0).await);
    assert_eq!(again, Issue { repeated: true, ..rotated });
    let session = created.session;
    let first = case.run(Command::RevokeSession { session, reason: None }).await;
    assert_eq!(first, Outcome::Revoked { sessions: 1 });
    let again = case.run(Command::RevokeSession { session, reason: None }).await;
    assert_eq!(again, Outcome::Revoked { sessions: 0 });
    assert_eq!(case.list().await, [], "still ended");
}

async fn a_caller_who_goes_away_leaves_all_or_nothing<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let session = case.create().await.session;
    for counter in 0..5 {
        let mut abandoned = Box::pin(case.refresh(session, counter));
        // Polled once or twice, then dropped: the caller's connection broke.
        for _ in 0..=counter % 2 {
            let _ = futures::poll!(abandoned.as_mut());
        }
        drop(abandoned);
        let answer = issue(case.refresh(session, counter).await);
        assert_eq!(answer.counter, counter + 1, "the command, once or not at all before");
    }
}

async fn a_replaced_token_ends_its_session<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let session = case.create().await.session;
    issue(case.refresh(session, 0).await);
    issue(case.refresh(session, 1).await);
    assert_eq!(case.refresh(session, 0).await, Outcome::Refused(Refusal::Reuse));
    let after = case.refresh(session, 2).await;
    assert_eq!(after, Outcome::Refused(Refusal::SessionEnded(EndReason::Reuse)));
}

async fn one_access_token_is_revoked<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let session = case.create().await.session;
    let revoke = Command::RevokeToken(Revoke {
        session,
        credential: access("one", case.host.now()),
        client_id: CLIENT.to_owned(),
        cascade: false,
        reason: None,
    });
    case.run(revoke).await;
    assert_eq!(case.check(session, "one").await, Outcome::Inactive(Inactive::TokenRevoked));
    assert!(matches!(case.check(session, "other").await, Outcome::Active(_)));
}

async fn an_unused_session_ends<S: LedgerStore>(store: &S, case: &Case<'_, S::Host>) {
    let policy = Policy { idle: 1000, ..quiet() };
    let case = Case { policy, ..*case };
    let session = case.create().await.session;
    assert!(matches!(case.check(session, "x").await, Outcome::Active(_)));
    store.wait(Duration::from_millis(1500)).await;
    let ended = Outcome::Inactive(Inactive::Ended(EndReason::IdleTimeout));
    assert_eq!(case.check(session, "x").await, ended);
    assert_eq!(case.list().await, []);
}

async fn a_sweep_forgets_what_is_over<S: LedgerStore>(store: &S, case: &Case<'_, S::Host>) {
    let policy = Policy { revocation_memory: 1000, ..quiet() };
    let case = Case { policy, ..*case };
    let (ended, kept) = (case.create().await.session, case.create().await.session);
    case.run(Command::RevokeSession { session: ended, reason: None }).await;
    let remembered = Outcome::Inactive(Inactive::Ended(EndReason::Revoked));
    assert_eq!(case.check(ended, "x").await, remembered);
    store.wait(Duration::from_millis(1500)).await;
    assert_eq!(case.run(Command::Sweep).await, Outcome::Swept);
    assert_eq!(case.check(ended, "x").await, Outcome::Inactive(Inactive::Unknown));
    assert!(matches!(case.check(kept, "x").await, Outcome::Active(_)), "active ones stay");
}

async fn a_limit_holds_where_nothing_else_is_kept<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let limits = Limits { register: 2, ..Limits::off() };
    let policy = Policy { limits, ..Policy::default() };
    let case = Case { host: case.host, address: case.address, policy };
    for _ in 0..2 {
        assert_eq!(case.run(Command::Register).await, Outcome::Consumed);
    }
    let refused = case.run(Command::Register).await;
    assert!(matches!(refused, Outcome::Limited(_)), "{refused:?}");
}

/// Without limits: this suite is about stores, and asks more than a client may.
pub(super) fn quiet() -> Policy {
    Policy { limits: Limits::off(), ..Policy::default() }
}

pub(super) fn issue(outcome: Outcome) -> Issue {
    match outcome {
        Outcome::Issued(issue) => issue,
        other => unreachable!("tokens were expected, not {other:?}"),
    }
}

pub(super) fn refresh(session: SessionId, counter: u32) -> Command {
    refresh_of(CLIENT, session, (0, counter))
}

pub(super) fn access(jti: &str, now: u64) -> Credential {
    Credential::Access { jti: jti.to_owned(), expires_at: now + 900_000 }
}

/// A client's refresh of a session by the token of a generation and counter, and nothing else asked.
pub fn refresh_of(
    client_id: &str,
    session: SessionId,
    (generation, counter): (u16, u32),
) -> Command {
    Command::Refresh(Refresh {
        session,
        generation,
        counter,
        client_id: client_id.to_owned(),
        scopes: None,
        resources: None,
        key_id: 1,
        proactive: false,
        force_rotation: false,
        renews_upstream: false,
        signals: Signals::default(),
        key: None,
        proof: None,
    })
}
