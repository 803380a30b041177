//! The HTTP side: routes, limits, and how failures look.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER,
        WWW_AUTHENTICATE,
    },
};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use subtle::ConstantTimeEq;
use tokio::{
    sync::Mutex,
    time::{Duration, Instant, timeout, timeout_at},
};

use crate::{
    budget::{Budget, Lease},
    error::Failure,
    log::log,
    metrics::{MEDIA_TYPE, Metrics, Outcome, observe},
    pool::Pool,
    request::{Format, Transaction, Work},
};

const CONNECTION_STRING: HeaderName = HeaderName::from_static("neon-connection-string");
/// How much of a body over the limit is still read, so that the client hears of the limit instead
/// of a broken connection; in multiples of the limit.
const PATIENCE: usize = 4;
/// A body is held twice: as it came, and as it is sent to Postgres.
const COPIES: usize = 2;
/// What is given to a client at once.
const PIECE: usize = 64 * 1024;
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// For how long one look at Postgres answers all health checks.
const HEALTH_MEMORY: Duration = Duration::from_secs(1);

/// What the routes share.
pub(crate) struct App {
    pub(crate) pool: Arc<Pool>,
    pub(crate) metrics: Arc<Metrics>,
    budget: Budget,
    health: Mutex<Option<(Instant, Health)>>,
    is_draining: AtomicBool,
}

#[derive(Clone, Copy)]
enum Health {
    Healthy,
    Busy,
    Unhealthy,
}

