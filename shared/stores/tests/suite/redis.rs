//! What Redis is sent, and what is made of its answers.

use std::cell::RefCell;

use ledger::Command;
use stores::{
    CommandError, Commands, RedisStore, RedisValue, StoreError, Stored, Version, VersionedStore,
};
use testing::redis::{RedisClient, RedisServer};

use crate::support::{Native, Person, fresh_address, issue};

/// Writes down the name of each command, and its key.
struct Noting {
    client: RedisClient,
    seen: RefCell<Vec<(String, String)>>,
}

impl Commands for Noting {
    async fn command(&self, command: &[&str]) -> Result<RedisValue, CommandError> {
        let key = command.get(3).copied().unwrap_or_default();
        self.seen.borrow_mut().push((command[0].to_owned(), key.to_owned()));
        self.client.command(command).await
    }
}

#[tokio::test]
async fn a_script_is_sent_once_and_then_called_by_its_digest() {
    let server = RedisServer::start().await;
    let noting = Noting { client: server.client(), seen: RefCell::default() };
    let store = RedisStore::new(noting);
    let person = Person::new(Native::new(), &store);
    let session = person.sign_in().await.session;
    for counter in 0..3 {
        issue(person.refresh(session, counter).await);
    }
    assert_eq!(sent(&store).iter().filter(|name| *name == "EVAL").count(), 2, "two scripts");
    server.kill();
    server.resume().await;
    assert!(person.apply(Command::List).await.is_ok());
    assert_eq!(sent(&store).iter().filter(|name| *name == "EVAL").count(), 3, "it forgot them");
}

fn sent(store: &RedisStore<Noting>) -> Vec<String> {
    store.commands().seen.borrow().iter().map(|(name, _)| name.clone()).collect()
}

/// On a cluster, the keys of a script must be in one slot: what is in braces decides.
#[tokio::test]
async fn the_keys_of_a_ledger_are_in_one_slot() {
    let server = RedisServer::start().await;
    let noting = Noting { client: server.client(), seen: RefCell::default() };
    let store = RedisStore::new(noting);
    let person = Person::new(Native::new(), &store);
    person.sign_in().await;
    let first = &person.address.to_string()[..1];
    let tag = format!("ledger:{{{first}}}:");
    let seen = store.commands().seen.borrow().clone();
    assert!(seen.iter().all(|(_, key)| key.starts_with(&tag)), "{seen:?}");
    let listed = server.client().send(&["KEYS", "*"]).await.unwrap();
    let RedisValue::Array(keys) = listed else { panic!("{listed:?}") };
    assert_eq!(keys.len(), 2);
    for key in keys {
        assert!(matches!(&key, RedisValue::Text(key) if key.starts_with(&tag)), "{key:?}");
    }
}

/// Answers everything alike.
struct Always(Result<RedisValue, CommandError>);

impl Commands for Always {
    async fn command(&self, _: &[&str]) -> Result<RedisValue, CommandError> {
        self.0.clone()
    }
}

async fn all(store: &impl VersionedStore) -> [StoreError; 4] {
    let address = fresh_address();
    let version = Version::from_text("1-x".to_owned());
    let write = Stored { document: "{}".to_owned(), version: version.clone(), due: None };
    [
        store.load(&address).await.unwrap_err(),
        store.swap(&address, None, &write).await.unwrap_err(),
        store.remove(&address, &version).await.unwrap_err(),
        store.due(1, 1).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors() {
    for answer in [
        RedisValue::Nil,
        RedisValue::Text("OK".to_owned()),
        RedisValue::Array(vec![RedisValue::Text("x".to_owned()), RedisValue::Nil]),
    ] {
        let errors = all(&RedisStore::new(Always(Ok(answer.clone())))).await;
        let broken = errors.iter().all(|error| matches!(error, StoreError::Broken(_)));
        assert!(broken, "{answer:?}: {errors:?}");
    }
}

#[tokio::test]
async fn what_is_over_in_a_moment_is_told_from_an_outage() {
    for (why, busy) in [
        ("LOADING Redis is loading the dataset in memory", true),
        ("BUSY Redis is busy running a script", true),
        ("TRYAGAIN Multiple keys request during rehashing of slot", true),
        ("READONLY You can't write against a read only replica.", false),
        ("MISCONF Errors writing to the AOF file: No space left on device", false),
        ("NOAUTH Authentication required.", false),
        ("NOSCRIPT No matching script.", false),
    ] {
        let store = RedisStore::new(Always(Err(CommandError::Refused(why.to_owned()))));
        for error in all(&store).await {
            assert_eq!(matches!(error, StoreError::Busy(_)), busy, "{why}: {error:?}");
            assert_eq!(matches!(error, StoreError::Away(_)), !busy, "{why}: {error:?}");
        }
    }
    let store = RedisStore::new(Always(Err(CommandError::Away("reset".to_owned()))));
    assert!(all(&store).await.iter().all(|error| matches!(error, StoreError::Away(_))));
}
