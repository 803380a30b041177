//! The model of the rate limits: a list of everything that was spent.

use ledger::{Budget, Class, Millis, Policy};

const MINUTE: Millis = 60_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Quota {
    /// What, and in which minute.
    spent: Vec<(Class, u64)>,
}

impl Quota {
    pub(crate) fn spend(
        &mut self,
        class: Class,
        now: Millis,
        policy: &Policy,
    ) -> Result<(), Budget> {
        let Some(limit) = policy.limits.of(class) else { return Ok(()) };
        let own = self.spent.iter().filter(|(other, _)| *other == class);
        // A clock that went back does not reopen a minute.
        let minute = own.map(|(_, minute)| *minute).max().unwrap_or(0).max(now / MINUTE);
        if !self.has_room(class, minute, limit, now) {
            let (mut no, mut yes) = (now, (minute + 3) * MINUTE);
            while no + 1 < yes {
                let middle = no.midpoint(yes);
                if self.has_room(class, minute.max(middle / MINUTE), limit, middle) {
                    yes = middle;
                } else {
                    no = middle;
                }
            }
            return Err(Budget { class, limit, remaining: 0, reset_at: yes });
        }
        self.spent.retain(|(_, other)| other + 1 >= minute);
        self.spent.push((class, minute));
        Ok(())
    }

    fn has_room(&self, class: Class, minute: u64, limit: u32, now: Millis) -> bool {
        let count = |minute| self.spent.iter().filter(|one| **one == (class, minute)).count();
        let count = |minute| u64::try_from(count(minute)).expect("few");
        let elapsed = now.saturating_sub(minute * MINUTE);
        let fading = count(minute - 1) * (MINUTE - elapsed);
        fading + (count(minute) + 1) * MINUTE <= u64::from(limit) * MINUTE
    }
}