impl App {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        let metrics = Arc::clone(&pool.metrics);
        let budget = Budget::new(pool.settings.max_buffered_bytes);
        Self {
            pool,
            metrics,
            budget,
            health: Mutex::default(),
            is_draining: AtomicBool::new(false),
        }
    }

    /// Tells of the shutdown from now on.
    pub(crate) fn begin_to_drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// `POST /sql`, `GET /healthz` and `GET /metrics`.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        match (request.uri().path(), request.method()) {
            ("/sql", &Method::POST) => self.sql(request).await,
            ("/healthz", &Method::GET) => self.healthz().await,
            ("/metrics", &Method::GET) => self.exposition(request.headers()),
            ("/sql", _) => allow("POST"),
            ("/healthz" | "/metrics", _) => allow("GET"),
            _ => refuse(&Failure::NotFound),
        }
    }

    async fn sql(&self, request: Request<Incoming>) -> Response<Answer> {
        let mut witness = Witness { metrics: &self.metrics, since: Instant::now(), outcome: None };
        let (parts, body) = request.into_parts();
        match self.run(&parts.headers, body).await {
            Ok((body, lease, transaction)) => {
                witness.outcome = Some(Outcome::Ok);
                self.metrics.sent.inc_by(body.len() as u64);
                let mut response = json(StatusCode::OK, body);
                response.body_mut().lease = Some(lease);
                transaction.echo(response.headers_mut());
                response
            }
            Err(failure) => {
                witness.outcome = Some(Outcome::of(&failure));
                refuse(&failure)
            }
        }
    }

    /// The steps of `POST /sql`, the cheapest refusals first.
    async fn run(
        &self,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<(Vec<u8>, Lease, Transaction), Failure> {
        let settings = &self.pool.settings;
        let deadline = Instant::now() + settings.request_timeout;
        let credentials = headers.get(&CONNECTION_STRING).and_then(|value| value.to_str().ok());
        if !credentials.is_some_and(|credentials| settings.gate.admits(credentials)) {
            return Err(Failure::Refused);
        }
        let format = Format::read(headers);
        // Holds the body until there is an answer.
        let mut lease = self.budget.lease();
        let body = read(headers, body, settings.max_request_bytes, &mut lease);
        let body = timeout_at(deadline, body).await.map_err(|_| Failure::SlowRequest)??;
        self.metrics.received.inc_by(body.len() as u64);
        let work = Work::parse(&body)?;
        drop(body);
        let transaction = match work {
            Work::Single(_) => Transaction::default(),
            Work::Batch(_) => Transaction::read(headers)?,
        };
        let reply = self.pool.run(&work, &transaction, format, self.budget.lease());
        let (reply, lease) = timeout_at(deadline, reply).await.map_err(|_| Failure::Deadline)??;
        Ok((reply, lease, transaction))
    }

    /// Tells whether Postgres answers. A request that it has just answered says so too; otherwise
    /// health checks share one look per second, so that a flood of them cannot take the pool from
    /// those who have the secret.
    async fn healthz(&self) -> Response<Answer> {
        if self.is_draining.load(Ordering::Relaxed) {
            let body = br#"{"status":"draining"}"#.to_vec();
            return json(StatusCode::SERVICE_UNAVAILABLE, body);
        }
        let mut known = self.health.lock().await;
        let health = match *known {
            Some((at, health)) if at.elapsed() < HEALTH_MEMORY => health,
            _ => {
                let health = self.look().await;
                *known = Some((Instant::now(), health));
                health
            }
        };
        let (status, body) = match health {
            Health::Healthy => (StatusCode::OK, br#"{"status":"healthy"}"#.to_vec()),
            Health::Busy => (StatusCode::OK, br#"{"status":"busy"}"#.to_vec()),
            Health::Unhealthy => {
                (StatusCode::SERVICE_UNAVAILABLE, br#"{"status":"unhealthy"}"#.to_vec())
            }
        };
        json(status, body)
    }

    async fn look(&self) -> Health {
        let has_answered = |within| self.pool.answered().is_some_and(|ago| ago < within);
        if has_answered(HEALTH_MEMORY) {
            return Health::Healthy;
        }
        let Ok(work) = Work::parse(br#"{"query":"select 1"}"#) else { return Health::Unhealthy };
        let format = Format { raw_text: true, array_mode: true };
        let transaction = Transaction::default();
        let look = self.pool.run(&work, &transaction, format, self.budget.lease());
        let failure = match timeout(HEALTH_TIMEOUT, look).await {
            Ok(Ok(_)) => return Health::Healthy,
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Busy,
        };
        // All places are taken by long statements, and not for longer than a request may take.
        if matches!(failure, Failure::Busy) && has_answered(self.pool.settings.request_timeout) {
            return Health::Busy;
        }
        log(&failure);
        Health::Unhealthy
    }

    fn exposition(&self, headers: &HeaderMap) -> Response<Answer> {
        if let Some(token) = &self.pool.settings.metrics_token {
            let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
            if !bool::from(given.as_bytes().ct_eq(token.as_bytes())) {
                let mut response = refuse(&Failure::Refused);
                *response.status_mut() = StatusCode::UNAUTHORIZED;
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                return response;
            }
        }
        self.pool.gauge();
        self.metrics.buffered.set(i64::try_from(self.budget.held()).unwrap_or(i64::MAX));
        let text = self.metrics.text().unwrap_or_default();
        let mut response = json(StatusCode::OK, text.into_bytes());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}

/// A request counts when it is over, also when its client went away.
struct Witness<'a> {
    metrics: &'a Metrics,
    since: Instant,
    outcome: Option<Outcome>,
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        self.metrics.requests.count(self.outcome.unwrap_or(Outcome::Abandoned));
        observe(&self.metrics.duration, self.since.elapsed());
    }
}

/// A body in pieces: the client takes one after the other, and its share of the budget is given back
/// with the last.
pub(crate) struct Answer {
    rest: Bytes,
    lease: Option<Lease>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let size = self.rest.len().min(PIECE);
        let piece = (size > 0).then(|| Ok(Frame::data(self.rest.split_to(size))));
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

async fn read(
    headers: &HeaderMap,
    mut body: Incoming,
    limit: usize,
    lease: &mut Lease,
) -> Result<Vec<u8>, Failure> {
    let patience = limit.saturating_mul(PATIENCE);
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced: usize = announced.and_then(|value| value.parse().ok()).unwrap_or(0);
    if announced > patience {
        return Err(Failure::RequestTooLarge);
    }
    lease.hold(announced.min(limit).saturating_mul(COPIES))?;
    let mut all = Vec::with_capacity(announced.min(limit));
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::BadRequest(error.to_string()))?;
        let Ok(chunk) = frame.into_data() else { continue };
        total += chunk.len();
        if total > patience {
            break;
        }
        if total <= limit {
            lease.hold(total.saturating_mul(COPIES))?;
            all.extend_from_slice(&chunk);
        }
    }
    if total > limit { Err(Failure::RequestTooLarge) } else { Ok(all) }
}

fn allow(method: &'static str) -> Response<Answer> {
    let mut response = refuse(&Failure::Method);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(method));
    response
}

fn refuse(failure: &Failure) -> Response<Answer> {
    if failure.is_our_trouble() {
        log(failure);
    }
    let body = serde_json::to_vec(&failure.object()).unwrap_or_default();
    let mut response = json(failure.status(), body);
    if failure.is_retryable() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    // The rest of the body is not waited for.
    if matches!(failure, Failure::RequestTooLarge | Failure::SlowRequest | Failure::Overloaded) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn json(status: StatusCode, body: Vec<u8>) -> Response<Answer> {
    let mut response = Response::new(Answer { rest: body.into(), lease: None });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
