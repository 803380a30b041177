//! The way to a database, as a small trait: what can run one transaction can carry the whole history.

/// One statement, with its parameters as text; `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// SQL with `$1`, `$2`, …
    pub text: String,
    /// The values of `$1`, `$2`, …, which the text casts to their types.
    pub parameters: Vec<Option<String>>,
}

impl Statement {
    /// One without parameters.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), parameters: Vec::new() }
    }

    /// One with parameters, none of them NULL.
    pub fn with(text: impl Into<String>, parameters: impl IntoIterator<Item = String>) -> Self {
        Self { text: text.into(), parameters: parameters.into_iter().map(Some).collect() }
    }
}

/// The rows of one statement, in the text format of Postgres.
pub type Rows = Vec<Vec<Option<String>>>;

/// A way to one database.
pub trait Connection {
    /// Run the statements in their order as one transaction (READ COMMITTED) and return their rows.
    /// Columns that are asked for must be text. What a transaction sets, a role or a search path, ends
    /// with it.
    ///
    /// # Errors
    /// [`Failure`]; only after [`Failure::Unknown`] may something have been kept.
    async fn transaction(&mut self, statements: &[Statement]) -> Result<Vec<Rows>, Failure>;
}

/// Why a transaction has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Postgres refused it; nothing was kept.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The database, or the way to it, is away; nothing was kept.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// The answer was lost: it may have been kept or not. To ask for the state is safe.
    #[error("the answer was lost, and with it whether the step was kept ({0}): look at the status")]
    Unknown(String),
    /// The answer is not what the protocol promises.
    #[error("the answer is not of the protocol: {0}")]
    Protocol(String),
}

impl Failure {
    /// The SQLSTATE of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => Some(&refusal.code),
            Self::Unreachable(_) | Self::Unknown(_) | Self::Protocol(_) => None,
        }
    }
}

/// What Postgres says of a statement that it refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// SQLSTATE, five characters.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// More of it.
    pub detail: Option<String>,
    /// What may help.
    pub hint: Option<String>,
    /// Which statement of the transaction it was, from 0, where the way tells.
    pub statement: Option<usize>,
    /// Where in the statement, in characters from 1.
    pub position: Option<usize>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} (SQLSTATE {})", self.message, self.code)?;
        for (name, more) in [("detail", &self.detail), ("hint", &self.hint)] {
            if let Some(more) = more {
                write!(formatter, "\n  {name}: {more}")?;
            }
        }
        Ok(())
    }
}
