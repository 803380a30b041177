use std::time::Duration;

use auth::settings::{SqlSettings, WorkosSettings};
use bytes::Bytes;
use futures_util::future::join;
use host::{Endpoint, respond};
use http::StatusCode;
use ledger::{Address, Command, Envelope, Origin, Policy};
use observe::Facts;
use observe::health::{Check, Checks, Report, Status};
use ports::route::{Function, HEALTH_READY, Match};
use ports::{Clock, Config, ConfigError, Fetch, Kv, Ledgers, Millis, Platform, Request, Response};

/// `/health` and `/health/ready`; `/health/live` is answered by the pipeline.
pub(crate) struct Health;

pub(crate) struct HealthSettings {
    sql: SqlSettings,
    workos: WorkosSettings,
}

/// A dependency that takes longer than this is as good as down.
const TIMEOUT: Duration = Duration::from_secs(2);

impl Endpoint for Health {
    const FUNCTION: Function = Function::Health;
    type Settings = HealthSettings;

    fn configure(config: &impl Config) -> Result<HealthSettings, ConfigError> {
        Ok(HealthSettings {
            sql: SqlSettings::load(config)?,
            workos: WorkosSettings::load(config)?,
        })
    }

    async fn handle(
        platform: &impl Platform,
        settings: &HealthSettings,
        found: &Match<'_>,
        _request: &Request,
    ) -> Response {
        let own = join(ledger(platform), kv(platform));
        let others = join(postgres(platform, &settings.sql), workos(platform, &settings.workos));
        let ((ledger, kv), (postgres, workos)) = join(own, others).await;
        let causes: Vec<String> = [&ledger, &kv, &postgres, &workos]
            .into_iter()
            .filter_map(|probe| probe.cause.clone())
            .collect();
        let report = Report::of(Checks {
            ledger: ledger.check(true),
            kv: kv.check(true),
            postgres: postgres.check(false),
            workos: workos.check(false),
        });
        let unready = found.route.path == HEALTH_READY && report.status == Status::Unhealthy;
        let status = if unready { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let response = respond::json(status, &report);
        let response = if unready { respond::retry_later(response) } else { response };
        let facts = Facts {
            cause: Some(causes.join("; ")).filter(|causes| !causes.is_empty()),
            ..Facts::default()
        };
        respond::noted(response, facts)
    }
}

/// How long a probe took, and why it failed if it did.
struct Probe {
    cause: Option<String>,
    duration: Millis,
}

impl Probe {
    fn check(&self, critical: bool) -> Check {
        let status = if self.cause.is_none() { Status::Healthy } else { Status::Unhealthy };
        Check { status, critical, duration_ms: self.duration }
    }
}

async fn probe<T, E: ToString>(
    clock: &impl Clock,
    name: &str,
    attempt: impl Future<Output = Result<T, E>>,
) -> Probe {
    let began = clock.now();
    let cause = attempt.await.err().map(|error| format!("{name}: {}", error.to_string()));
    Probe { cause, duration: clock.now().saturating_sub(began) }
}

/// A ledger that belongs to nobody: listing it reads and writes nothing else.
async fn ledger(platform: &(impl Ledgers + Clock)) -> Probe {
    let envelope =
        Envelope { command: Command::List, policy: Policy::default(), origin: Origin::default() };
    let nobody = Address::from_bytes([0; 16]);
    probe(platform, "ledger", platform.execute(&nobody, &envelope)).await
}

async fn kv(platform: &(impl Kv + Clock)) -> Probe {
    probe(platform, "kv", platform.get("health")).await
}

async fn postgres(platform: &(impl Fetch + Clock), settings: &SqlSettings) -> Probe {
    let (url, connection_string) = (settings.url.clone(), settings.connection_string.clone());
    let sql = data::NeonSql::new(platform, url, connection_string).with_timeout(TIMEOUT);
    probe(platform, "postgres", data::ping(&sql)).await
}

async fn workos(platform: &(impl Fetch + Clock), settings: &WorkosSettings) -> Probe {
    let url = settings.jwks_url();
    let attempt = async {
        let request = http::Request::get(&url).body(Bytes::new());
        let request = request.map_err(|error| error.to_string())?;
        let answer = platform.fetch(request, TIMEOUT).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("status {}", status.as_u16())) }
    };
    probe(platform, "workos", attempt).await
}
