//! What the proxy counts, in OpenMetrics text. All label sets are closed: nothing that a client
//! sends becomes a label.

use std::{fmt, marker::PhantomData, time::Duration};

use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::error::Failure;

/// The media type of what `Metrics::text` returns.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A closed set of values of one label.
pub(crate) trait Label: Copy + PartialEq + 'static {
    const NAME: &'static str;
    const ALL: &'static [(Self, &'static str)];
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident, $label:literal, { $($variant:ident = $value:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant),* }

        impl Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$variant, $value)),*];
        }
    };
}

label!(
    /// How a request ended.
    Outcome, "outcome", {
        Ok = "ok", Sql = "sql_error", BadRequest = "bad_request", Refused = "refused",
        SlowRequest = "slow_request", RequestTooLarge = "request_too_large",
        ResponseTooLarge = "response_too_large", Overloaded = "overloaded", Busy = "busy",
        Unreachable = "unreachable", Lost = "lost", Deadline = "deadline",
        Unreadable = "unreadable", Abandoned = "abandoned",
    }
);
label!(
    /// Why a session with Postgres ended.
    Ending, "reason", {
        Idle = "idle", Lost = "lost", Unfit = "unfit", Tainted = "tainted", Stale = "stale",
        Cancelled = "cancelled", Drained = "drained",
    }
);
label!(
    /// What became of the attempt to open a session or to cancel a statement.
    Attempt, "result", { Done = "done", Failed = "failed" }
);
label!(
    /// Whether a statement was prepared already.
    Lookup, "result", { Hit = "hit", Miss = "miss" }
);

impl Outcome {
    /// Of a request that has failed.
    pub(crate) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::BadRequest(_)
            | Failure::TooMany(_)
            | Failure::ZeroByte(_)
            | Failure::NotFound
            | Failure::Method => Self::BadRequest,
            Failure::Refused => Self::Refused,
            Failure::Sql(error) if error.is_fatal() => Self::Lost,
            Failure::Sql(_) | Failure::Stale(_) => Self::Sql,
            Failure::SlowRequest => Self::SlowRequest,
            Failure::RequestTooLarge => Self::RequestTooLarge,
            Failure::ResponseTooLarge | Failure::NoRoom => Self::ResponseTooLarge,
            Failure::Overloaded => Self::Overloaded,
            Failure::Busy => Self::Busy,
            Failure::Unreachable(_) => Self::Unreachable,
            Failure::Lost(_) => Self::Lost,
            Failure::Deadline => Self::Deadline,
            Failure::Unreadable(_) => Self::Unreadable,
        }
    }
}

/// A counter for each value of a label, all of them there from the start.
pub(crate) struct By<L> {
    counters: Vec<Counter>,
    label: PhantomData<L>,
}

impl<L: Label> By<L> {
    fn new(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<[(&'static str, &'static str); 1], Counter>::default();
        let counter =
            |(_, value): &(L, &'static str)| family.get_or_create_owned(&[(L::NAME, *value)]);
        let counters = L::ALL.iter().map(counter).collect();
        registry.register(name, help, family);
        Self { counters, label: PhantomData }
    }

    pub(crate) fn count(&self, label: L) {
        self.add(label, 1);
    }

    pub(crate) fn add(&self, label: L, number: u64) {
        let index = L::ALL.iter().position(|(other, _)| *other == label);
        if let Some(counter) = index.and_then(|index| self.counters.get(index)) {
            counter.inc_by(number);
        }
    }
}

/// All of them.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) requests: By<Outcome>,
    pub(crate) duration: Histogram,
    pub(crate) queue: Histogram,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    pub(crate) opened: By<Attempt>,
    pub(crate) ended: By<Ending>,
    pub(crate) cancelled: By<Attempt>,
    pub(crate) statements: By<Lookup>,
    pub(crate) handshakes: By<Attempt>,
    pub(crate) clients: Gauge,
    pub(crate) waiting: Gauge,
    pub(crate) idle: Gauge,
    pub(crate) busy: Gauge,
    pub(crate) pool_limit: Gauge,
    pub(crate) buffered: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("atoms_edge_proxy");
        let all = &mut registry;
        // 0.5 ms to 16 s.
        let times = || Histogram::new(exponential_buckets(0.0005, 2.0, 16));
        let (duration, queue) = (times(), times());
        let seconds = || Unit::Seconds;
        let help = "From the head of a request to its answer";
        all.register_with_unit("request_duration", help, seconds(), duration.clone());
        let help = "Waiting for a session with Postgres, opening one included";
        all.register_with_unit("queue_duration", help, seconds(), queue.clone());
        Self {
            requests: By::new(all, "requests", "Requests to /sql by how they ended"),
            duration,
            queue,
            received: bytes(all, "request", "Bodies of requests"),
            sent: bytes(all, "response", "Bodies of successful answers"),
            opened: By::new(all, "sessions_opened", "Sessions with Postgres that were asked for"),
            ended: By::new(all, "sessions_ended", "Sessions with Postgres that ended, by why"),
            cancelled: By::new(all, "cancels", "Statements that were cancelled"),
            statements: By::new(all, "statements", "Statements by whether they were prepared"),
            handshakes: By::new(all, "tls_handshakes", "TLS handshakes with clients"),
            clients: gauge(all, "clients", "Connections of clients"),
            waiting: gauge(all, "waiting", "Requests that wait for a session"),
            idle: gauge(all, "sessions_idle", "Sessions that wait for a request"),
            busy: gauge(all, "sessions_busy", "Places in the pool that are taken by requests"),
            pool_limit: gauge(all, "sessions_limit", "Places in the pool"),
            buffered: gauge(all, "buffered_bytes", "Bodies that are held in memory"),
            registry,
        }
    }

    /// The exposition.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// One more of what a gauge counts, until it is dropped.
pub(crate) struct Present(Gauge);

impl Present {
    pub(crate) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Observes how long something took, however it ends.
pub(crate) fn observe(histogram: &Histogram, took: Duration) {
    histogram.observe(took.as_secs_f64());
}

fn bytes(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register_with_unit(name, help, Unit::Bytes, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_there_before_anything_happened() {
        let metrics = Metrics::new();
        let before = metrics.text().unwrap();
        metrics.requests.count(Outcome::Ok);
        metrics.statements.add(Lookup::Hit, 3);
        drop(Present::new(&metrics.clients));
        observe(&metrics.duration, Duration::from_millis(2));
        let after = metrics.text().unwrap();
        let series = |text: &str| {
            let names = text.lines().map(|line| line.rsplit_once(' ').unwrap().0.to_owned());
            names.collect::<Vec<_>>()
        };
        assert_eq!(series(&before), series(&after));
        assert!(before.contains("atoms_edge_proxy_requests_total{outcome=\"abandoned\"} 0\n"));
        assert!(after.contains("atoms_edge_proxy_requests_total{outcome=\"ok\"} 1\n"));
        assert!(after.contains("atoms_edge_proxy_statements_total{result=\"hit\"} 3\n"));
        assert!(after.contains("atoms_edge_proxy_request_duration_seconds_count 1\n"));
        assert!(after.ends_with("# EOF\n"));
    }
}
