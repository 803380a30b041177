mod ends;
mod lives;
mod once;
mod work;

use std::time::Duration;

use ledger::{
    Address, ChainedEvent, Check, Command, CreateSession, Credential, Device, EndReason, Envelope,
    Inactive, Issue, Limits, Origin, Outcome, Policy, Refusal, Revoke, SessionId, Signals, Subject,
    Usage,
};
use ports::{Clock, LedgerError, Ledgers};

const CLIENT: &str = "contract";

/// A store of ledgers that is eventually consistent, at two of its locations.
pub trait EventualStore {
    /// The port under test, on a host whose clock is the one that the store judges by.
    type Host: Ledgers + Clock;

    /// One location.
    fn here(&self) -> &Self::Host;

    /// Another; the same one if the store has one only.
    fn there(&self) -> &Self::Host;

    /// An address that nobody has used.
    fn fresh_address(&self) -> Address;

    /// From now on neither location sees what the other one writes, as far as that can be arranged.
    fn part(&self);

    /// Until both see all that was written.
    async fn settle(&self);

    /// Let time pass: on a fake, move the clock; on a real store, sleep.
    async fn wait(&self, time: Duration);
}

/// What holds for every store of ledgers, even where reads are stale: parallel refreshes converge,
/// what is revoked is dead in the end, and nobody loses a session to a stale read.
pub async fn eventual(store: &impl EventualStore) {
    lives::parallel_refreshes_converge(&Case::of(store)).await;
    ends::a_revocation_wins_whatever_is_refreshed_meanwhile(&Case::of(store)).await;
    ends::the_end_of_all_reaches_sessions_that_cannot_be_seen(&Case::of(store)).await;
    ends::what_a_person_disconnects_ends_where_it_cannot_be_seen(&Case::of(store)).await;
    ends::a_sign_out_at_the_provider_reaches_sessions_that_cannot_be_seen(&Case::of(store)).await;
    ends::one_access_token_is_revoked(&Case::of(store)).await;
    lives::no_session_is_lost(&Case::of(store)).await;
    lives::a_stale_counter_is_never_reuse(&Case::of(store)).await;
    ends::reuse_is_detected_in_the_end(&Case::of(store)).await;
    lives::a_session_that_cannot_be_seen_yet_is_not_denied(&Case::of(store)).await;
    ends::a_revocation_that_cannot_see_its_session_is_not_said_to_be_done(&Case::of(store)).await;
    lives::one_proof_makes_one_session(&Case::of(store)).await;
    lives::a_repeated_command_gives_the_answer_that_was_lost(&Case::of(store)).await;
    lives::an_extension_and_a_refresh_elsewhere_get_along(&Case::of(store)).await;
    lives::use_elsewhere_keeps_a_session_alive(&Case::of(store)).await;
    lives::a_timeout_by_a_stale_read_is_not_believed(&Case::of(store)).await;
    ends::an_unused_session_ends(&Case::of(store)).await;
    ends::a_sweep_forgets_what_is_over(&Case::of(store)).await;
    lives::no_event_is_lost(&Case::of(store)).await;
    once::what_was_used_up_is_so_here_at_once_and_elsewhere_in_the_end(&Case::of(store)).await;
    once::a_code_starts_one_session_and_a_replay_that_is_seen_ends_it(&Case::of(store)).await;
    once::a_code_outlives_no_end_of_all_and_no_sign_out(&Case::of(store)).await;
    work::a_grant_is_renewed_and_refusing_it_ends_no_session(&Case::of(store)).await;
    work::an_announcement_is_claimed_until_it_is_settled(&Case::of(store)).await;
    lives::addresses_are_apart(&Case::of(store), &Case::of(store)).await;
}

struct Case<'a, S> {
    store: &'a S,
    address: Address,
    policy: Policy,
}

