//! Sessions in the hands of clients, divided among the connections, so that none is refreshed by two
//! at once.

use std::cell::{Cell, RefCell};

use anyhow::{Context, Result};

use crate::load::Answer;

/// The newest tokens of a session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The access token.
    pub(crate) access: String,
    /// The refresh token.
    pub(crate) refresh: String,
}

impl Session {
    /// From a token response.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn of(answer: &Answer) -> Result<Self> {
        let (access, refresh) = (answer.member("access_token")?, answer.member("refresh_token")?);
        Ok(Self { access, refresh })
    }
}

/// All sessions of a service.
pub(crate) struct Pool(Vec<Lane>);

#[derive(Default)]
struct Lane {
    sessions: RefCell<Vec<Session>>,
    turn: Cell<usize>,
}

impl Pool {
    /// With the sessions of each connection.
    pub(crate) fn new(lanes: Vec<Vec<Session>>) -> Self {
        let lane = |sessions| Lane { sessions: RefCell::new(sessions), turn: Cell::new(0) };
        Self(lanes.into_iter().map(lane).collect())
    }

    /// The next session of a connection, and its place.
    ///
    /// # Errors
    /// If none is left.
    pub(crate) fn turn(&self, lane: usize) -> Result<(usize, Session)> {
        let Lane { sessions, turn } = &self.0[lane];
        let sessions = sessions.borrow();
        let at = turn.get() % sessions.len().max(1);
        turn.set(at + 1);
        Ok((at, sessions.get(at).context("no session is left")?.clone()))
    }

    /// The next of a few sessions of a connection, which come again and again.
    ///
    /// # Errors
    /// If none is left.
    pub(crate) fn busy(&self, lane: usize, few: usize) -> Result<Session> {
        let Lane { sessions, turn } = &self.0[lane];
        let sessions = sessions.borrow();
        // Not neighbours: those are of one person.
        let distance = (sessions.len() / few.max(1)).max(1);
        let at = turn.get() % few.clamp(1, sessions.len().max(1));
        turn.set(at + 1);
        Ok(sessions.get(at * distance).context("no session is left")?.clone())
    }

    /// What has become of the session at a place.
    pub(crate) fn renew(&self, lane: usize, at: usize, session: Session) {
        if let Some(place) = self.0[lane].sessions.borrow_mut().get_mut(at) {
            *place = session;
        }
    }

    /// One that leaves.
    pub(crate) fn take(&self, lane: usize) -> Option<Session> {
        self.0[lane].sessions.borrow_mut().pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: &str) -> Session {
        Session { access: String::new(), refresh: name.to_owned() }
    }

    #[test]
    fn a_connection_goes_round_its_own_sessions() {
        let pool = Pool::new(vec![vec![session("a"), session("b")], vec![session("c")]]);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (at, current) = pool.turn(0).unwrap();
            seen.push(current.refresh.clone());
            pool.renew(0, at, session(&format!("{}+", current.refresh)));
        }
        assert_eq!(seen, ["a", "b", "a+"]);
        assert_eq!(pool.take(1).unwrap().refresh, "c");
        let busy = [(); 3].map(|()| pool.busy(0, 1).unwrap().refresh);
        assert_eq!(busy, ["a++", "a++", "a++"]);
        assert!(pool.take(1).is_none() && pool.turn(1).is_err());
    }
}
