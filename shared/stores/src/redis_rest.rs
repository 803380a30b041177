use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use ports::config::{parsed, required};
use ports::{Config, ConfigError, Fetch, Request, Response};
use serde::Deserialize;

use crate::redis::{CommandError, Commands, RedisValue};

/// How long a command may take.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Redis over HTTP, in the protocol of Upstash and Vercel KV: a command is a JSON array of strings
/// that is sent by `POST`. Strings come back as they are, since all of ours are text.
pub struct RedisRest<'a, P> {
    platform: &'a P,
    url: String,
    token: String,
}

impl<'a, P: Fetch> RedisRest<'a, P> {
    /// `url` is the address of the REST API, `token` its bearer token.
    pub const fn new(platform: &'a P, url: String, token: String) -> Self {
        Self { platform, url, token }
    }

    fn request(&self, command: &[&str]) -> Result<Request, CommandError> {
        let body =
            serde_json::to_vec(command).map_err(|error| CommandError::Away(error.to_string()))?;
        http::Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body))
            .map_err(|error| CommandError::Away(format!("settings: {error}")))
    }
}

impl<'a, P: Config> RedisRest<'a, P> {
    /// The one that the settings `REDIS_REST_URL` and `REDIS_REST_TOKEN` name.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn configured(platform: &'a P) -> Result<Self, ConfigError> {
        let problem = "must be an http(s) URL";
        let url = parsed(platform, "REDIS_REST_URL", problem, |text| {
            let uri: http::Uri = text.parse().map_err(|_| ())?;
            let web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
            if web { Ok(text.to_owned()) } else { Err(()) }
        })?;
        let token = required(platform, "REDIS_REST_TOKEN")?;
        Ok(Self { platform, url, token })
    }
}

