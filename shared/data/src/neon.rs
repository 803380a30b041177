use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use ports::{Fetch, FetchError, Request, Response, Rows, Sql, SqlError, Statement};
use serde::{Deserialize, Serialize};

/// How long a transaction may take, unless told otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Postgres over HTTP, in the protocol of Neon's serverless driver: one `POST` carries a whole
/// transaction.
#[derive(Clone)]
pub struct NeonSql<'a, P> {
    platform: &'a P,
    url: String,
    connection_string: String,
    timeout: Duration,
}

impl<'a, P: Fetch> NeonSql<'a, P> {
    /// `url` is the `/sql` endpoint, `connection_string` the Postgres URL with the credentials.
    pub fn new(platform: &'a P, url: String, connection_string: String) -> Self {
        Self { platform, url, connection_string, timeout: DEFAULT_TIMEOUT }
    }

    /// The same with another time limit for each transaction.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    fn request(&self, statements: &[Statement<'_>]) -> Result<Request, SqlError> {
        let queries =
            statements.iter().map(|s| Query { query: s.text, params: &s.parameters }).collect();
        let body = serde_json::to_vec(&Batch { queries })
            .map_err(|error| SqlError::Protocol(error.to_string()))?;
        http::Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("Neon-Connection-String", &self.connection_string)
            .header("Neon-Raw-Text-Output", "true")
            .header("Neon-Array-Mode", "true")
            .header("Neon-Batch-Isolation-Level", "ReadCommitted")
            .header("Neon-Pool-Opt-In", "true")
            .body(Bytes::from(body))
            .map_err(|error| SqlError::Protocol(format!("settings: {error}")))
    }
}

impl<P: Fetch> Sql for NeonSql<'_, P> {
    async fn transaction(&self, statements: &[Statement<'_>]) -> Result<Vec<Rows>, SqlError> {
        let request = self.request(statements)?;
        let response =
            self.platform.fetch(request, self.timeout).await.map_err(|error| match error {
                FetchError::Timeout(_)
                | FetchError::Connection(_)
                | FetchError::TooLong(_)
                | FetchError::Paused(_) => SqlError::Unavailable(error.to_string()),
            })?;
        if response.status() != StatusCode::OK {
            return Err(failure(&response));
        }
        let answer: Answer = serde_json::from_slice(response.body())
            .map_err(|error| SqlError::Protocol(error.to_string()))?;
        if answer.results.len() != statements.len() {
            let (got, asked) = (answer.results.len(), statements.len());
            return Err(SqlError::Protocol(format!("{got} results of {asked} statements")));
        }
        Ok(answer.results.into_iter().map(|result| Rows { rows: result.rows }).collect())
    }
}

#[derive(Serialize)]
struct Batch<'a> {
    queries: Vec<Query<'a>>,
}

#[derive(Serialize)]
struct Query<'a> {
    query: &'a str,
    params: &'a [Option<String>],
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<ResultSet>,
}

#[derive(Deserialize)]
struct ResultSet {
    rows: Vec<Vec<Option<String>>>,
}

#[derive(Deserialize)]
struct Failure {
    message: Option<String>,
    code: Option<String>,
    constraint: Option<String>,
}

fn failure(response: &Response) -> SqlError {
    let status = response.status();
    if status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
        )
    {
        return SqlError::Unavailable(format!("status {status}"));
    }
    // 413 and 507 say that a request or an answer is too large, 3xx and 404 that the address is
    // wrong; no repetition cures that.
    if status != StatusCode::BAD_REQUEST {
        return SqlError::Protocol(format!("status {status}"));
    }
    match serde_json::from_slice::<Failure>(response.body()) {
        Ok(Failure { message, code: Some(code), constraint }) => {
            let message = message.unwrap_or_default();
            if unavailable(&code) {
                SqlError::Unavailable(format!("SQLSTATE {code}: {message}"))
            } else {
                SqlError::Refused { code, message, constraint }
            }
        }
        // Not Postgres but what is before it: it cannot reach or start the database.
        Ok(Failure { message, .. }) => {
            SqlError::Unavailable(message.unwrap_or_else(|| format!("status {status}")))
        }
        Err(_) => SqlError::Unavailable(format!("status {status}")),
    }
}

