use std::pin::pin;
use std::time::Duration;

use auth::settings::{SqlSettings, WorkosSettings};
use bytes::Bytes;
use futures_util::future::{Either, join, select};
use host::{Endpoint, respond};
use http::StatusCode;
use ledger::{Address, Command, Envelope, Origin, Policy};
use observe::Facts;
use observe::health::{Check, Checks, Report, Status};
use ports::route::{Function, HEALTH_READY, Match};
use ports::{
    Clock, Config, ConfigError, Fetch, Kv, Ledgers, Millis, Platform, Request, Response, Timer,
};

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
    const GUARDED: bool = false;
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
    platform: &(impl Clock + Timer),
    name: &str,
    attempt: impl Future<Output = Result<T, E>>,
) -> Probe {
    let began = platform.now();
    let cause = match select(pin!(attempt), pin!(platform.sleep(TIMEOUT))).await {
        Either::Left((outcome, _)) => outcome.err().map(|error| error.to_string()),
        Either::Right(_) => Some("no answer".to_owned()),
    };
    let cause = cause.map(|cause| format!("{name}: {cause}"));
    Probe { cause, duration: platform.now().saturating_sub(began) }
}

/// A ledger that belongs to nobody: listing it writes nothing.
async fn ledger(platform: &(impl Ledgers + Clock + Timer)) -> Probe {
    let envelope =
        Envelope { command: Command::List, policy: Policy::default(), origin: Origin::default() };
    let nobody = Address::from_bytes([0; 16]);
    probe(platform, "ledger", platform.execute(&nobody, &envelope)).await
}

async fn kv(platform: &(impl Kv + Clock + Timer)) -> Probe {
    probe(platform, "kv", platform.get("health")).await
}

async fn postgres(platform: &(impl Fetch + Clock + Timer), settings: &SqlSettings) -> Probe {
    let (url, connection_string) = (settings.url.clone(), settings.connection_string.clone());
    let sql = data::NeonSql::new(platform, url, connection_string).with_timeout(TIMEOUT);
    probe(platform, "postgres", data::ping(&sql)).await
}

async fn workos(platform: &(impl Fetch + Clock + Timer), settings: &WorkosSettings) -> Probe {
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