impl<P: Fetch> Commands for RedisRest<'_, P> {
    async fn command(&self, command: &[&str]) -> Result<RedisValue, CommandError> {
        let request = self.request(command)?;
        let answer = self.platform.fetch(request, TIMEOUT).await;
        read(&answer.map_err(|error| CommandError::Away(error.to_string()))?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Result(serde_json::Value),
    Error(String),
}

/// An error of Redis comes as 200 or 400; other states are of what is before it.
fn read(response: &Response) -> Result<RedisValue, CommandError> {
    let status = response.status();
    if status != StatusCode::OK && status != StatusCode::BAD_REQUEST {
        return Err(CommandError::Away(format!("status {status}")));
    }
    match serde_json::from_slice(response.body()) {
        Ok(Answer::Result(value)) if status == StatusCode::OK => {
            value_of(value).ok_or_else(|| CommandError::Away("an unknown kind of value".to_owned()))
        }
        Ok(Answer::Error(why)) => Err(CommandError::Refused(why)),
        _ => Err(CommandError::Away(format!("status {status} with another answer"))),
    }
}

fn value_of(value: serde_json::Value) -> Option<RedisValue> {
    match value {
        serde_json::Value::Null => Some(RedisValue::Nil),
        serde_json::Value::Number(number) => number.as_i64().map(RedisValue::Integer),
        serde_json::Value::String(text) => Some(RedisValue::Text(text)),
        serde_json::Value::Array(items) => {
            items.into_iter().map(value_of).collect::<Option<_>>().map(RedisValue::Array)
        }
        serde_json::Value::Bool(_) | serde_json::Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::executor::block_on;
    use ports::FetchError;

    use super::*;

    struct Fake {
        answer: Result<(u16, &'static str), FetchError>,
        seen: RefCell<Vec<Request>>,
    }

    impl Fetch for Fake {
        async fn fetch(&self, request: Request, _: Duration) -> Result<Response, FetchError> {
            self.seen.borrow_mut().push(request);
            let (status, body) = self.answer.clone()?;
            Ok(http::Response::builder().status(status).body(Bytes::from(body)).unwrap())
        }
    }

    fn fake(answer: Result<(u16, &'static str), FetchError>) -> Fake {
        Fake { answer, seen: RefCell::default() }
    }

    fn run(fake: &Fake) -> Result<RedisValue, CommandError> {
        let rest = RedisRest::new(fake, "https://redis.test".to_owned(), "secret".to_owned());
        block_on(rest.command(&["SET", "Zoë's \"key\"", "\u{1f600}\n"]))
    }

    #[test]
    fn a_command_is_one_request() {
        let fake = fake(Ok((200, r#"{"result":"OK"}"#)));
        assert_eq!(run(&fake), Ok(RedisValue::Text("OK".to_owned())));
        let seen = fake.seen.borrow();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].method(), Method::POST);
        assert_eq!(seen[0].uri(), "https://redis.test");
        assert_eq!(seen[0].headers()["authorization"], "Bearer secret");
        let body: Vec<String> = serde_json::from_slice(seen[0].body()).unwrap();
        assert_eq!(body, ["SET", "Zoë's \"key\"", "\u{1f600}\n"]);
    }

    #[test]
    fn answers_of_every_kind_are_read() {
        for (body, value) in [
            (r#"{"result":null}"#, RedisValue::Nil),
            (r#"{"result":-7}"#, RedisValue::Integer(-7)),
            (
                r#"{"result":["a",null,[1]]}"#,
                RedisValue::Array(vec![
                    RedisValue::Text("a".to_owned()),
                    RedisValue::Nil,
                    RedisValue::Array(vec![RedisValue::Integer(1)]),
                ]),
            ),
        ] {
            assert_eq!(run(&fake(Ok((200, body)))), Ok(value));
        }
    }

    #[test]
    fn errors_of_redis_are_told_from_those_on_the_way() {
        let why = "NOSCRIPT No matching script.";
        for status in [200, 400] {
            let answer = fake(Ok((status, r#"{"error":"NOSCRIPT No matching script."}"#)));
            assert_eq!(run(&answer), Err(CommandError::Refused(why.to_owned())));
        }
        for (status, body) in [
            (200, ""),
            (200, "<html>"),
            (200, "{}"),
            (200, r#"{"result":true}"#),
            (200, r#"{"result":1.5}"#),
            (400, r#"{"result":"OK"}"#),
            (401, r#"{"error":"Unauthorized"}"#),
            (429, r#"{"error":"too many"}"#),
            (301, ""),
            (500, ""),
            (503, ""),
        ] {
            let answer = run(&fake(Ok((status, body))));
            assert!(matches!(answer, Err(CommandError::Away(_))), "{status} {body}: {answer:?}");
        }
        let away = fake(Err(FetchError::Timeout(TIMEOUT)));
        assert!(matches!(run(&away), Err(CommandError::Away(_))));
    }

    struct Settings<'a>(&'a [(&'static str, &'static str)]);

    impl Config for Settings<'_> {
        fn get(&self, name: &str) -> Option<String> {
            let found = self.0.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    impl Fetch for Settings<'_> {
        async fn fetch(&self, _: Request, timeout: Duration) -> Result<Response, FetchError> {
            Err(FetchError::Timeout(timeout))
        }
    }

    #[test]
    fn a_setting_that_is_missing_or_wrong_is_named() {
        let (url, token) = (("REDIS_REST_URL", "https://redis.test"), ("REDIS_REST_TOKEN", "x"));
        assert!(RedisRest::configured(&Settings(&[url, token])).is_ok());
        for (settings, named) in [
            ([token].as_slice(), "REDIS_REST_URL"),
            (&[("REDIS_REST_URL", "redis://redis.test"), token], "REDIS_REST_URL"),
            (&[("REDIS_REST_URL", "redis.test"), token], "REDIS_REST_URL"),
            (&[url], "REDIS_REST_TOKEN"),
        ] {
            let refused = RedisRest::configured(&Settings(settings)).err();
            assert_eq!(refused.map(|error| error.setting), Some(named));
        }
    }

    #[test]
    fn settings_that_are_no_header_are_an_error() {
        let fake = fake(Ok((200, "{}")));
        let rest = RedisRest::new(&fake, "https://redis.test".to_owned(), "a\nb".to_owned());
        assert!(matches!(block_on(rest.command(&["PING"])), Err(CommandError::Away(_))));
        assert!(fake.seen.borrow().is_empty());
    }
}
