//! Failures that slow down whoever makes them: wrong client secrets, forged tokens.
//!
//! Counted per client *and* network prefix, so that nobody can lock a client out from elsewhere;
//! where the network is unknown, nothing is counted. What is counted is in the memory of one instance
//! of a function: other instances know nothing of it, and it ends with the instance. It is a filter
//! that keeps a flood of guesses cheap. What makes guessing hopeless is the length of secrets and MACs.

use ports::Millis;

/// So many failures cost nothing: a mistyped secret, a rollout that is late.
const FREE: u32 = 5;
/// The first wait; it doubles with each further failure.
const FIRST: Millis = 1_000;
/// The longest wait.
const LONGEST: Millis = 5 * 60_000;
/// So long after the last failure all is forgotten. More than the longest wait, so that whoever waits
/// it out and fails again does not begin anew.
const MEMORY: Millis = 15 * 60_000;
/// So many are remembered. Beyond it the one that failed longest ago is forgotten.
const MOST: usize = 1_024;

/// Who has failed lately.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    // In the order of their last failures.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    client_id: String,
    network: String,
    failures: u32,
    last: Millis,
}

impl Backoff {
    /// Whether a request may be judged now.
    ///
    /// # Errors
    /// When it may.
    pub fn admit(&self, client_id: &str, network: Option<&str>, now: Millis) -> Result<(), Millis> {
        let found = network.and_then(|network| self.position(client_id, network));
        let entry = found.and_then(|at| self.entries.get(at));
        match entry.map(Entry::until) {
            // Never longer than from now on, should the clock have gone back.
            Some(until) if now < until => Err(until.min(now.saturating_add(LONGEST))),
            _ => Ok(()),
        }
    }

    /// A request that was judged has failed. One that was not admitted is none of those.
    pub fn failed(&mut self, client_id: &str, network: Option<&str>, now: Millis) {
        let Some(network) = network else { return };
        self.entries.retain(|entry| now < entry.last.saturating_add(MEMORY));
        let failures = match self.position(client_id, network) {
            Some(at) => self.entries.remove(at).failures.saturating_add(1),
            None => 1,
        };
        if self.entries.len() >= MOST {
            self.entries.remove(0);
        }
        let (client_id, network) = (client_id.to_owned(), network.to_owned());
        self.entries.push(Entry { client_id, network, failures, last: now });
    }

    /// A request has proved what others had failed to prove.
    pub fn succeeded(&mut self, client_id: &str, network: Option<&str>) {
        if let Some(at) = network.and_then(|network| self.position(client_id, network)) {
            self.entries.remove(at);
        }
    }

    fn position(&self, client_id: &str, network: &str) -> Option<usize> {
        let same = |entry: &Entry| entry.client_id == client_id && entry.network == network;
        self.entries.iter().position(same)
    }
}

impl Entry {
    /// When the next one is judged.
    fn until(&self) -> Millis {
        let Some(doublings) = self.failures.checked_sub(FREE) else { return 0 };
        let wait = FIRST.saturating_mul(1 << doublings.min(20)).min(LONGEST);
        self.last.saturating_add(wait)
    }
}
