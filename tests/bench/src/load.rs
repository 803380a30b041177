//! The load: as many keep-alive connections as asked for, each of which sends its next request when
//! it has its answer. All of it runs on one thread, so that the other processor is the server's.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures::future::try_join_all;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Connections at once.
pub(crate) const CONNECTIONS: usize = 16;
/// No answer takes longer unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
pub(crate) struct Link(SendRequest<Full<Bytes>>);

/// An answer, whole.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// This answer, if it has the status.
    ///
    /// # Errors
    /// Says what came instead.
    pub(crate) fn expect(self, status: u16) -> Result<Self> {
        if self.status.as_u16() == status {
            return Ok(self);
        }
        let text = String::from_utf8_lossy(&self.body).into_owned();
        bail!("expected status {status}, got {}: {text}", self.status)
    }

    /// A text member of the body.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn member(&self, name: &str) -> Result<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body)?;
        Ok(body[name].as_str().with_context(|| format!("there is no {name}"))?.to_owned())
    }
}

impl Link {
    /// Connect to a port of the loopback interface.
    ///
    /// # Errors
    /// If nobody listens there.
    pub(crate) async fn to(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the sender.
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Send a request and wait for all of its answer.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let exchange = async {
            self.0.ready().await?;
            let response = self.0.send_request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        };
        tokio::time::timeout(PATIENCE, exchange).await.context("no answer")?
    }
}

/// A `GET`.
///
/// # Errors
/// If the path or a header is none.
pub(crate) fn get(path: &str, headers: &[(&str, &str)]) -> Result<Request<Full<Bytes>>> {
    build("GET", path, headers, Bytes::new())
}

/// A `POST` of a form.
///
/// # Errors
/// If the path or a header is none.
pub(crate) fn form(
    path: &str,
    headers: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> Result<Request<Full<Bytes>>> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut headers = headers.to_vec();
    headers.push(("content-type", "application/x-www-form-urlencoded"));
    build("POST", path, &headers, body.into())
}

fn build(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Request<Full<Bytes>>> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Ok(request.body(Full::new(body))?)
}

/// What a connection does again and again.
pub(crate) trait Load {
    /// The next request of a connection, answered as it should be. Says whether there was one: a load
    /// may use itself up.
    async fn next(&self, lane: usize, link: &mut Link) -> Result<bool>;
}

/// What was measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Requests per second of each round.
    pub(crate) rates: Vec<f64>,
    /// How long each request took, in microseconds.
    pub(crate) micros: Vec<u32>,
}

impl Sample {
    /// The median of the rounds.
    pub(crate) fn rate(&self) -> f64 {
        median(&self.rates)
    }

    /// The time in milliseconds within which this part of the requests was answered.
    pub(crate) fn percentile(&self, part: f64) -> f64 {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let at = (last as f64 * part).round() as usize;
        sorted.get(at).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }

    /// The median, over the rounds, of how its rate compares with another's: what else the machine
    /// does in a round slows down both.
    pub(crate) fn ratio(&self, other: &Self) -> f64 {
        let ratios: Vec<f64> =
            self.rates.iter().zip(&other.rates).map(|(own, other)| own / other).collect();
        median(&ratios)
    }
}

/// The middle one; zero of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Run a load on a port for one round and add what was measured.
///
/// # Errors
/// The first wrong answer ends it.
pub(crate) async fn round(
    sample: &mut Sample,
    port: u16,
    lasting: Duration,
    load: &impl Load,
) -> Result<()> {
    let mut links = try_join_all((0..CONNECTIONS).map(|_| Link::to(port))).await?;
    let since = Instant::now();
    let lanes = links.iter_mut().enumerate().map(|(lane, link)| async move {
        let mut micros = Vec::new();
        while since.elapsed() < lasting {
            let asked = Instant::now();
            if !load.next(lane, link).await? {
                break;
            }
            micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        anyhow::Ok(micros)
    });
    let micros = try_join_all(lanes).await?.concat();
    sample.rates.push(micros.len() as f64 / since.elapsed().as_secs_f64());
    sample.micros.extend(micros);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_rounds() {
        let sample = Sample { rates: vec![3.0, 1.0, 2.0], micros: (1..=1001).rev().collect() };
        assert_eq!(sample.rate(), 2.0);
        assert_eq!(
            [0.0, 0.5, 0.95, 1.0].map(|p| sample.percentile(p)),
            [0.001, 0.501, 0.951, 1.001]
        );
        assert_eq!(Sample::default().percentile(0.5), 0.0);
    }

    #[test]
    fn rates_are_compared_round_by_round() {
        let own = Sample { rates: vec![50.0, 5.0, 60.0], micros: Vec::new() };
        let other = Sample { rates: vec![100.0, 10.0, 100.0], micros: Vec::new() };
        assert_eq!(own.ratio(&other), 0.5);
    }
}
