use std::time::Duration;

use ports::{Random, Rows, Sql, SqlError, Statement, Timer};

/// The longest wait after the first attempt; each further one doubles it.
const FIRST: Duration = Duration::from_millis(20);
/// The longest wait of all.
const LONGEST: Duration = Duration::from_millis(500);

/// SQL that waits a little before it tries again what others got in the way of: a random part of a
/// time that doubles, so that those who met once do not meet again.
#[derive(Clone)]
pub struct Backoff<'a, S, P> {
    sql: S,
    platform: &'a P,
}

impl<'a, S: Sql, P: Timer + Random> Backoff<'a, S, P> {
    /// The same SQL with the platform's timer.
    pub fn new(sql: S, platform: &'a P) -> Self {
        Self { sql, platform }
    }
}

impl<S: Sql, P: Timer + Random> Sql for Backoff<'_, S, P> {
    async fn transaction(&self, statements: &[Statement<'_>]) -> Result<Vec<Rows>, SqlError> {
        self.sql.transaction(statements).await
    }

    async fn pause(&self, attempt: u32) {
        let mut random = [0; 2];
        self.platform.fill(&mut random);
        self.platform.sleep(wait(attempt, u16::from_be_bytes(random))).await;
    }
}

/// `random` 65535ths of the longest wait after this attempt.
fn wait(attempt: u32, random: u16) -> Duration {
    let doubled = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.min(LONGEST) * u32::from(random) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::executor::block_on;

    use super::*;
    use crate::as_service;

    /// Loses every race.
    struct Loser;

    impl Sql for Loser {
        async fn transaction(&self, _: &[Statement<'_>]) -> Result<Vec<Rows>, SqlError> {
            let (code, message) = ("40001".to_owned(), String::new());
            Err(SqlError::Refused { code, message, constraint: None })
        }
    }

    #[derive(Default)]
    struct Watch(RefCell<Vec<Duration>>);

    impl Timer for Watch {
        async fn sleep(&self, duration: Duration) {
            self.0.borrow_mut().push(duration);
        }
    }

    impl Random for Watch {
        fn fill(&self, out: &mut [u8]) {
            out.fill(0xff);
        }
    }

    #[test]
    fn waits_double_up_to_a_bound_and_are_random() {
        assert_eq!(wait(1, u16::MAX), Duration::from_millis(20));
        assert_eq!(wait(3, u16::MAX), Duration::from_millis(80));
        assert_eq!(wait(40, u16::MAX), LONGEST);
        assert_eq!(wait(3, 0), Duration::ZERO);
    }

    #[test]
    fn there_is_a_wait_before_each_further_attempt() {
        let watch = Watch::default();
        let statement = Statement { text: "select 1", parameters: Vec::new() };
        assert!(block_on(as_service(&Backoff::new(Loser, &watch), vec![statement])).is_err());
        assert_eq!(*watch.0.borrow(), [Duration::from_millis(20), Duration::from_millis(40)]);
    }
}
