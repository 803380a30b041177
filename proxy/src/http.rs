//! The HTTP side: routes, limits, and how failures look.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::Response,
    routing::{get, post},
};
use futures::StreamExt;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, StatusCode,
    header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use tokio::{
    sync::Mutex,
    time::{Duration, Instant, timeout, timeout_at},
};

use crate::{
    error::Failure,
    pool::Pool,
    request::{Format, Transaction, Work},
    settings::Settings,
    tls::Tls,
};

const CONNECTION_STRING: HeaderName = HeaderName::from_static("neon-connection-string");
/// How much of a body over the limit is still read, so that the client hears of the limit instead
/// of a broken connection; in multiples of the limit.
const PATIENCE: usize = 4;
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// For how long one look at Postgres answers all health checks.
const HEALTH_MEMORY: Duration = Duration::from_secs(1);

/// `POST /sql` and `GET /healthz`.
pub(crate) fn router(settings: Arc<Settings>, tls: Tls) -> Router {
    let health = Mutex::default();
    let app = Arc::new(App { pool: Arc::new(Pool::new(settings, tls)), health });
    Router::new().route("/sql", post(sql)).route("/healthz", get(healthz)).with_state(app)
}

struct App {
    pool: Arc<Pool>,
    health: Mutex<Option<(Instant, bool)>>,
}

async fn sql(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    match answer(&app.pool, &parts.headers, body).await {
        Ok((body, transaction)) => {
            let mut response = json(StatusCode::OK, body);
            transaction.echo(response.headers_mut());
            response
        }
        Err(failure) => refuse(&failure),
    }
}

/// The steps of `POST /sql`, the cheapest refusals first.
async fn answer(
    pool: &Arc<Pool>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Vec<u8>, Transaction), Failure> {
    let settings = &pool.settings;
    let deadline = Instant::now() + settings.request_timeout;
    let credentials = headers.get(&CONNECTION_STRING).and_then(|value| value.to_str().ok());
    if !credentials.is_some_and(|credentials| settings.gate.admits(credentials)) {
        return Err(Failure::Refused);
    }
    let format = Format::read(headers);
    let body = timeout_at(deadline, read(headers, body, settings.max_request_bytes)).await;
    let work = Work::parse(&body.map_err(|_| Failure::SlowRequest)??)?;
    let transaction = match work {
        Work::Single(_) => Transaction::default(),
        Work::Batch(_) => Transaction::read(headers)?,
    };
    let reply = timeout_at(deadline, pool.run(&work, &transaction, format)).await;
    Ok((reply.map_err(|_| Failure::Deadline)??, transaction))
}

async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Failure> {
    let patience = limit.saturating_mul(PATIENCE);
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced: usize = announced.and_then(|value| value.parse().ok()).unwrap_or(0);
    if announced > patience {
        return Err(Failure::RequestTooLarge);
    }
    let mut all = Vec::with_capacity(announced.min(limit));
    let mut total = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Failure::BadRequest(error.to_string()))?;
        total += chunk.len();
        if total > patience {
            break;
        }
        if total <= limit {
            all.extend_from_slice(&chunk);
        }
    }
    if total > limit { Err(Failure::RequestTooLarge) } else { Ok(all.into()) }
}

/// Tells whether Postgres answers `select 1`. Health checks share one look per second, so that a
/// flood of them cannot take the pool from those who have the secret.
async fn healthz(State(app): State<Arc<App>>) -> Response {
    let mut known = app.health.lock().await;
    let is_up = match *known {
        Some((at, is_up)) if at.elapsed() < HEALTH_MEMORY => is_up,
        _ => {
            let is_up = select_one(&app.pool).await;
            *known = Some((Instant::now(), is_up));
            is_up
        }
    };
    if is_up {
        json(StatusCode::OK, br#"{"status":"healthy"}"#.to_vec())
    } else {
        json(StatusCode::SERVICE_UNAVAILABLE, br#"{"status":"unhealthy"}"#.to_vec())
    }
}

async fn select_one(pool: &Arc<Pool>) -> bool {
    let Ok(work) = Work::parse(br#"{"query":"select 1"}"#) else { return false };
    let format = Format { raw_text: true, array_mode: true };
    let transaction = Transaction::default();
    match timeout(HEALTH_TIMEOUT, pool.run(&work, &transaction, format)).await {
        Ok(Ok(_)) => true,
        Ok(Err(failure)) => {
            log(&failure);
            false
        }
        Err(_) => false,
    }
}

fn refuse(failure: &Failure) -> Response {
    if failure.is_our_trouble() {
        log(failure);
    }
    let body = serde_json::to_vec(&failure.object()).unwrap_or_default();
    let mut response = json(failure.status(), body);
    if failure.is_retryable() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if matches!(failure, Failure::RequestTooLarge | Failure::SlowRequest) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Says what broke; never SQL, parameters or credentials.
fn log(failure: &Failure) {
    eprintln!("atoms-edge-proxy: {failure}");
}
