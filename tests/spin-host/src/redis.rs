//! `spin:redis`: servers that the manifest grants by their address.

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, ErrorKind, RedisError, Value, cmd};
use wasmtime::Result as Trapped;
use wasmtime::component::{Accessor, Resource};

use crate::bindings::spin::redis::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, Payload, RedisParameter, RedisResult,
};
use crate::state::{Imports, State};

/// Spin's limit of open connections in an instance.
const LIMIT: usize = 1024;

/// A connection that a component has opened.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Connected(MultiplexedConnection);

fn other(error: impl std::fmt::Display) -> Error {
    Error::Other(error.to_string())
}

fn typed(error: RedisError) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedReturnType => Error::TypeError,
        _ => other(error),
    }
}

/// A reply as the flat list that the interface has for all.
fn flat(value: Value, results: &mut Vec<RedisResult>) -> Result<(), Error> {
    match value {
        Value::Nil => results.push(RedisResult::Nil),
        Value::Int(number) => results.push(RedisResult::Int64(number)),
        Value::Boolean(truth) => results.push(RedisResult::Int64(truth.into())),
        Value::BulkString(bytes) | Value::BigNumber(bytes) => {
            results.push(RedisResult::Binary(bytes));
        }
        Value::Double(number) => results.push(RedisResult::Binary(number.to_string().into_bytes())),
        Value::SimpleString(status) => results.push(RedisResult::Status(status)),
        Value::Okay => results.push(RedisResult::Status("OK".to_owned())),
        Value::Array(values) | Value::Set(values) => {
            values.into_iter().try_for_each(|value| flat(value, results))?;
        }
        Value::ServerError(error) => return Err(other(RedisError::from(error))),
        unsupported => {
            return Err(Error::Other(format!("Could not convert Redis response: {unsupported:?}")));
        }
    }
    Ok(())
}

impl Imports {
    fn connection<T: Send>(
        accessor: &Accessor<T, Self>,
        connection: &Resource<Connected>,
    ) -> Result<MultiplexedConnection, Error> {
        let found = accessor
            .with(|mut access| access.get().table.get(connection).map(|open| open.0.clone()));
        found.map_err(|_| Error::Other("could not find connection for resource".to_owned()))
    }
}

impl Host for State {}

impl HostConnection for State {
    fn drop(&mut self, connection: Resource<Connected>) -> Trapped<()> {
        self.table.delete(connection)?;
        self.open.redis -= 1;
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for Imports {
    async fn open(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> Result<Resource<Connected>, Error> {
        let allowed = accessor.with(|mut access| {
            let component = &access.get().component;
            component.hosts.allows(&address)
                || component.hosts.allows(&format!("redis://{address}"))
        });
        if !allowed {
            return Err(Error::InvalidAddress);
        }
        let client = Client::open(address.as_str()).map_err(|_| Error::InvalidAddress)?;
        // Spin's client waits for as long as the server takes; this one would give up after 500 ms.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let made = client.get_multiplexed_async_connection_with_config(&config).await;
        let connection = made.map_err(other)?;
        accessor.with(|mut access| {
            let state = access.get();
            if state.open.redis >= LIMIT {
                return Err(Error::TooManyConnections);
            }
            state.open.redis += 1;
            state.table.push(Connected(connection)).map_err(other)
        })
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connected>,
        channel: String,
        payload: Payload,
    ) -> Result<(), Error> {
        Self::connection(accessor, &connection)?.publish(channel, payload).await.map_err(other)
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connected>,
        key: String,
    ) -> Result<Option<Payload>, Error> {
        Self::connection(accessor, &connection)?.get(key).await.map_err(other)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connected>,
        key: String,
        value: Payload,
    ) -> Result<(), Error> {
        Self::connection(accessor, &connection)?.set(key, value).await.map_err(other)
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connected>,
        key: String,
    ) -> Result<i64, Error> {
        Self::connection(accessor, &connection)?.incr(key, 1).await.map_err(other)
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connected>,
        keys: Vec<String>,
    ) -> Result<u32, Error> {
        Self::connection(accessor, &connection)?.del(keys).await.map_err(other)
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connected>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        Self::connection(accessor, &connection)?.sadd(key, values).await.map_err(typed)
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connected>,
        key: String,
    ) -> Result<Vec<String>, Error> {
        Self::connection(accessor, &connection)?.smembers(key).await.map_err(other)
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connected>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        Self::connection(accessor, &connection)?.srem(key, values).await.map_err(other)
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connected>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Vec<RedisResult>, Error> {
        let mut connection = Self::connection(accessor, &connection)?;
        let mut command = cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(number) => command.arg(number),
                RedisParameter::Binary(bytes) => command.arg(bytes),
            };
        }
        let value = command.query_async(&mut connection).await.map_err(other)?;
        let mut results = Vec::new();
        flat(value, &mut results)?;
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_becomes_a_flat_list() {
        let reply = Value::Array(vec![
            Value::Okay,
            Value::Array(vec![Value::Int(7), Value::Nil]),
            Value::BulkString(b"bytes".to_vec()),
        ]);
        let mut results = Vec::new();
        flat(reply, &mut results).unwrap();
        assert!(matches!(&results[..], [
            RedisResult::Status(status),
            RedisResult::Int64(7),
            RedisResult::Nil,
            RedisResult::Binary(bytes),
        ] if status == "OK" && bytes == b"bytes"));
    }
}
