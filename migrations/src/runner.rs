//! Steps on a database. Each is one transaction: the lock, a look whether the database still is as the
//! plan took it, the script, the record and, forward, the check. So a step happens whole or not at all,
//! over any connection, however many run at once.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::connection::{Connection, Failure, Statement};
use crate::plan::{self, Applied, Line, PlanError, Standing};
use crate::record::{self, BUSY, MOVED, Record, token};
use crate::source::{Migration, Migrations};
use crate::step::{self, Direction, Step};

/// How long to wait for another run.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// Why a run ended early. Steps that were reported before stay done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was to be done to this database.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A step failed.
    #[error("{place}: {failure}{}", kept(failure))]
    Step {
        /// The file, and the line where it is known.
        place: String,
        /// What was said.
        failure: Failure,
    },
    /// The database could not be asked.
    #[error(transparent)]
    Connection(#[from] Failure),
    /// Another run has the lock.
    #[error("another run has held the lock for {} s", .0.as_secs())]
    Busy(Duration),
}

fn kept(failure: &Failure) -> &'static str {
    match failure {
        Failure::Refused(_) | Failure::Unreachable(_) => {
            "\n  nothing of this step was kept; those before it are done"
        }
        Failure::Unknown(_) | Failure::Protocol(_) => "",
    }
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step forward was done, and its check is content.
    Applied(&'a Migration, Duration),
    /// A step back was done.
    Reverted(&'a Migration, Duration),
    /// Another run has the lock.
    Waiting,
}

/// A database and the scripts that made it.
pub struct Runner<'a, C> {
    connection: &'a mut C,
    migrations: &'a Migrations,
    patience: Duration,
}

impl<'a, C: Connection> Runner<'a, C> {
    /// Nothing is asked yet.
    pub fn new(connection: &'a mut C, migrations: &'a Migrations) -> Self {
        Self { connection, migrations, patience: PATIENCE }
    }

    /// The same, waiting that long for another run.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Every version and where it stands.
    ///
    /// # Errors
    /// [`Error::Connection`].
    pub async fn status(&mut self) -> Result<Vec<Line>, Error> {
        Ok(plan::standings(self.migrations, &Record::read(self.connection).await?.applied))
    }

