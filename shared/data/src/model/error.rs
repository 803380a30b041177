use ports::SqlError;

use super::constraints::{Meaning, meaning};

/// Why there is no result. Of the database's names and messages nothing is in what callers see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The database is away, overloaded, too slow, or others kept getting in the way: try again
    /// later. The cause is for the log.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The caller's token names no organization to work in.
    #[error("the caller has no organization")]
    NoOrganization,
    /// The caller's role does not allow it; the role that would, if that is known.
    #[error("not permitted")]
    NotPermitted(Option<&'static str>),
    /// What the field names is not there, or not for the caller to see.
    #[error("{field} names nothing that is there")]
    NotFound {
        /// The field.
        field: &'static str,
    },
    /// It has been changed since the caller has seen it.
    #[error("it has version {version} now")]
    Stale {
        /// Its version now.
        version: i64,
    },
    /// The field's value is taken.
    #[error("{field} is taken")]
    Conflict {
        /// The field.
        field: &'static str,
    },
    /// The model does not allow the field's value.
    #[error("{field} {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What it must be, to follow its name in a sentence.
        reason: String,
    },
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used for something else")]
    KeyReused,
    /// A defect of ours; the cause is for the log.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    pub(crate) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }

    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }
}

/// What an answer of the database means to a caller of whom the use case asks for the role `needs`.
pub(crate) fn explain(error: SqlError, needs: &'static str) -> Error {
    let (code, message, constraint) = match error {
        SqlError::Unavailable(message) => return Error::Unavailable(message),
        SqlError::Protocol(message) => return Error::Internal(message),
        SqlError::Refused { code, message, constraint } => (code, message, constraint),
    };
    match code.as_str() {
        "42501" => Error::NotPermitted(Some(needs)),
        // The transaction was repeated and still met others; a lock that was not to be had.
        "40001" | "40P01" | "55P03" => Error::Unavailable(message),
        // Characters that text or JSON cannot hold.
        "22021" | "22P05" => Error::invalid("text", "contains a forbidden character"),
        "23505" | "23503" | "23514" => match constraint.as_deref().and_then(meaning) {
            Some(Meaning::NotFound(field)) => Error::NotFound { field },
            Some(Meaning::Conflict(field)) => Error::Conflict { field },
            Some(Meaning::Invalid(field, reason)) => Error::invalid(field, reason),
            None => Error::Internal(format!("SQLSTATE {code}: {message}")),
        },
        // A value of another type than the entity's type has there, or out of its range; nothing
        // that is absent is null.
        "22P02" | "22003" | "22007" | "22008" | "23502" | "22023" | "22001" => {
            Error::invalid("details", "has a member that is not of the form that its type asks for")
        }
        // More than an index or a row can hold.
        "54000" => Error::invalid("description", "is too long"),
        _ => Error::Internal(format!("SQLSTATE {code}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, constraint: Option<&str>) -> Error {
        let error = SqlError::Refused {
            code: code.to_owned(),
            message: "relation \"app.tasks\"".to_owned(),
            constraint: constraint.map(str::to_owned),
        };
        explain(error, "member")
    }

    #[test]
    fn states_become_reasons() {
        assert_eq!(refused("42501", None), Error::NotPermitted(Some("member")));
        assert_eq!(
            refused("23505", Some("tasks_external_id")),
            Error::Conflict { field: "external_id" }
        );
        assert_eq!(
            refused("23514", Some("tasks_project_id_live")),
            Error::NotFound { field: "project_id" }
        );
        assert!(matches!(
            refused("23514", Some("tasks_title_length")),
            Error::Invalid { field: "title", .. }
        ));
        assert!(matches!(refused("22P05", None), Error::Invalid { .. }));
        assert!(matches!(refused("22P02", None), Error::Invalid { field: "details", .. }));
        for code in ["40001", "40P01", "55P03"] {
            assert!(matches!(refused(code, None), Error::Unavailable(_)), "{code}");
        }
        assert!(matches!(refused("23514", Some("another")), Error::Internal(_)));
        assert!(matches!(refused("23514", None), Error::Internal(_)));
        assert!(matches!(refused("42P01", None), Error::Internal(_)));
    }

    #[test]
    fn what_is_no_refusal_is_told_apart() {
        let away = explain(SqlError::Unavailable("x".to_owned()), "member");
        assert!(matches!(away, Error::Unavailable(_)));
        let broken = explain(SqlError::Protocol("x".to_owned()), "member");
        assert!(matches!(broken, Error::Internal(_)));
    }

    #[test]
    fn callers_see_no_name_of_the_database() {
        for error in [
            refused("23505", Some("tasks_external_id")),
            refused("23514", Some("tasks_project_id_live")),
            refused("23514", Some("requirements_ears_parts")),
            refused("23503", Some("relationships_rule")),
            refused("42501", None),
            refused("22P02", None),
        ] {
            let text = error.to_string();
            for name in ["app.", "tasks", "relationships_", "SQLSTATE", "constraint"] {
                assert!(!text.contains(name), "{text}");
            }
        }
    }
}
