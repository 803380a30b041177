use crate::Millis;

/// Sweeps are put off by up to this many milliseconds: ledgers that were made together need not be
/// swept together.
pub const SPREAD: Millis = 30_000;

/// To when the one alarm of a ledger must be set; `None` if it is right as it is.
///
/// A sweep may be late by [`SPREAD`], so an alarm that rings by then will do: to draw anew with every
/// command would set it, and write, whenever the lot falls earlier. Whatever is `exact` must not be late.
/// `lot` draws a number up to [`SPREAD`].
pub fn alarm(
    armed: Option<Millis>,
    sweep: Option<Millis>,
    exact: Option<Millis>,
    lot: impl FnOnce() -> Millis,
) -> Option<Millis> {
    let latest = earlier(sweep.map(|due| due.saturating_add(SPREAD)), exact)?;
    if armed.is_some_and(|armed| armed <= latest) {
        return None;
    }
    earlier(sweep.map(|due| due.saturating_add(lot().min(SPREAD))), exact)
}

fn earlier(one: Option<Millis>, other: Option<Millis>) -> Option<Millis> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_due_needs_no_alarm() {
        assert_eq!(alarm(None, None, None, || 0), None);
        assert_eq!(alarm(Some(5), None, None, || 0), None);
    }

    #[test]
    fn an_alarm_that_rings_in_time_is_left_alone_whatever_the_lot() {
        let armed = alarm(None, Some(1000), None, || SPREAD).unwrap();
        for lot in [0, 1, SPREAD] {
            assert_eq!(alarm(Some(armed), Some(1000), None, || lot), None);
            assert_eq!(alarm(Some(armed), Some(2000), None, || lot), None, "use puts it off");
        }
    }

    #[test]
    fn an_exact_time_is_kept_to() {
        assert_eq!(alarm(Some(1001), Some(5000), Some(1000), || 0), Some(1000));
        assert_eq!(alarm(Some(1000), Some(5000), Some(1000), || 0), None);
        assert_eq!(alarm(None, Some(500), Some(1000), || 7), Some(507));
    }

    proptest! {
        #[test]
        fn the_alarm_rings_when_something_is_due_and_not_too_late(
            armed in proptest::option::of(0..200_000_u64),
            sweep in proptest::option::of(0..200_000_u64),
            exact in proptest::option::of(0..200_000_u64),
            lot in 0..=SPREAD,
        ) {
            let set = alarm(armed, sweep, exact, || lot).or(armed);
            if let Some(due) = sweep {
                prop_assert!(set.is_some_and(|at| at <= due + SPREAD));
            }
            if let Some(due) = exact {
                prop_assert!(set.is_some_and(|at| at <= due));
            }
        }
    }
}
