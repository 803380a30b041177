//! What there is to do, from the scripts and from what the database says was done. Pure.

use crate::source::{Migration, Migrations};

/// A row of `_sqlx_migrations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The version.
    pub version: i64,
    /// The name, as sqlx records it.
    pub description: String,
    /// SHA-384 of the script that ran, in hexadecimal digits.
    pub checksum: String,
    /// Not so where another tool ran a step outside of a transaction and failed in its middle.
    pub success: bool,
    /// When, in UTC.
    pub installed_on: String,
}

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The database has it, as the script says.
    Applied,
    /// The database does not have it.
    Pending,
    /// The script was edited after the database got it.
    Edited,
    /// The database has it, and there is no script of it here.
    Missing,
    /// Another tool failed in its middle.
    Failed,
}

/// A version and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The version.
    pub version: i64,
    /// Its name as files have it; of what has no file, what the database knows.
    pub name: String,
    /// Where it stands.
    pub standing: Standing,
    /// When it was applied, in UTC.
    pub installed_on: Option<String>,
}

/// Why nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// An applied script is another one now.
    #[error(
        "{0} was edited after it was applied: the database has another checksum. Put the file back as \
         it was and write the change as a new migration"
    )]
    Edited(String),
    /// The database is ahead of these files, or of another branch.
    #[error(
        "the database has {0}, and there is no such script here: use the files that it was made with"
    )]
    Missing(String),
    /// Another tool failed in the middle of a step that was no transaction.
    #[error(
        "{0} failed half way under another tool: mend it by hand, then set or delete its row in _sqlx_migrations"
    )]
    Failed(String),
    /// `--to` names nothing.
    #[error("there is no migration {0}")]
    NoSuchVersion(i64),
}

/// Every version, of files and of the database, in order.
pub(crate) fn standings(migrations: &Migrations, applied: &[Applied]) -> Vec<Line> {
    let mut lines: Vec<_> = migrations.iter().map(|migration| line(migration, applied)).collect();
    let unknown = applied.iter().filter(|row| migrations.find(row.version).is_none());
    lines.extend(unknown.map(|row| Line {
        version: row.version,
        name: format!("{:04}_{}", row.version, row.description.replace(' ', "_")),
        standing: if row.success { Standing::Missing } else { Standing::Failed },
        installed_on: Some(row.installed_on.clone()),
    }));
    lines.sort_by_key(|line| line.version);
    lines
}

fn line(migration: &Migration, applied: &[Applied]) -> Line {
    let row = applied.iter().find(|row| row.version == migration.version);
    Line {
        version: migration.version,
        name: migration.name.clone(),
        standing: match row {
            None => Standing::Pending,
            Some(row) if !row.success => Standing::Failed,
            Some(row) if row.checksum != hex(&migration.checksum()) => Standing::Edited,
            Some(_) => Standing::Applied,
        },
        installed_on: row.map(|row| row.installed_on.clone()),
    }
}

/// What is to be applied, in its order; up to `to`, else everything.
///
/// # Errors
/// [`PlanError`]: a database that is not what these scripts made is left alone.
pub(crate) fn forward<'a>(
    migrations: &'a Migrations,
    applied: &[Applied],
    to: Option<i64>,
) -> Result<Vec<&'a Migration>, PlanError> {
    check(migrations, applied)?;
    known(migrations, to.unwrap_or(0))?;
    let pending = migrations.iter().filter(|step| to.is_none_or(|to| step.version <= to));
    Ok(pending.filter(|step| !applied.iter().any(|row| row.version == step.version)).collect())
}

/// What is to be reverted, in its order: what is above `to` (0 is the beginning), else the newest.
///
/// # Errors
/// As of [`forward`].
pub(crate) fn back<'a>(
    migrations: &'a Migrations,
    applied: &[Applied],
    to: Option<i64>,
) -> Result<Vec<&'a Migration>, PlanError> {
    check(migrations, applied)?;
    known(migrations, to.unwrap_or(0))?;
    let there = migrations.iter().rev();
    let mut there = there.filter(|step| applied.iter().any(|row| row.version == step.version));
    Ok(match to {
        Some(to) => there.filter(|step| step.version > to).collect(),
        None => there.next().into_iter().collect(),
    })
}

