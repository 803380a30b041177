use std::rc::Rc;
use std::time::Duration;

use ledger::{Address, Answer, Applied, Command, Context, Envelope, Ledger, Millis, Policy};
use ledger::{apply, next_due};
use ports::{Clock, LedgerError, Ledgers, Random, Timer};

use crate::gate::{Gate, Pass};
use crate::store::{StoreError, Stored, Version, VersionedStore};

/// So often a command is tried against others who write the same ledger.
const ATTEMPTS: u32 = 16;
/// So often it is tried again after the store did not answer.
const REPEATS: u32 = 1;
/// The longest pause after the first attempt; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause of all.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause before asking the gate again, at first and after a while.
const GATE_PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];
/// So often the gate is asked, which takes about five seconds, the patience of callers.
const GATE_PATIENCE: u32 = 200;

/// Ledgers on a store that compares and swaps: load, apply, and write what changed unless somebody
/// else has written meanwhile; then again, from what they have written.
///
/// An answer that was lost does no harm. A command that is tried again recognises its own write by
/// its version and answers as it would have; if others have written over it since, it is applied
/// once more, which every command allows. What it has used up is refused then: the safe side.
pub struct Cas<'a, P, S> {
    platform: &'a P,
    store: S,
    gate: Rc<Gate>,
}

impl<'a, P: Clock + Timer + Random, S: VersionedStore> Cas<'a, P, S> {
    /// Ledgers on `store`, judged by the platform's clock.
    pub fn new(platform: &'a P, store: S) -> Self {
        Self { platform, store, gate: Rc::default() }
    }

    /// The same with a gate that is shared with other ones of this process.
    #[must_use]
    pub fn behind(self, gate: Rc<Gate>) -> Self {
        Self { gate, ..self }
    }

    /// Apply a command and tell all that it did.
    ///
    /// # Errors
    /// If the store does not answer, or others write this ledger all the time. It is unknown then
    /// whether the command took effect; every command can be repeated.
    pub async fn apply(
        &self,
        address: &Address,
        envelope: &Envelope,
    ) -> Result<Applied, LedgerError> {
        let mut unanswered = Unanswered::default();
        let mut repeats = 0;
        let mut obstacle = "others write this ledger all the time".to_owned();
        for attempt in 1..=ATTEMPTS {
            let pass = if attempt == 1 { None } else { self.queue(address).await };
            let outcome = self.attempt(address, envelope, &mut unanswered).await;
            drop(pass);
            match outcome {
                Ok(Some(applied)) => return Ok(applied),
                Ok(None) => {}
                Err(StoreError::Busy(why)) => obstacle = why,
                Err(StoreError::Away(_)) if repeats < REPEATS => repeats += 1,
                Err(error) => return Err(failed(&error)),
            }
            if attempt < ATTEMPTS {
                self.pause(FIRST_PAUSE, attempt, LONGEST_PAUSE).await;
            }
        }
        Err(LedgerError(format!("{ATTEMPTS} attempts: {obstacle}")))
    }

