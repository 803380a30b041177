//! What holds of a breaker whatever happens, against a simulation of calls that take their time.
#![allow(clippy::unwrap_used, reason = "what does not hold must end the test")]

use breaker::{Breaker, Permit};
use proptest::prelude::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Event {
    /// Time passes.
    Wait(u64),
    /// Somebody wants to call.
    Call,
    /// One of the calls under way ends, well or not.
    End { which: usize, failed: bool },
    /// One of the calls under way is given up: its outcome never comes.
    GiveUp { which: usize },
}

fn events() -> impl Strategy<Value = Vec<(Event, u32)>> {
    let event = prop_oneof![
        2 => (0_u64..5_000).prop_map(Event::Wait),
        1 => (0_u64..120_000).prop_map(Event::Wait),
        4 => Just(Event::Call),
        4 => (any::<usize>(), any::<bool>())
            .prop_map(|(which, failed)| Event::End { which, failed }),
        1 => any::<usize>().prop_map(|which| Event::GiveUp { which }),
    ];
    prop::collection::vec((event, any::<u32>()), 0..400)
}

const PATIENCE: u64 = 10_000;

/// Runs the events; tells `seen` of every call that is asked for.
fn run(
    events: Vec<(Event, u32)>,
    mut seen: impl FnMut(u64, Result<Permit, u64>),
) -> (Breaker, u64) {
    let (mut breaker, mut now, mut under_way) = (Breaker::default(), 1_000_000, Vec::new());
    for (event, random) in events {
        match event {
            Event::Wait(milliseconds) => now += milliseconds,
            Event::Call => {
                let answer = breaker.admit(now, PATIENCE);
                under_way.extend(answer);
                seen(now, answer);
            }
            Event::End { which, failed } if !under_way.is_empty() => {
                let permit = under_way.swap_remove(which % under_way.len());
                breaker.record(permit, failed, now, random);
            }
            Event::GiveUp { which } if !under_way.is_empty() => {
                under_way.swap_remove(which % under_way.len());
            }
            Event::End { .. } | Event::GiveUp { .. } => {}
        }
    }
    (breaker, now)
}

proptest! {
    #[test]
    fn nobody_is_told_to_wait_longer_than_the_longest_opening_or_the_probe(events in events()) {
        run(events, |_, answer| {
            if let Err(left) = answer {
                assert!((1..=Breaker::LONGEST.max(PATIENCE)).contains(&left), "{left}");
            }
        });
    }

    #[test]
    fn whoever_waits_as_long_as_told_gets_through(events in events()) {
        let (mut breaker, now) = run(events, |_, _| {});
        if let Err(left) = breaker.admit(now, PATIENCE) {
            prop_assert!(breaker.clone().admit(now + left - 1, PATIENCE).is_err());
            prop_assert!(breaker.admit(now + left, PATIENCE).is_ok());
        }
    }

    #[test]
    fn it_recovers_from_whatever_happened_once_the_dependency_answers(events in events()) {
        let (mut breaker, mut now) = run(events, |_, _| {});
        let mut refused = 0;
        loop {
            match breaker.admit(now, PATIENCE) {
                Ok(permit) => {
                    breaker.record(permit, false, now, 0);
                    break;
                }
                Err(left) => (now, refused) = (now + left, refused + 1),
            }
        }
        prop_assert!(refused <= 1, "one wait, then a call that decides");
        prop_assert!(breaker.admit(now, PATIENCE).is_ok());
        prop_assert!(breaker.admit(now, PATIENCE).is_ok(), "not only a probe: it is closed");
    }

    #[test]
    fn a_dependency_that_always_answers_is_always_asked(events in events()) {
        let healthy = events.into_iter().map(|(event, random)| match event {
            Event::End { which, .. } => (Event::End { which, failed: false }, random),
            other => (other, random),
        });
        run(healthy.collect(), |_, answer| assert!(answer.is_ok()));
    }

    #[test]
    fn a_dependency_that_never_answers_is_asked_ever_less(
        gaps in prop::collection::vec(0_u64..2_000, 600),
        random in any::<u32>(),
    ) {
        let (mut breaker, mut now, mut asked) = (Breaker::default(), 1_000_000_u64, Vec::new());
        for gap in gaps {
            now += gap;
            if let Ok(permit) = breaker.admit(now, PATIENCE) {
                breaker.record(permit, true, now, random);
                asked.push(now);
            }
        }
        let late = asked.windows(2).skip(Breaker::FAILURES + 6);
        for pair in late {
            prop_assert!(pair[1] - pair[0] >= Breaker::LONGEST / 2);
        }
    }
}
