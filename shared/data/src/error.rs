use ports::SqlError;

/// Why a query has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// The database cannot be reached or is overloaded: try again later.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The caller's token names no organization to work in.
    #[error("the caller has no organization")]
    NoOrganization,
    /// The caller's role does not allow it.
    #[error("not permitted")]
    NotPermitted,
    /// There is one already.
    #[error("{what} exists already")]
    Conflict {
        /// Of what.
        what: &'static str,
    },
    /// A value that the model does not allow.
    #[error("{field} {reason}")]
    Invalid {
        /// The field, as callers know it.
        field: &'static str,
        /// What is wrong with it, to follow the field's name in a sentence.
        reason: &'static str,
    },
    /// A defect of ours; the text is for the log only.
    #[error("internal: {0}")]
    Internal(String),
}

/// What the violation of a constraint of the schema means to a caller.
pub(crate) struct Rule {
    /// Its name in the schema.
    pub(crate) constraint: &'static str,
    /// The field that it is about.
    pub(crate) field: &'static str,
    /// What it asks for.
    pub(crate) reason: &'static str,
}

/// The error of a query about `what`, whose checks are `rules`.
pub(crate) fn explain(error: SqlError, what: &'static str, rules: &[Rule]) -> DataError {
    let (code, message, constraint) = match error {
        SqlError::Unavailable(message) => return DataError::Unavailable(message),
        SqlError::Protocol(message) => return DataError::Internal(message),
        SqlError::Refused { code, message, constraint } => (code, message, constraint),
    };
    match code.as_str() {
        "42501" => DataError::NotPermitted,
        "23505" => DataError::Conflict { what },
        // The transaction was repeated and still met others.
        "40001" | "40P01" => DataError::Unavailable(message),
        // Postgres text holds every character but U+0000.
        "22021" => DataError::Invalid { field: what, reason: "contains a forbidden character" },
        "23514" => rules
            .iter()
            .find(|rule| Some(rule.constraint) == constraint.as_deref())
            .map(|rule| DataError::Invalid { field: rule.field, reason: rule.reason })
            .unwrap_or_else(|| DataError::Internal(format!("SQLSTATE {code}: {message}"))),
        _ => DataError::Internal(format!("SQLSTATE {code}: {message}")),
    }
}

/// As [`explain`], for the service's own transactions: a missing right there is our defect.
pub(crate) fn explain_service(error: SqlError, what: &'static str, rules: &[Rule]) -> DataError {
    match explain(error, what, rules) {
        DataError::NotPermitted => DataError::Internal(format!("the service may not use {what}")),
        other => other,
    }
}

/// The only row of `rows`.
pub(crate) fn only_row(rows: ports::Rows) -> Result<Vec<Option<String>>, DataError> {
    rows.rows.into_iter().next().ok_or_else(|| DataError::Internal("no row".to_owned()))
}

/// Exactly `N` columns.
pub(crate) fn columns<const N: usize>(
    row: Vec<Option<String>>,
) -> Result<[Option<String>; N], DataError> {
    row.try_into()
        .map_err(|row: Vec<_>| DataError::Internal(format!("{} columns instead of {N}", row.len())))
}

/// A column that is never NULL.
pub(crate) fn required(column: Option<String>) -> Result<String, DataError> {
    column.ok_or_else(|| DataError::Internal("unexpected NULL".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[Rule] =
        &[Rule { constraint: "things_name_length", field: "name", reason: "is too long" }];

    fn refused(code: &str, constraint: Option<&str>) -> SqlError {
        SqlError::Refused {
            code: code.to_owned(),
            message: "m".to_owned(),
            constraint: constraint.map(str::to_owned),
        }
    }

    #[test]
    fn states_become_reasons() {
        let of = |code, constraint| explain(refused(code, constraint), "thing", RULES);
        assert_eq!(of("42501", None), DataError::NotPermitted);
        assert_eq!(of("23505", Some("things_pkey")), DataError::Conflict { what: "thing" });
        assert_eq!(
            of("23514", Some("things_name_length")),
            DataError::Invalid { field: "name", reason: "is too long" }
        );
        assert!(matches!(of("23514", Some("another")), DataError::Internal(_)));
        assert!(matches!(of("40001", None), DataError::Unavailable(_)));
        assert!(matches!(of("22021", None), DataError::Invalid { field: "thing", .. }));
        assert!(matches!(of("42P01", None), DataError::Internal(_)));
        assert!(matches!(
            explain(SqlError::Protocol("x".to_owned()), "thing", RULES),
            DataError::Internal(_)
        ));
    }

    #[test]
    fn a_service_without_rights_is_our_defect() {
        assert!(matches!(
            explain_service(refused("42501", None), "thing", RULES),
            DataError::Internal(_)
        ));
    }
}