/// Not a matter of the statement: connections (08), log-in (28), resources (53), shutdown and
/// start (57P), statement timeout (57014), a standby that cannot write (25006).
fn unavailable(code: &str) -> bool {
    ["08", "28", "53", "57P"].iter().any(|class| code.starts_with(class))
        || matches!(code, "57014" | "25006")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::executor::block_on;

    use super::*;

    struct Fake {
        answer: Result<(u16, &'static str), FetchError>,
        seen: RefCell<Vec<(Request, Duration)>>,
    }

    impl Fetch for Fake {
        async fn fetch(&self, request: Request, timeout: Duration) -> Result<Response, FetchError> {
            self.seen.borrow_mut().push((request, timeout));
            let (status, body) = self.answer.clone()?;
            Ok(http::Response::builder().status(status).body(Bytes::from(body)).unwrap())
        }
    }

    fn fake(status: u16, body: &'static str) -> Fake {
        Fake { answer: Ok((status, body)), seen: RefCell::default() }
    }

    fn run(fake: &Fake) -> Result<Vec<Rows>, SqlError> {
        let sql = NeonSql::new(
            fake,
            "http://db.test/sql".to_owned(),
            "postgresql://authenticator:s@db.test/atoms".to_owned(),
        );
        let parameters = vec![Some("1".to_owned()), None];
        block_on(sql.transaction(&[
            Statement { text: "select $1, $2", parameters },
            Statement { text: "select 2", parameters: Vec::new() },
        ]))
    }

    #[test]
    fn a_transaction_is_one_request() {
        let fake = fake(200, r#"{"results":[{"rows":[["1",null]],"rowCount":1},{"rows":[]}]}"#);
        let first = Rows { rows: vec![vec![Some("1".to_owned()), None]] };
        assert_eq!(run(&fake).unwrap(), [first, Rows::default()]);

        let seen = fake.seen.borrow();
        let (request, timeout) = &seen[0];
        assert_eq!((seen.len(), *timeout), (1, DEFAULT_TIMEOUT));
        assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/sql"));
        for (name, value) in [
            ("content-type", "application/json"),
            ("neon-connection-string", "postgresql://authenticator:s@db.test/atoms"),
            ("neon-raw-text-output", "true"),
            ("neon-array-mode", "true"),
            ("neon-batch-isolation-level", "ReadCommitted"),
            ("neon-pool-opt-in", "true"),
        ] {
            assert_eq!(request.headers()[name], value, "{name}");
        }
        let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"queries": [
                {"query": "select $1, $2", "params": ["1", null]},
                {"query": "select 2", "params": []},
            ]})
        );
    }

    #[test]
    fn the_statement_s_own_errors_are_refusals() {
        let error = run(&fake(
            400,
            r#"{"message":"m","code":"23514","constraint":"c","detail":null,"line":"7"}"#,
        ));
        assert_eq!(
            error,
            Err(SqlError::Refused {
                code: "23514".to_owned(),
                message: "m".to_owned(),
                constraint: Some("c".to_owned()),
            })
        );
    }

    #[test]
    fn trouble_of_the_database_is_unavailability() {
        for code in ["08006", "28P01", "53300", "57P01", "57P03", "57014", "25006"] {
            let body = format!(r#"{{"message":"m","code":"{code}"}}"#);
            let result = run(&fake(400, body.leak()));
            assert!(matches!(result, Err(SqlError::Unavailable(_))), "{code}");
        }
        for body in [r#"{"message":"endpoint is starting","code":null}"#, "{}", "no JSON"] {
            let result = run(&fake(400, body));
            assert!(matches!(result, Err(SqlError::Unavailable(_))), "{body}");
        }
        for status in [401, 403, 408, 429, 500, 502, 503, 504] {
            let result = run(&fake(status, ""));
            assert!(matches!(result, Err(SqlError::Unavailable(_))), "{status}");
        }
        for error in [
            FetchError::Timeout(Duration::from_secs(1)),
            FetchError::Connection("refused".to_owned()),
            FetchError::Paused(Duration::from_secs(1)),
        ] {
            let fake = Fake { answer: Err(error), seen: RefCell::default() };
            assert!(matches!(run(&fake), Err(SqlError::Unavailable(_))));
        }
    }

    #[test]
    fn what_is_not_the_protocol_is_said_so() {
        for (status, body) in [
            (200, "<html>"),
            (200, r#"{"results":[{"rows":[]}]}"#),
            (200, r#"{"results":[{"rows":[[1]]},{"rows":[]}]}"#),
            (200, r#"{"rows":[]}"#),
            (301, ""),
            (307, ""),
            (404, ""),
            (413, ""),
            (507, ""),
        ] {
            let result = run(&fake(status, body));
            assert!(matches!(result, Err(SqlError::Protocol(_))), "{status} {body}");
        }
    }

    #[test]
    fn settings_that_are_no_header_are_an_error() {
        let fake = fake(200, "{}");
        let sql = NeonSql::new(&fake, "http://db.test/sql".to_owned(), "a\nb".to_owned());
        assert!(matches!(block_on(sql.transaction(&[])), Err(SqlError::Protocol(_))));
        assert!(fake.seen.borrow().is_empty());
    }
}
