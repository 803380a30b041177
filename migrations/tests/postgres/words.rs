//! Enumerations that Rust and Postgres both have are of the same words.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;

use data::clients::{ClientKind, ClientOrigin};
use oauth::client_auth::AuthMethod;
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use crate::support::{By, Cluster};
use crate::texts::files;

/// A type of Rust and where the schema has its words: a check constraint `column in (…)`, or a type.
struct Shared {
    name: &'static str,
    place: &'static str,
    words: Vec<&'static str>,
    /// Words of values that are never stored.
    not_stored: &'static [&'static str],
}

fn shared() -> Vec<Shared> {
    vec![
        Shared {
            name: "ClientKind",
            place: "oauth_clients_kind_known",
            words: words::<ClientKind>(),
            not_stored: &[],
        },
        Shared {
            name: "ClientOrigin",
            place: "oauth_clients_origin_known",
            words: words::<ClientOrigin>(),
            not_stored: &["document"],
        },
        Shared {
            name: "AuthMethod",
            place: "oauth_clients_auth_method_known",
            words: AuthMethod::ALL.map(AuthMethod::as_str).to_vec(),
            not_stored: &[],
        },
    ]
}

/// The words of an enumeration as serde reads them: it tells them to whom it reads from.
fn words<T: DeserializeOwned>() -> Vec<&'static str> {
    let words = Cell::new(None);
    let _ = T::deserialize(Listener(&words));
    words.get().unwrap().to_vec()
}

/// Gives nothing to read, and hears the words.
struct Listener<'a>(&'a Cell<Option<&'static [&'static str]>>);

impl<'de> Deserializer<'de> for Listener<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("nothing to read"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.0.set(Some(variants));
        Err(Error::custom("nothing to read"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The words that the schema has in a place.
async fn stored(cluster: &Cluster, place: &str) -> BTreeSet<String> {
    let question = format!(
        "select string_agg(word, ' ') from (
            select (regexp_matches(pg_get_constraintdef(oid), '''([^'']*)''::text', 'g'))[1] as word
            from pg_constraint where conname = '{place}' and connamespace = 'app'::regnamespace
            union all
            select enumlabel from pg_enum
            where enumtypid in (
                select oid from pg_type where typname = '{place}' and typnamespace = 'app'::regnamespace
            )
        ) as found"
    );
    let words = cluster.ask(&question).await.unwrap_or_default();
    words.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn rust_and_postgres_know_the_same_words() {
    let cluster = Cluster::migrated(By::Session).await;
    for Shared { name, place, words, not_stored } in shared() {
        let words = words.into_iter().filter(|word| !not_stored.contains(word));
        let words: BTreeSet<_> = words.map(str::to_owned).collect();
        assert_eq!(stored(&cluster, place).await, words, "{place} and {name}");
    }
    cluster.by_hand("create type app.mood as enum ('well', 'unwell')").await;
    let mood = stored(&cluster, "mood").await;
    assert_eq!(mood.into_iter().collect::<Vec<_>>(), ["unwell", "well"]);
}

#[tokio::test]
async fn every_role_of_a_membership_has_a_rank() {
    let cluster = Cluster::migrated(By::Session).await;
    let roles = stored(&cluster, "memberships_role_known").await;
    assert_eq!(roles.len(), 4);
    for role in roles {
        let check = format!(
            "do $$ begin if app.role_rank('{role}') is null then raise 'no rank'; end if; end $$"
        );
        cluster.by_hand(&check).await;
    }
}

/// What the model's crate reads or writes as a word is compared above.
#[test]
fn every_enumeration_of_the_model_is_compared() {
    let sources = migrations::folder().with_file_name("shared").join("data/src");
    let mut found = 0;
    for path in files(&sources, "rs") {
        let text = fs::read_to_string(path).unwrap();
        for (at, _) in text.match_indices("\npub enum ") {
            let attributes = text[..at].rsplit("\n\n").next().unwrap_or_default();
            let name = text[at..].split_whitespace().nth(2).unwrap_or_default();
            if attributes.contains("Deserialize") {
                found += 1;
                assert!(shared().iter().any(|known| known.name == name), "add {name} to shared()");
            }
        }
    }
    assert!(found >= 2, "the enumerations are gone");
}
