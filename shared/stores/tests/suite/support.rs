//! A host in this process, stores that fail as they are told, and the commands of a person.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use ledger::{
    Address, Answer, Applied, AuditLevel, Check, Command, CreateSession, Credential, Device,
    Envelope, Issue, Limits, Millis, Origin, Outcome, Policy, SessionId, Signals, Subject, Usage,
};
use ports::{Clock, Fetch, FetchError, LedgerError, Ledgers, Random, Request, Response, Timer};
use stores::{Cas, StoreError, Stored, Version, VersionedStore};
use testing::contract::{LedgerStore, refresh_of};

pub(crate) const CLIENT: &str = "app";

/// This process as a platform, whose clock can be wrong.
#[derive(Default)]
pub(crate) struct Native {
    /// What its clock is ahead by, in milliseconds.
    pub(crate) skew: Cell<i64>,
    client: reqwest::Client,
}

impl Native {
    pub(crate) fn new() -> &'static Self {
        Self::with_skew(0)
    }

    pub(crate) fn with_skew(skew: i64) -> &'static Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Box::leak(Box::new(Self { skew: Cell::new(skew), client }))
    }
}

impl Clock for Native {
    #[expect(clippy::disallowed_methods, reason = "a native host has a clock")]
    fn now(&self) -> Millis {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Millis::try_from(now.as_millis()).unwrap().saturating_add_signed(self.skew.get())
    }
}

impl Timer for Native {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Random for Native {
    #[expect(clippy::disallowed_methods, reason = "a native host has randomness")]
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).unwrap();
    }
}

impl Fetch for Native {
    async fn fetch(&self, request: Request, timeout: Duration) -> Result<Response, FetchError> {
        let lost = |error: reqwest::Error| FetchError::Connection(error.to_string());
        let (parts, body) = request.into_parts();
        let sent = self.client.request(parts.method, parts.uri.to_string()).headers(parts.headers);
        let answer = sent.body(body).timeout(timeout).send().await.map_err(lost)?;
        let mut response = Response::default();
        *response.status_mut() = answer.status();
        *response.body_mut() = answer.bytes().await.map_err(lost)?;
        Ok(response)
    }
}

/// How the next calls of a store fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does what it is asked, and the answer gets lost.
    AnswerLost,
    /// The same, and somebody else writes before we look again.
    Overtaken,
    /// It does nothing.
    Away,
    /// Somebody is in the way.
    Busy,
}

/// A store whose writes fail as they are told. Each call gives way, so that others come between.
pub(crate) struct Faulty<S> {
    pub(crate) inner: S,
    faults: Rc<RefCell<Vec<Fault>>>,
    writes: Rc<Cell<u32>>,
}

impl<S: VersionedStore> Faulty<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, faults: Rc::default(), writes: Rc::default() }
    }

    /// The next writes fail like this.
    pub(crate) fn fail(&self, fault: Fault, times: usize) {
        *self.faults.borrow_mut() = vec![fault; times];
    }

    /// How many writes were asked for.
    pub(crate) fn writes(&self) -> u32 {
        self.writes.get()
    }

    /// Write the same document again, under another name.
    async fn overtake(&self, address: &Address) {
        let Some(held) = self.inner.load(address).await.unwrap() else { return };
        let version = Version::from_text(format!("{}x", held.version));
        let write = Stored { version, ..held.clone() };
        assert!(self.inner.swap(address, Some(&held.version), &write).await.unwrap());
    }
}

impl<S: VersionedStore> VersionedStore for Faulty<S> {
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        tokio::task::yield_now().await;
        self.inner.load(address).await
    }

    async fn swap(
        &self,
        address: &Address,
        expected: Option<&Version>,
        write: &Stored,
    ) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        self.writes.set(self.writes.get() + 1);
        let fault = self.faults.borrow_mut().pop();
        match fault {
            None => return self.inner.swap(address, expected, write).await,
            Some(Fault::Away) => {}
            Some(Fault::Busy) => return Err(StoreError::Busy("locked".to_owned())),
            Some(Fault::AnswerLost) => {
                self.inner.swap(address, expected, write).await?;
            }
            Some(Fault::Overtaken) => {
                self.inner.swap(address, expected, write).await?;
                self.overtake(address).await;
            }
        }
        Err(StoreError::Away("no answer".to_owned()))
    }

    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError> {
        self.writes.set(self.writes.get() + 1);
        let done = self.inner.remove(address, expected).await;
        match self.faults.borrow_mut().pop() {
            None => done,
            Some(_) => Err(StoreError::Away("no answer".to_owned())),
        }
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError> {
        self.inner.due(now, limit).await
    }
}