    /// What [`Self::up`] would apply.
    ///
    /// # Errors
    /// [`Error::Plan`], [`Error::Connection`].
    pub async fn pending(&mut self, to: Option<i64>) -> Result<Vec<&'a Migration>, Error> {
        Ok(plan::forward(self.migrations, &Record::read(self.connection).await?.applied, to)?)
    }

    /// What [`Self::down`] would revert.
    ///
    /// # Errors
    /// [`Error::Plan`], [`Error::Connection`].
    pub async fn revertible(&mut self, to: Option<i64>) -> Result<Vec<&'a Migration>, Error> {
        Ok(plan::back(self.migrations, &Record::read(self.connection).await?.applied, to)?)
    }

    /// Apply what is not there, up to `to`, else all. Says how many steps that were.
    ///
    /// # Errors
    /// [`Error`]; the steps before it stay done.
    pub async fn up(
        &mut self,
        to: Option<i64>,
        tell: impl FnMut(&Event<'_>),
    ) -> Result<usize, Error> {
        self.run(Direction::Forward, to, tell).await
    }

    /// Revert what is above `to` (0 is the beginning), else the newest. Says how many steps that were.
    ///
    /// # Errors
    /// [`Error`]; the steps before it stay done.
    pub async fn down(
        &mut self,
        to: Option<i64>,
        tell: impl FnMut(&Event<'_>),
    ) -> Result<usize, Error> {
        // What is the newest is said once: of two at the same time, one has nothing to do.
        let to = match to {
            Some(to) => to,
            None => match self.revertible(None).await?.first() {
                Some(newest) => self.before(newest),
                None => return Ok(0),
            },
        };
        self.run(Direction::Back, Some(to), tell).await
    }

    /// Run the checks of what is applied, each in a transaction that may only read: what each says, or
    /// `None` if it is content.
    ///
    /// # Errors
    /// [`Error::Plan`], [`Error::Connection`]: an objection is none of these.
    pub async fn verify(&mut self) -> Result<Vec<(&'a Migration, Option<Failure>)>, Error> {
        let there =
            plan::back(self.migrations, &Record::read(self.connection).await?.applied, Some(0))?;
        let mut results = Vec::new();
        for migration in there.into_iter().rev() {
            let mut statements = vec![Statement::new(step::READ_ONLY)];
            statements.extend(step::statements(&migration.verify).map(|(_, statement)| statement));
            let objection = match self.connection.transaction(&statements).await {
                Ok(_) => None,
                Err(failure @ Failure::Refused(_)) => Some(failure),
                Err(failure) => return Err(failure.into()),
            };
            results.push((migration, objection));
        }
        Ok(results)
    }

    /// Take away every schema of the owner and the record of all steps, whatever they were: what is left
    /// is a database that nothing was applied to. The roles stay, they are the cluster's.
    ///
    /// # Errors
    /// [`Error::Connection`], [`Error::Busy`].
    pub async fn clear(&mut self, mut tell: impl FnMut(&Event<'_>)) -> Result<(), Error> {
        let mut busy = Busy::new(self.patience);
        loop {
            let record = Record::read(self.connection).await?;
            let statements = [record.lock(), Statement::new(CLEAR), record::forget()];
            match self.connection.transaction(&statements).await {
                Ok(_) => return Ok(()),
                Err(failure) if failure.code() == Some(BUSY) => busy.wait(&mut tell).await?,
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    fn before(&self, migration: &Migration) -> i64 {
        let mut older = self.migrations.iter().filter(|other| other.version < migration.version);
        older.next_back().map_or(0, |other| other.version)
    }

    /// Step by step, each planned anew: others may be at it, too.
    async fn run(
        &mut self,
        direction: Direction,
        to: Option<i64>,
        mut tell: impl FnMut(&Event<'_>),
    ) -> Result<usize, Error> {
        let mut busy = Busy::new(self.patience);
        let mut count = 0;
        loop {
            let record = Record::read(self.connection).await?;
            let plan = match direction {
                Direction::Forward => plan::forward(self.migrations, &record.applied, to)?,
                Direction::Back => plan::back(self.migrations, &record.applied, to)?,
            };
            let Some(migration) = plan.first() else { return Ok(count) };
            let since = Instant::now();
            if self.attempt(&record, migration, direction, &mut busy, &mut tell).await? {
                count += 1;
                tell(&match direction {
                    Direction::Forward => Event::Applied(migration, since.elapsed()),
                    Direction::Back => Event::Reverted(migration, since.elapsed()),
                });
            }
        }
    }

    /// Try a step; not so if somebody else has changed the state or holds the lock.
    async fn attempt(
        &mut self,
        record: &Record,
        migration: &Migration,
        direction: Direction,
        busy: &mut Busy,
        tell: &mut impl FnMut(&Event<'_>),
    ) -> Result<bool, Error> {
        let step = Step::new(record, migration, direction);
        let Err(failure) = self.connection.transaction(&step.statements).await else {
            *busy = Busy::new(self.patience);
            return Ok(true);
        };
        match failure.code() {
            Some(BUSY) => busy.wait(tell).await?,
            Some(MOVED) => busy.moved(&record.applied)?,
            _ => return Err(Error::Step { place: step.place(&failure), failure }),
        }
        Ok(false)
    }
}

const CLEAR: &str = "
    do $$
    declare
        name text;
    begin
        for name in select nspname from pg_namespace where pg_get_userbyid(nspowner) = 'atoms_owner' loop
            set local role atoms_owner;
            execute format('drop schema %I cascade', name);
            reset role;
        end loop;
    end
    $$";

/// How long somebody else has been at it, and what the database was like when it moved the last time.
struct Busy {
    since: Option<Instant>,
    patience: Duration,
    moved_from: Option<String>,
}

impl Busy {
    fn new(patience: Duration) -> Self {
        Self { since: None, patience, moved_from: None }
    }

    /// A database that has moved is not as it was.
    fn moved(&mut self, applied: &[Applied]) -> Result<(), Error> {
        let from = Some(token(applied));
        if self.moved_from == from {
            let problem = "the record of steps reads differently each time".to_owned();
            return Err(Failure::Protocol(problem).into());
        }
        self.moved_from = from;
        Ok(())
    }

    async fn wait(&mut self, tell: &mut impl FnMut(&Event<'_>)) -> Result<(), Error> {
        let since = *self.since.get_or_insert_with(|| {
            tell(&Event::Waiting);
            Instant::now()
        });
        if since.elapsed() >= self.patience {
            return Err(Error::Busy(self.patience));
        }
        sleep(PAUSE).await;
        Ok(())
    }
}

/// Whether all of the scripts are applied as they are.
pub fn is_complete(lines: &[Line]) -> bool {
    lines.iter().all(|line| line.standing == Standing::Applied)
}
