//! The health model: each dependency is healthy or not, some are critical, and the whole is as
//! well as its critical parts.

use ports::Millis;
use serde::Serialize;

/// How the service, or a part of it, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Works.
    Healthy,
    /// Works in part: a dependency that is not critical is down.
    Degraded,
    /// Does not work.
    Unhealthy,
}

/// The result of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Healthy or unhealthy.
    pub status: Status,
    /// Whether the service can do nothing without it.
    pub critical: bool,
    /// How long the probe took.
    pub duration_ms: Millis,
}

/// Names and results of all probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The whole.
    pub status: Status,
    /// The parts.
    pub checks: Checks,
}

/// The dependencies of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checks {
    /// Sessions: nothing goes without it.
    pub ledger: Check,
    /// The cache: nothing goes well without it.
    pub kv: Check,
    /// Business data: without it sign-in and MCP pause.
    pub postgres: Check,
    /// The identity provider: without it new sign-ins pause.
    pub workos: Check,
}

impl Report {
    /// The whole from its parts.
    pub fn of(checks: Checks) -> Self {
        let all = [&checks.ledger, &checks.kv, &checks.postgres, &checks.workos];
        let down = |check: &&&Check| check.status != Status::Healthy;
        let status =
            match (all.iter().filter(down).count(), all.iter().filter(down).any(|c| c.critical)) {
                (0, _) => Status::Healthy,
                (_, true) => Status::Unhealthy,
                (_, false) => Status::Degraded,
            };
        Self { status, checks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(down: &[&str]) -> Report {
        let check = |name, critical| Check {
            status: if down.contains(&name) { Status::Unhealthy } else { Status::Healthy },
            critical,
            duration_ms: 1,
        };
        Report::of(Checks {
            ledger: check("ledger", true),
            kv: check("kv", true),
            postgres: check("postgres", false),
            workos: check("workos", false),
        })
    }

    #[test]
    fn the_whole_is_as_well_as_its_critical_parts() {
        assert_eq!(report(&[]).status, Status::Healthy);
        assert_eq!(report(&["postgres", "workos"]).status, Status::Degraded);
        assert_eq!(report(&["postgres", "ledger"]).status, Status::Unhealthy);
        assert_eq!(report(&["kv"]).status, Status::Unhealthy);
    }
}