/// A store under the contract.
pub(crate) struct Tested<S: VersionedStore + 'static> {
    native: &'static Native,
    store: &'static Faulty<S>,
    cas: Cas<'static, Native, &'static Faulty<S>>,
}

impl<S: VersionedStore> Tested<S> {
    pub(crate) fn new(store: S) -> Self {
        let native = Native::new();
        let store: &'static Faulty<S> = Box::leak(Box::new(Faulty::new(store)));
        Self { native, store, cas: Cas::new(native, store) }
    }
}

impl<S: VersionedStore> Clock for Tested<S> {
    fn now(&self) -> Millis {
        self.native.now()
    }
}

impl<S: VersionedStore> Ledgers for Tested<S> {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        self.cas.ask(address, envelope).await
    }
}

impl<S: VersionedStore> LedgerStore for Tested<S> {
    type Host = Self;

    fn host(&self) -> &Self {
        self
    }

    fn fresh_address(&self) -> Address {
        fresh_address()
    }

    async fn wait(&self, time: Duration) {
        let time = i64::try_from(time.as_millis()).unwrap();
        self.native.skew.set(self.native.skew.get() + time);
    }

    fn lose_answers(&self, times: u32) -> bool {
        self.store.fail(Fault::AnswerLost, times.try_into().unwrap());
        true
    }

    async fn due(&self, limit: u32) -> Option<Vec<Address>> {
        Some(self.cas.due(limit).await.unwrap())
    }
}

/// An address that no test of this run has used, in any group of addresses.
pub(crate) fn fresh_address() -> Address {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&count.to_be_bytes());
    Address::from_bytes(bytes)
}

/// Without limits: these tests ask more than a client may.
pub(crate) fn policy() -> Policy {
    Policy { limits: Limits::off(), ..Policy::default() }
}

/// Without an audit trail, which would keep a ledger alive.
pub(crate) fn silent() -> Policy {
    Policy { audit: AuditLevel::Off, ..policy() }
}

pub(crate) fn envelope(command: Command, policy: Policy) -> Envelope {
    Envelope { command, policy, origin: Origin::default() }
}

/// A person, or the service, at one ledger.
pub(crate) struct Person<'a, P, S> {
    pub(crate) cas: Cas<'a, P, S>,
    pub(crate) address: Address,
    pub(crate) policy: Policy,
}

impl<'a, P: Clock + Timer + Random, S: VersionedStore> Person<'a, P, S> {
    pub(crate) fn new(platform: &'a P, store: S) -> Self {
        Self::at(fresh_address(), platform, store)
    }

    pub(crate) fn at(address: Address, platform: &'a P, store: S) -> Self {
        Self { cas: Cas::new(platform, store), address, policy: policy() }
    }

    pub(crate) async fn apply(&self, command: Command) -> Result<Applied, LedgerError> {
        self.cas.apply(&self.address, &envelope(command, self.policy.clone())).await
    }

    pub(crate) async fn run(&self, command: Command) -> Outcome {
        self.apply(command).await.unwrap().outcome
    }

    pub(crate) async fn sign_in(&self) -> Issue {
        issue(self.run(sign_in()).await)
    }

    pub(crate) async fn refresh(&self, session: SessionId, counter: u32) -> Outcome {
        self.run(refresh(session, counter)).await
    }
}

pub(crate) fn issue(outcome: Outcome) -> Issue {
    match outcome {
        Outcome::Issued(issue) => issue,
        other => panic!("tokens were expected, not {other:?}"),
    }
}

pub(crate) fn sign_in() -> Command {
    Command::CreateSession(CreateSession {
        subject: Subject { id: "user".to_owned(), organization: None, roles: Vec::new() },
        client_id: CLIENT.to_owned(),
        scopes: vec!["a".to_owned()],
        scopes_by_default: false,
        resources: vec!["https://one.example".to_owned()],
        resources_by_default: false,
        device: Device { label: "test".to_owned(), fingerprint: None },
        signals: Signals::default(),
        external_id: None,
        authenticated_at: 1,
        key_id: 1,
        fresh_for: 0,
        code: None,
        proof: None,
        key: None,
    })
}

pub(crate) fn refresh(session: SessionId, counter: u32) -> Command {
    refresh_of(CLIENT, session, (0, counter))
}

pub(crate) fn check(session: SessionId, counter: u32) -> Command {
    let credential = Credential::Refresh { generation: 0, counter };
    Command::Check(Check { session, credential, usage: Usage::Direct, key: None, proof: None })
}
