use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::StatusCode;

/// What a use case depends on, each of which can be away by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependency {
    /// The hosts of clients, which publish their documents and keys.
    Clients,
    /// The cache.
    Kv,
    /// The ledgers.
    Ledger,
    /// The publisher of revocations.
    Publisher,
    /// The business database.
    Sql,
    /// The identity provider.
    Workos,
}

impl Dependency {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Clients, Self::Kv, Self::Ledger, Self::Publisher, Self::Sql, Self::Workos];
}

/// How a dependency fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No connection: nothing has happened there.
    Away,
    /// No answer in time: nothing has happened there, and the time is gone.
    Timeout,
    /// It did what was asked, and the answer got lost.
    AnswerLost,
    /// Its HTTP server answers this instead; for stores it is the same as [`Fault::Away`].
    Answers(StatusCode, Bytes),
}

/// The faults in force and the calls that were made.
#[derive(Default)]
pub(crate) struct Faults {
    forced: RefCell<BTreeMap<Dependency, (Fault, Option<u32>)>>,
    calls: RefCell<BTreeMap<Dependency, u32>>,
}

impl Faults {
    /// `times`: `None` until it is healed.
    pub(crate) fn force(&self, dependency: Dependency, fault: Fault, times: Option<u32>) {
        self.forced.borrow_mut().insert(dependency, (fault, times));
    }

    pub(crate) fn heal(&self, dependency: Dependency) {
        self.forced.borrow_mut().remove(&dependency);
    }

    pub(crate) fn calls(&self, dependency: Dependency) -> u32 {
        self.calls.borrow().get(&dependency).copied().unwrap_or(0)
    }

    /// Counts a call and tells how it fails.
    pub(crate) fn call(&self, dependency: Dependency) -> Option<Fault> {
        *self.calls.borrow_mut().entry(dependency).or_default() += 1;
        let mut forced = self.forced.borrow_mut();
        let (fault, times) = forced.get_mut(&dependency)?;
        let fault = fault.clone();
        if let Some(left) = times {
            *left -= 1;
            if *left == 0 {
                forced.remove(&dependency);
            }
        }
        Some(fault)
    }
}
