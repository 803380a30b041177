use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use stores::{CommandError, Commands, RedisValue};

use crate::spin::platform::within;
use crate::spin::replies;

/// How long a command may take.
const TIMEOUT: Duration = Duration::from_secs(4);

thread_local! {
    static OPEN: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
}

/// Redis by the platform, which keeps the connection for as long as the instance.
pub struct Redis {
    url: String,
}

impl Redis {
    /// The one at a `redis://` URL.
    pub(super) const fn at(url: String) -> Self {
        Self { url }
    }

    async fn connection(&self) -> Result<Rc<Connection>, CommandError> {
        if let Some(open) = OPEN.with_borrow(Clone::clone) {
            return Ok(open);
        }
        let open = Rc::new(Connection::open(&self.url).await.map_err(failed)?);
        OPEN.set(Some(Rc::clone(&open)));
        Ok(open)
    }

    async fn run(&self, command: &[&str]) -> Result<Vec<RedisResult>, CommandError> {
        let [name, arguments @ ..] = command else { return Ok(Vec::new()) };
        let binary = |text: &&str| RedisParameter::Binary(text.as_bytes().to_vec());
        let connection = self.connection().await?;
        connection.execute(name, arguments.iter().map(binary)).await.map_err(failed)
    }
}

impl Commands for Redis {
    async fn command(&self, command: &[&str]) -> Result<RedisValue, CommandError> {
        let late = || Err(CommandError::Away("no answer".to_owned()));
        let answer = within(TIMEOUT, self.run(command)).await.unwrap_or_else(late);
        if matches!(answer, Err(CommandError::Away(_))) {
            // Whatever became of the connection, the next command begins with a new one.
            OPEN.set(None);
        }
        Ok(replies::value(answer?.into_iter().map(value).collect::<Result<_, _>>()?))
    }
}

fn value(result: RedisResult) -> Result<RedisValue, CommandError> {
    match result {
        RedisResult::Nil => Ok(RedisValue::Nil),
        RedisResult::Int64(number) => Ok(RedisValue::Integer(number)),
        RedisResult::Status(text) => Ok(RedisValue::Text(text)),
        RedisResult::Binary(bytes) => {
            let text = String::from_utf8(bytes);
            text.map(RedisValue::Text).map_err(|_| CommandError::Away("no text".to_owned()))
        }
    }
}

fn failed(error: Error) -> CommandError {
    match error {
        Error::InvalidAddress => CommandError::Away(
            "REDIS_URL names no host of the component's allowed_outbound_hosts".to_owned(),
        ),
        Error::TooManyConnections => CommandError::Away("too many connections".to_owned()),
        Error::TypeError => CommandError::Away("a value of another kind".to_owned()),
        Error::Other(text) => replies::error(&text),
    }
}