fn known(migrations: &Migrations, version: i64) -> Result<(), PlanError> {
    let known = version == 0 || migrations.find(version).is_some();
    if known { Ok(()) } else { Err(PlanError::NoSuchVersion(version)) }
}

fn check(migrations: &Migrations, applied: &[Applied]) -> Result<(), PlanError> {
    for line in standings(migrations, applied) {
        match line.standing {
            Standing::Applied | Standing::Pending => {}
            Standing::Edited => return Err(PlanError::Edited(line.name)),
            Standing::Missing => return Err(PlanError::Missing(line.name)),
            Standing::Failed => return Err(PlanError::Failed(line.name)),
        }
    }
    Ok(())
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::token;

    fn migrations(versions: &[i64]) -> Migrations {
        let step = |version: &i64| Migration {
            version: *version,
            name: format!("{version:04}_x"),
            up: format!("select {version}"),
            down: String::new(),
            verify: String::new(),
        };
        Migrations::new(versions.iter().map(step).collect())
    }

    fn applied(of: &Migrations) -> Vec<Applied> {
        of.iter()
            .map(|step| Applied {
                version: step.version,
                description: step.description(),
                checksum: hex(&step.checksum()),
                success: true,
                installed_on: "then".to_owned(),
            })
            .collect()
    }

    fn versions(plan: Result<Vec<&Migration>, PlanError>) -> Vec<i64> {
        plan.unwrap().iter().map(|step| step.version).collect()
    }

    #[test]
    fn what_is_not_there_is_applied_in_order_and_what_is_there_reverted_backwards() {
        let all = migrations(&[1, 2, 5, 9]);
        let some = applied(&migrations(&[1, 5]));
        assert_eq!(versions(forward(&all, &some, None)), [2, 9]);
        assert_eq!(versions(forward(&all, &some, Some(5))), [2]);
        assert_eq!(versions(forward(&all, &[], Some(2))), [1, 2]);
        assert_eq!(versions(forward(&all, &applied(&all), None)), [0; 0]);
        assert_eq!(versions(back(&all, &some, None)), [5]);
        assert_eq!(versions(back(&all, &applied(&all), Some(2))), [9, 5]);
        assert_eq!(versions(back(&all, &some, Some(0))), [5, 1]);
        assert_eq!(versions(back(&all, &[], None)), [0; 0]);
        assert_eq!(forward(&all, &[], Some(3)), Err(PlanError::NoSuchVersion(3)));
        assert_eq!(back(&all, &[], Some(3)), Err(PlanError::NoSuchVersion(3)));
    }

    #[test]
    fn a_database_that_these_scripts_did_not_make_is_left_alone() {
        let all = migrations(&[1, 2]);
        let name = |name: &str| name.to_owned();
        let good = applied(&all);
        let mut edited = good.clone();
        edited[1].checksum = hex(&[0; 48]);
        let mut failed = good.clone();
        failed[0].success = false;
        let ahead = applied(&migrations(&[1, 2, 3]));
        for (rows, expected, standing) in [
            (edited, PlanError::Edited(name("0002_x")), Standing::Edited),
            (failed, PlanError::Failed(name("0001_x")), Standing::Failed),
            (ahead, PlanError::Missing(name("0003_x")), Standing::Missing),
        ] {
            assert_eq!(forward(&all, &rows, None), Err(expected.clone()));
            assert_eq!(back(&all, &rows, Some(0)), Err(expected));
            assert!(standings(&all, &rows).iter().any(|line| line.standing == standing));
            assert_ne!(token(&rows), token(&good));
        }
    }
}
