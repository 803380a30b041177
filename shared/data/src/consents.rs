//! What people have allowed which applications. Each person's rows are theirs alone.

use ports::{Sql, Statement};
use serde::{Deserialize, Serialize};

use crate::error::{Rule, columns, explain, only_row, required};
use crate::session::one_as_user;
use crate::{Caller, DataError};

const COVERS: &str = include_str!("../queries/consent_covers.sql");
const REMEMBER: &str = include_str!("../queries/consent_remember.sql");
const LIST: &str = include_str!("../queries/consent_list.sql");
const FORGET: &str = include_str!("../queries/consent_forget.sql");
const WHAT: &str = "consent";

const RULES: &[Rule] = &[
    Rule {
        constraint: "oauth_consents_client_id_length",
        field: "client_id",
        reason: "must have 1 to 1000 characters",
    },
    Rule {
        constraint: "oauth_consents_client_name_length",
        field: "client_name",
        reason: "must have at most 200 characters",
    },
    Rule {
        constraint: "oauth_consents_scopes_count",
        field: "scopes",
        reason: "must be at most 100",
    },
];

/// What somebody agrees to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agreed {
    /// The client.
    pub client_id: String,
    /// Under which name they saw it.
    pub client_name: String,
    /// Scopes.
    pub scopes: Vec<String>,
}

/// What somebody has agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Consent {
    /// The client.
    pub client_id: String,
    /// Under which name they saw it the last time.
    pub client_name: String,
    /// All scopes that they have agreed to.
    pub scopes: Vec<String>,
    /// When they agreed for the first time, in seconds.
    pub since: u64,
}

/// Whether the person has agreed to all of these scopes.
///
/// # Errors
/// [`DataError::Unavailable`], [`DataError::Internal`].
pub async fn covers(
    sql: &impl Sql,
    person: &str,
    client_id: &str,
    scopes: &[String],
) -> Result<bool, DataError> {
    let parameters = vec![Some(client_id.to_owned()), Some(json(&scopes)?)];
    let rows = one_as_user(sql, &caller(person), Statement { text: COVERS, parameters })
        .await
        .map_err(|error| explain(error, WHAT, RULES))?;
    let [covered] = columns(only_row(rows)?)?;
    Ok(required(covered)? == "t")
}

/// Remember what the person agrees to, beside what they have agreed to before.
///
/// # Errors
/// [`DataError::Invalid`] for what the schema refuses.
pub async fn remember(sql: &impl Sql, person: &str, agreed: &Agreed) -> Result<(), DataError> {
    let parameters = vec![Some(json(agreed)?)];
    one_as_user(sql, &caller(person), Statement { text: REMEMBER, parameters })
        .await
        .map(drop)
        .map_err(|error| explain(error, WHAT, RULES))
}

/// All that the person has agreed to, the latest first.
///
/// # Errors
/// [`DataError::Unavailable`], [`DataError::Internal`].
pub async fn list(sql: &impl Sql, person: &str) -> Result<Vec<Consent>, DataError> {
    let rows = one_as_user(sql, &caller(person), Statement { text: LIST, parameters: Vec::new() })
        .await
        .map_err(|error| explain(error, WHAT, RULES))?;
    rows.rows.into_iter().map(consent).collect()
}

/// Forget what the person has agreed to with a client; whether there was anything.
///
/// # Errors
/// [`DataError::Unavailable`], [`DataError::Internal`].
pub async fn forget(sql: &impl Sql, person: &str, client_id: &str) -> Result<bool, DataError> {
    let parameters = vec![Some(client_id.to_owned())];
    let rows = one_as_user(sql, &caller(person), Statement { text: FORGET, parameters })
        .await
        .map_err(|error| explain(error, WHAT, RULES))?;
    Ok(!rows.rows.is_empty())
}

/// The policies ask for nothing but who it is.
fn caller(person: &str) -> Caller {
    Caller { subject: person.to_owned(), organization: None, roles: Vec::new() }
}

fn json(value: &impl Serialize) -> Result<String, DataError> {
    serde_json::to_string(value).map_err(|error| DataError::Internal(error.to_string()))
}

fn consent(row: Vec<Option<String>>) -> Result<Consent, DataError> {
    let [json] = columns(row)?;
    serde_json::from_slice(required(json)?.as_bytes())
        .map_err(|error| DataError::Internal(format!("consent: {error}")))
}
