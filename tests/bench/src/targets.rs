//! What the numbers should be. Mostly comparisons: they hold on slow machines too.

use crate::database;
use crate::load::Sample;
use crate::report::Target;
use crate::subjects::name;

enum Goal {
    /// The 95th percentile, in milliseconds, at 16 connections.
    Within(f64),
    /// At least this many times the rate of another.
    Times(&'static str, f64),
}

const GOALS: [(&str, Goal); 10] = [
    (name::REFRESH, Goal::Within(100.0)),
    (name::LIST, Goal::Within(50.0)),
    (name::REVOKE, Goal::Within(200.0)),
    (name::STRONG_ALONE, Goal::Times(name::READ, 0.85)),
    (name::EDGE_ALONE, Goal::Times(name::EMPTY, 0.65)),
    (name::REFRESH_ALONE, Goal::Times(name::WRITE, 0.65)),
    (name::EDGE_ALONE, Goal::Times(name::PEER_VALIDATE, 2.0)),
    (name::REFRESH_ALONE, Goal::Times(name::PEER_REFRESH_SIMULATED, 3.0)),
    (database::PROXY_NOTES, Goal::Times(database::PGBENCH, 0.9)),
    (database::PROXY_NOTES, Goal::Times(database::PGBENCH_PREPARED, 0.9)),
];

/// The targets of a measurement, as far as what they compare with was measured.
pub(crate) fn of(subject: &str, sample: &Sample, all: &[(&str, &Sample)]) -> Vec<Target> {
    let goals = GOALS.iter().filter(|(name, _)| *name == subject);
    goals.filter_map(|(_, goal)| judge(goal, sample, all)).collect()
}

fn judge(goal: &Goal, sample: &Sample, all: &[(&str, &Sample)]) -> Option<Target> {
    match goal {
        Goal::Within(limit) => {
            let met = sample.percentile(0.95) < *limit;
            Some(Target { met, text: format!("p95 < {limit} ms") })
        }
        Goal::Times(other, least) => {
            let (_, base) = all.iter().find(|(name, _)| name == other)?;
            let ratio = sample.ratio(base);
            let text = if *least < 1.0 {
                format!("{:.0} % (≥ {:.0} %) of {other}", 100.0 * ratio, 100.0 * least)
            } else {
                format!("{ratio:.1} × (≥ {least} ×) {other}")
            };
            Some(Target { met: ratio >= *least, text })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rate: f64, micros: u32) -> Sample {
        Sample { rates: vec![rate], micros: vec![micros] }
    }

    #[test]
    fn a_target_is_met_or_missed_by_the_numbers_of_the_run() {
        let (fast, slow) = (sample(85.0, 99_000), sample(84.0, 100_000));
        let read = sample(100.0, 1);
        let all = [(name::READ, &read)];
        assert!(of(name::STRONG_ALONE, &fast, &all)[0].met);
        assert!(!of(name::STRONG_ALONE, &slow, &all)[0].met);
        assert!(of(name::REFRESH, &fast, &all)[0].met);
        assert!(!of(name::REFRESH, &slow, &all)[0].met);
        assert!(of(name::EDGE_ALONE, &fast, &all).is_empty(), "nothing to compare with");
    }

    #[test]
    fn every_target_names_what_is_measured() {
        let texts: Vec<_> = GOALS.iter().map(|(name, _)| *name).collect();
        assert!(texts.iter().all(|name| !name.starts_with("floor") && !name.starts_with("peer")));
    }
}