impl<'a, S: EventualStore> Case<'a, S> {
    fn of(store: &'a S) -> Self {
        let policy = Policy { limits: Limits::off(), ..Policy::default() };
        Self { store, address: store.fresh_address(), policy }
    }

    async fn attempt(&self, host: &S::Host, command: Command) -> Result<Outcome, LedgerError> {
        let envelope = Envelope { command, policy: self.policy.clone(), origin: Origin::default() };
        host.execute(&self.address, &envelope).await
    }

    async fn at(&self, host: &S::Host, command: Command) -> Outcome {
        self.attempt(host, command).await.expect("an outcome")
    }

    async fn here(&self, command: Command) -> Outcome {
        self.at(self.store.here(), command).await
    }

    async fn there(&self, command: Command) -> Outcome {
        self.at(self.store.there(), command).await
    }

    fn sign_in(&self, external_id: Option<&str>) -> Command {
        Command::CreateSession(CreateSession {
            subject: Subject { id: "user".to_owned(), organization: None, roles: vec![] },
            client_id: CLIENT.to_owned(),
            scopes: vec!["a".to_owned()],
            scopes_by_default: false,
            resources: vec!["https://one.example".to_owned()],
            resources_by_default: false,
            device: Device { label: "Phone".to_owned(), fingerprint: None },
            signals: Signals::default(),
            external_id: external_id.map(str::to_owned),
            authenticated_at: self.store.here().now(),
            key_id: 1,
            fresh_for: 0,
            code: None,
            proof: None,
            key: None,
        })
    }

    async fn create(&self, host: &S::Host) -> SessionId {
        issue(self.at(host, self.sign_in(None)).await).session
    }

    /// A session that both locations see.
    async fn known(&self) -> SessionId {
        let session = self.create(self.store.here()).await;
        self.store.settle().await;
        session
    }

    async fn check(&self, host: &S::Host, session: SessionId, jti: &str) -> Outcome {
        let credential = access(jti, self.store.here().now());
        let check = Check { session, credential, usage: Usage::Direct, key: None, proof: None };
        self.at(host, Command::Check(check)).await
    }

    async fn list(&self, host: &S::Host) -> Vec<SessionId> {
        match self.at(host, Command::List).await {
            Outcome::Sessions(views) => views.iter().map(|view| view.id).collect(),
            other => unreachable!("List answered {other:?}"),
        }
    }

    async fn pending(&self, host: &S::Host) -> Vec<ChainedEvent> {
        match self.at(host, Command::Outbox { limit: 100 }).await {
            Outcome::Outbox(delivery) => delivery.events,
            other => unreachable!("Outbox answered {other:?}"),
        }
    }

    fn both(&self) -> [&'a S::Host; 2] {
        [self.store.here(), self.store.there()]
    }

    /// Dead everywhere, for every token of it.
    async fn is_over(&self, session: SessionId, counter: u32, reason: EndReason) {
        for host in self.both() {
            let ended = Outcome::Inactive(Inactive::Ended(reason));
            assert_eq!(self.check(host, session, "x").await, ended);
            let ended = Outcome::Refused(Refusal::SessionEnded(reason));
            assert_eq!(self.at(host, refresh(session, counter)).await, ended);
            assert!(!self.list(host).await.contains(&session));
        }
    }
}

fn issue(outcome: Outcome) -> Issue {
    match outcome {
        Outcome::Issued(issue) => issue,
        other => unreachable!("tokens were expected, not {other:?}"),
    }
}

fn refresh(session: SessionId, counter: u32) -> Command {
    super::refresh_of(CLIENT, session, (0, counter))
}

fn revoke(session: SessionId, credential: Credential) -> Command {
    let client_id = CLIENT.to_owned();
    Command::RevokeToken(Revoke { session, credential, client_id, cascade: false, reason: None })
}

fn access(jti: &str, now: u64) -> Credential {
    Credential::Access { jti: jti.to_owned(), expires_at: now + 900_000 }
}
