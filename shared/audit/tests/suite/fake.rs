//! A database that knows the statements of the audit trail, and ledgers to fill it from.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use audit::verify::{Anchor, Report, Verifier};
use audit::{Delivered, Deliverer, DeliveryError, Seals};
use data::audit::{CheckpointRow, EventRow, HeadRow};
use futures::executor::block_on;
use ledger::{
    Address, AuditLevel, Command, CreateSession, Device, Envelope, Limits, Origin, Outcome, Policy,
    SessionId, Signals, Subject,
};
use oauth::keys::KeyRing;
use ports::{Ledgers as _, Rows, Sql, SqlError, Statement};
use testing::{FakePlatform, NOW, yield_once};

/// How the database fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing happened.
    Away,
    /// It did what was asked, and the answer got lost.
    AnswerLost,
}

/// What is stored.
#[derive(Default)]
pub(crate) struct Trail {
    pub(crate) events: RefCell<BTreeMap<String, EventRow>>,
    pub(crate) heads: RefCell<BTreeMap<String, HeadRow>>,
    /// Rows that were added once more, and left as they were.
    pub(crate) repeated: Cell<usize>,
    trouble: Cell<Option<(Trouble, u32)>>,
}

impl Trail {
    /// The next transactions fail.
    pub(crate) fn fail(&self, trouble: Trouble, times: u32) {
        self.trouble.set(Some((trouble, times)));
    }

    fn failing(&self) -> Option<Trouble> {
        let (trouble, times) = self.trouble.get().filter(|(_, times)| *times > 0)?;
        self.trouble.set(Some((trouble, times - 1)));
        Some(trouble)
    }

    fn add(&self, json: &str) {
        let rows: Vec<EventRow> = serde_json::from_str(json).unwrap();
        for row in rows {
            let mut events = self.events.borrow_mut();
            if events.contains_key(&row.hash) {
                self.repeated.set(self.repeated.get() + 1);
            } else {
                events.insert(row.hash.clone(), row);
            }
        }
    }

    fn move_head(&self, json: &str) {
        let head: HeadRow = serde_json::from_str(json).unwrap();
        let mut heads = self.heads.borrow_mut();
        let farther = heads.get(&head.ledger).is_none_or(|old| old.number < head.number);
        if farther {
            heads.insert(head.ledger.clone(), head);
        }
    }

    /// The rows in the order in which they are verified.
    pub(crate) fn rows(&self) -> Vec<EventRow> {
        let mut rows: Vec<_> = self.events.borrow().values().cloned().collect();
        rows.sort_by_key(|row| (row.ledger.clone(), row.number, row.hash.clone()));
        rows
    }
}

impl Sql for Trail {
    async fn transaction(&self, statements: &[Statement<'_>]) -> Result<Vec<Rows>, SqlError> {
        yield_once().await;
        let trouble = self.failing();
        if trouble == Some(Trouble::Away) {
            return Err(SqlError::Unavailable("away".to_owned()));
        }
        assert!(statements[0].text.contains("'atoms_service'"), "the service adds to the trail");
        for statement in &statements[1..] {
            let json = statement.parameters[0].as_deref().unwrap();
            if statement.text.contains("into app.audit_events") {
                self.add(json);
            } else if statement.text.contains("into app.audit_heads") {
                self.move_head(json);
            } else {
                panic!("unknown statement: {}", statement.text);
            }
        }
        yield_once().await;
        match trouble {
            None => Ok(vec![Rows::default(); statements.len()]),
            Some(_) => Err(SqlError::Unavailable("the answer got lost".to_owned())),
        }
    }
}

/// Ledgers, a database and the keys.
pub(crate) struct Scene {
    pub(crate) platform: FakePlatform,
    pub(crate) trail: Trail,
    pub(crate) seals: Seals,
    pub(crate) policy: Policy,
}

pub(crate) fn seals(versions: &[u8]) -> Seals {
    let ring = versions.iter().map(|id| format!("{id}={}", oauth::base64url(&[*id; 32])));
    Seals::new(KeyRing::parse(&ring.collect::<Vec<_>>().join(",")).unwrap())
}

pub(crate) fn address(number: u8) -> Address {
    Address::from_bytes([number; 16])
}

impl Scene {
    pub(crate) fn new() -> Self {
        let policy = Policy {
            audit: AuditLevel::All,
            limits: Limits::off(),
            max_sessions: 1_000,
            ..Policy::default()
        };
        let (platform, trail) = (FakePlatform::new(NOW), Trail::default());
        Self { platform, trail, seals: seals(&[1]), policy }
    }

    pub(crate) async fn execute(&self, ledger: u8, command: Command) -> Outcome {
        let envelope = Envelope { command, policy: self.policy.clone(), origin: Origin::default() };
        self.platform.execute(&address(ledger), &envelope).await.unwrap()
    }

    /// One more session, which is one more event.
    pub(crate) async fn sign_in(&self, ledger: u8) -> SessionId {
        self.platform.advance(1_000);
        let command = Command::CreateSession(CreateSession {
            subject: Subject {
                id: format!("user_{ledger}"),
                organization: Some("org".to_owned()),
                roles: Vec::new(),
            },
            client_id: "atoms-web".to_owned(),
            scopes: Vec::new(),
            scopes_by_default: true,
            resources: Vec::new(),
            resources_by_default: true,
            device: Device { label: "Firefox on Linux".to_owned(), fingerprint: None },
            external_id: None,
            authenticated_at: NOW,
            key_id: 1,
            signals: Signals::default(),
            fresh_for: 0,
            code: None,
            proof: None,
            key: None,
        });
        match self.execute(ledger, command).await {
            Outcome::Issued(issue) => issue.session,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn events(&self, ledger: u8, count: u32) {
        block_on(async {
            for _ in 0..count {
                self.sign_in(ledger).await;
            }
        });
    }

    pub(crate) async fn deliver_some(
        &self,
        ledger: u8,
        limit: u32,
    ) -> Result<Delivered, DeliveryError> {
        let Self { platform, trail, seals, policy } = self;
        let deliverer = Deliverer { ledgers: platform, sql: trail, seals, policy };
        deliverer.deliver(&address(ledger), limit).await
    }

    pub(crate) fn deliver(&self, ledger: u8) -> Result<Delivered, DeliveryError> {
        block_on(self.deliver_some(ledger, 100))
    }

    /// The numbers of the stored events of a ledger.
    pub(crate) fn numbers(&self, ledger: u8) -> Vec<u64> {
        let ledger = address(ledger).to_string();
        let rows = self.trail.rows();
        rows.iter().filter(|row| row.ledger == ledger).map(|row| row.number).collect()
    }

    pub(crate) fn report(&self, checkpoints: Vec<CheckpointRow>, anchors: Vec<Anchor>) -> Report {
        let heads = self.trail.heads.borrow().values().cloned().collect();
        let mut verifier = Verifier::new(&self.seals, heads, checkpoints, anchors);
        self.trail.rows().iter().for_each(|row| verifier.event(row));
        verifier.finish()
    }
}