    /// Ledgers with work due now, those that have waited longest first: events to deliver, or
    /// something to sweep. A `Sweep` puts off what is still due afterwards, behind all others.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn due(&self, limit: u32) -> Result<Vec<Address>, LedgerError> {
        self.store.due(self.platform.now(), limit).await.map_err(|error| failed(&error))
    }

    /// `None`: somebody else was faster.
    async fn attempt(
        &self,
        address: &Address,
        envelope: &Envelope,
        unanswered: &mut Unanswered,
    ) -> Result<Option<Applied>, StoreError> {
        let held = self.store.load(address).await?;
        if let Some(applied) = held.as_ref().and_then(|held| unanswered.take(&held.version)) {
            return Ok(Some(applied));
        }
        let (applied, write) = self.step(held.as_ref(), envelope)?;
        let expected = held.as_ref().map(|held| &held.version);
        let done = match (write, expected) {
            (Write::Nothing, _) | (Write::Empty, None) => true,
            (Write::Empty, Some(expected)) => self.store.remove(address, expected).await?,
            (Write::Document(write), expected) => {
                let done = self.store.swap(address, expected, &write).await;
                if matches!(done, Err(StoreError::Away(_))) {
                    unanswered.0.push((write.version, applied.clone()));
                }
                done?
            }
        };
        Ok(done.then_some(applied))
    }

    /// Apply the command to what is held, and say what is to be written.
    fn step(
        &self,
        held: Option<&Stored>,
        envelope: &Envelope,
    ) -> Result<(Applied, Write), StoreError> {
        let mut document = match held {
            Some(held) => read(&held.document)?,
            None => Ledger::default(),
        };
        let now = self.platform.now();
        let Envelope { command, policy, origin } = envelope;
        let context = Context { now, policy, origin };
        let fill = &mut |out: &mut [u8]| self.platform.fill(out);
        let applied = apply(&mut document, command.clone(), context, fill);
        let due = due_of(&document, policy, now);
        let late = held.and_then(|held| held.due).filter(|held| *held <= now);
        let put_off = matches!(command, Command::Sweep) && late.is_some() && late != due;
        if !applied.changed && !put_off {
            return Ok((applied, Write::Nothing));
        }
        if document.is_empty() {
            return Ok((applied, Write::Empty));
        }
        let version = Version::after(held.map(|held| &held.version), self.platform);
        let document = serde_json::to_string(&document)
            .map_err(|error| StoreError::Broken(error.to_string()))?;
        Ok((applied, Write::Document(Stored { document, version, due })))
    }

    /// Wait at the gate. Who has waited long enough goes on without a pass.
    async fn queue(&self, address: &Address) -> Option<Pass<'_>> {
        let [first, longest] = GATE_PAUSES;
        for asked in 0..GATE_PATIENCE {
            let pass = self.gate.enter(address, self.platform.now());
            if pass.is_some() {
                return pass;
            }
            self.pause(first, asked, longest).await;
        }
        None
    }

    /// Wait for a random part of a time that doubles with each attempt: those who met once do not
    /// meet again.
    async fn pause(&self, first: Duration, attempt: u32, longest: Duration) {
        let longest = first.saturating_mul(1 << attempt.min(16)).min(longest);
        let part = f64::from(self.platform.number()) / f64::from(u32::MAX);
        self.platform.sleep(longest.mul_f64(part)).await;
    }
}

impl<P: Clock + Timer + Random, S: VersionedStore> Ledgers for Cas<'_, P, S> {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        Ok(self.apply(address, envelope).await?.into())
    }
}

/// What a step leaves to be written.
enum Write {
    Nothing,
    /// Nothing is remembered any more.
    Empty,
    Document(Stored),
}

/// Writes whose answers were lost, and what they would have meant.
#[derive(Default)]
struct Unanswered(Vec<(Version, Applied)>);

impl Unanswered {
    fn take(&mut self, version: &Version) -> Option<Applied> {
        let found = self.0.iter().position(|(ours, _)| ours == version)?;
        Some(self.0.swap_remove(found).1)
    }
}

/// When there is work to do for a ledger: at once if events wait for their delivery, else when an
/// announcement is due or something is to be swept.
fn due_of(document: &Ledger, policy: &Policy, now: Millis) -> Option<Millis> {
    let delivery = (!document.outbox.events.is_empty()).then_some(now);
    let announcement = document.webhooks.next_due();
    delivery.into_iter().chain(announcement).chain(next_due(document, policy)).min()
}

fn read(text: &str) -> Result<Ledger, StoreError> {
    let stored: Ledger = serde_json::from_slice(text.as_bytes())
        .map_err(|error| StoreError::Broken(format!("unreadable document: {error}")))?;
    stored.upgraded().map_err(|error| StoreError::Broken(error.to_string()))
}

fn failed(error: &StoreError) -> LedgerError {
    LedgerError(error.to_string())
}
