//! The statements that a step consists of, and where in which file each of them stands.

use crate::connection::{Failure, Refusal, Statement};
use crate::record::{self, Record};
use crate::script;
use crate::source::Migration;

/// How long a statement waits for a lock on a table: behind it everybody waits. And however long a login's
/// statements may take, a step takes what it takes.
const LIMITS: [&str; 2] = ["set local lock_timeout = '5s'", "set local statement_timeout = 0"];

/// From here on the transaction may only look.
pub(crate) const READ_ONLY: &str = "set transaction read only";

#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Forward,
    Back,
}

/// One transaction.
pub(crate) struct Step {
    pub(crate) statements: Vec<Statement>,
    /// Of each statement that comes from a file: which, and the line.
    places: Vec<Option<(String, usize)>>,
    file: String,
}

impl Step {
    /// The lock, a look whether the database still is as it was read, the script, the record and, forward,
    /// the check.
    pub(crate) fn new(record: &Record, migration: &Migration, direction: Direction) -> Self {
        let name = &migration.name;
        let file = match direction {
            Direction::Forward => format!("{name}.up.sql"),
            Direction::Back => format!("{name}.down.sql"),
        };
        let mut step = Self { statements: Vec::new(), places: Vec::new(), file: file.clone() };
        step.own([record.lock()]);
        step.own(record.hold());
        step.own(LIMITS.map(Statement::new));
        match direction {
            Direction::Forward => {
                step.script(&file, &migration.up);
                step.own([record::add(migration)]);
                // Last, because a check may look with a search path of its own, and changes nothing.
                step.own([Statement::new(READ_ONLY)]);
                step.script(&format!("verify/{name}.sql"), &migration.verify);
            }
            Direction::Back => {
                step.script(&file, &migration.down);
                step.own([record::remove(migration)]);
            }
        }
        step
    }

    /// Where it failed, as exactly as the connection tells.
    pub(crate) fn place(&self, failure: &Failure) -> String {
        let Failure::Refused(refusal) = failure else { return self.file.clone() };
        let Refusal { statement: Some(index), position, .. } = **refusal else {
            return self.file.clone();
        };
        let Some(Some((file, line))) = self.places.get(index) else { return self.file.clone() };
        let before = self.statements[index].text.chars().take(position.unwrap_or_default());
        let line = line + before.filter(|letter| *letter == '\n').count();
        format!("{file}:{line}")
    }

    fn own(&mut self, statements: impl IntoIterator<Item = Statement>) {
        self.statements.extend(statements);
        self.places.resize(self.statements.len(), None);
    }

    fn script(&mut self, file: &str, text: &str) {
        for (line, statement) in statements(text) {
            self.statements.push(statement);
            self.places.push(Some((file.to_owned(), line)));
        }
    }
}

/// The statements of a script, with their lines. Scripts are read only if they can be split.
pub(crate) fn statements(text: &str) -> impl Iterator<Item = (usize, Statement)> {
    let pieces = script::split(text).unwrap_or_default();
    pieces.into_iter().map(|piece| (piece.line, Statement::new(piece.text)))
}
