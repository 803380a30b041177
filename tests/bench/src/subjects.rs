//! Everything that is measured, by name.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use stack::StackInfo;

use crate::floors::{Floor, Floors};
use crate::load::{Link, Load, Sample, round};
use crate::peer::{self, Grants};
use crate::pool::Pool;
use crate::product::{Introspect, List, Refresh, Revoke};
use crate::server::Ports;

/// Something that is measured.
pub(crate) struct Subject {
    /// What it is, for people and for whoever compares.
    pub(crate) name: &'static str,
    /// What was measured so far.
    pub(crate) sample: Sample,
    port: u16,
    load: Kind,
}

enum Kind {
    Floor(Floors),
    Refresh(Refresh),
    Introspect(Introspect),
    List(List),
    Revoke(Revoke),
    PeerRefresh(peer::Refresh),
    PeerValidate(peer::Validate),
}

impl Load for Kind {
    async fn next(&self, lane: usize, link: &mut Link) -> Result<bool> {
        match self {
            Self::Floor(load) => load.next(lane, link).await,
            Self::Refresh(load) => load.next(lane, link).await,
            Self::Introspect(load) => load.next(lane, link).await,
            Self::List(load) => load.next(lane, link).await,
            Self::Revoke(load) => load.next(lane, link).await,
            Self::PeerRefresh(load) => load.next(lane, link).await,
            Self::PeerValidate(load) => load.next(lane, link).await,
        }
    }
}

impl Subject {
    fn new(name: &'static str, port: u16, load: Kind) -> Self {
        Self { name, port, load, sample: Sample::default() }
    }

    /// One more round.
    ///
    /// # Errors
    /// The first wrong answer.
    pub(crate) async fn measure(&mut self, lasting: Duration) -> Result<()> {
        let measured = round(&mut self.sample, self.port, lasting, &self.load).await;
        measured.with_context(|| format!("{} went wrong", self.name))
    }

    /// A moment that does not count, so that nothing is measured cold.
    ///
    /// # Errors
    /// The first wrong answer.
    pub(crate) async fn warm_up(&mut self, lasting: Duration) -> Result<()> {
        self.measure(lasting).await?;
        self.sample = Sample::default();
        Ok(())
    }
}

/// The name of a measurement. Comparisons are made by it.
pub(crate) mod name {
    pub(crate) const EMPTY: &str = "floor: empty Rust Worker";
    pub(crate) const FORM: &str = "floor: Rust Worker that reads a form";
    pub(crate) const READ: &str = "floor: Durable Object, read";
    pub(crate) const WRITE: &str = "floor: Durable Object, write";
    pub(crate) const REFRESH: &str = "refresh";
    pub(crate) const REFRESH_ALONE: &str = "refresh, without the gateway";
    pub(crate) const STRONG: &str = "introspect, strong";
    pub(crate) const STRONG_ALONE: &str = "introspect, strong, without the gateway";
    pub(crate) const EDGE_ALONE: &str = "introspect, edge, without the gateway";
    pub(crate) const LIST: &str = "list sessions";
    pub(crate) const REVOKE: &str = "revoke";
    pub(crate) const PEER_VALIDATE: &str = "peer: bearer validation, KV in memory";
    pub(crate) const PEER_VALIDATE_SIMULATED: &str = "peer: bearer validation, wrangler's KV";
    pub(crate) const PEER_REFRESH: &str = "peer: refresh, KV in memory";
    pub(crate) const PEER_REFRESH_SIMULATED: &str = "peer: refresh, wrangler's KV";
}

/// All but revocation, which uses sessions up. What is compared comes one after the other.
///
/// # Errors
/// If a floor cannot be prepared or a client is missing.
pub(crate) async fn all(
    info: &StackInfo,
    ports: Ports,
    sessions: &Rc<Pool>,
    peers: [&Rc<Grants>; 2],
    people: usize,
) -> Result<Vec<Subject>> {
    let floor =
        |name, floor| Subject::new(name, ports.floor, Kind::Floor(Floors::new(floor, people)));
    Floors::new(Floor::Write, people).prepare(ports.floor).await?;
    let refresh =
        |name, port| Subject::new(name, port, Kind::Refresh(Refresh(Rc::clone(sessions))));
    let introspect = |name, port| {
        let load = Introspect::new(info, sessions)?;
        anyhow::Ok(Subject::new(name, port, Kind::Introspect(load)))
    };
    let [memory, simulated] = peers;
    let peer_refresh = |name, port, peer| {
        Subject::new(name, port, Kind::PeerRefresh(peer::Refresh(Rc::clone(peer))))
    };
    let validate = |name, port, peer| {
        Subject::new(name, port, Kind::PeerValidate(peer::Validate(Rc::clone(peer))))
    };
    let mut all = vec![floor(name::EMPTY, Floor::Empty), floor(name::FORM, Floor::Form)];
    if let Some(port) = ports.edge {
        all.push(introspect(name::EDGE_ALONE, port)?);
    }
    all.extend([
        validate(name::PEER_VALIDATE, ports.peer_memory, memory),
        validate(name::PEER_VALIDATE_SIMULATED, ports.peer_simulated, simulated),
        floor(name::READ, Floor::Read),
        introspect(name::STRONG_ALONE, ports.introspect)?,
        introspect(name::STRONG, ports.gateway)?,
        floor(name::WRITE, Floor::Write),
        refresh(name::REFRESH_ALONE, ports.token),
        refresh(name::REFRESH, ports.gateway),
        peer_refresh(name::PEER_REFRESH, ports.peer_memory, memory),
        peer_refresh(name::PEER_REFRESH_SIMULATED, ports.peer_simulated, simulated),
        Subject::new(name::LIST, ports.gateway, Kind::List(List(Rc::clone(sessions)))),
    ]);
    Ok(all)
}

/// Revocation.
pub(crate) fn revocation(ports: Ports, sessions: &Rc<Pool>) -> Subject {
    Subject::new(name::REVOKE, ports.gateway, Kind::Revoke(Revoke(Rc::clone(sessions))))
}
