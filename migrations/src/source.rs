//! The scripts: `NNNN_name.up.sql`, its way back `NNNN_name.down.sql`, and `verify/NNNN_name.sql`, which
//! objects to a database that it does not find as it should be.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha384};

use crate::script::{self, Piece};

/// Words that would end the transaction that a step is.
const TRANSACTION_VERBS: [&str; 7] =
    ["begin", "start", "commit", "end", "rollback", "abort", "prepare"];

/// What is wrong with the scripts; nothing was asked of a database.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct SourceError {
    /// The file, or the folder.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

/// One step of the schema's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its place.
    pub version: i64,
    /// Its name as files have it, `0007_ledgers`.
    pub name: String,
    /// The step forward.
    pub up: String,
    /// The step back.
    pub down: String,
    /// The check.
    pub verify: String,
}

impl Migration {
    /// What sqlx records of its name.
    pub fn description(&self) -> String {
        let (_, name) = self.name.split_once('_').unwrap_or_default();
        name.replace('_', " ")
    }

    /// SHA-384 of the step forward, as sqlx has it.
    pub fn checksum(&self) -> [u8; 48] {
        Sha384::digest(&self.up).into()
    }
}

/// All steps in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrations(Vec<Migration>);

impl Migrations {
    /// Read a folder in sqlx's layout, with the checks in its folder `verify`. More than sqlx this wants
    /// every step to be whole: forward, back and check, all readable, none of which ends the transaction
    /// that it runs in.
    ///
    /// # Errors
    /// [`SourceError`] names the file.
    pub fn read(folder: &Path) -> Result<Self, SourceError> {
        let mut steps: BTreeMap<i64, Parts> = BTreeMap::new();
        for (file, text) in scripts(folder)? {
            let stem = file.strip_suffix(".sql").unwrap_or(&file);
            if let Some(name) = stem.strip_suffix(".up") {
                add(&mut steps, &file, name, |parts| &mut parts.up, text)?;
            } else if let Some(name) = stem.strip_suffix(".down") {
                add(&mut steps, &file, name, |parts| &mut parts.down, text)?;
            } else {
                return Err(wrong(&file, "is neither NNNN_name.up.sql nor NNNN_name.down.sql"));
            }
        }
        for (file, text) in scripts(&folder.join("verify"))? {
            let name = file.strip_suffix(".sql").unwrap_or(&file);
            add(&mut steps, &format!("verify/{file}"), name, |parts| &mut parts.verify, text)?;
        }
        let steps = steps.into_iter().map(|(version, parts)| parts.complete(version));
        Ok(Self::new(steps.collect::<Result<_, _>>()?))
    }

    /// These, in the order of their versions.
    pub(crate) fn new(mut all: Vec<Migration>) -> Self {
        all.sort_by_key(|migration| migration.version);
        Self(all)
    }

    /// In their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Migration> {
        self.0.iter()
    }

    /// The one of this version.
    pub fn find(&self, version: i64) -> Option<&Migration> {
        self.iter().find(|migration| migration.version == version)
    }
}

#[derive(Default)]
struct Parts {
    name: String,
    up: Option<String>,
    down: Option<String>,
    verify: Option<String>,
}

impl Parts {
    fn complete(self, version: i64) -> Result<Migration, SourceError> {
        let Self { name, up, down, verify } = self;
        let missing = |file: String| wrong(&file, "is missing");
        Ok(Migration {
            version,
            up: up.ok_or_else(|| missing(format!("{name}.up.sql")))?,
            down: down.ok_or_else(|| missing(format!("{name}.down.sql")))?,
            verify: verify.ok_or_else(|| missing(format!("verify/{name}.sql")))?,
            name,
        })
    }
}

fn add(
    steps: &mut BTreeMap<i64, Parts>,
    file: &str,
    name: &str,
    part: impl Fn(&mut Parts) -> &mut Option<String>,
    text: String,
) -> Result<(), SourceError> {
    let version = name.split_once('_').and_then(|(version, _)| version.parse().ok());
    let version = version.filter(|version| *version > 0);
    let version: i64 = version.ok_or_else(|| wrong(file, "does not begin with NNNN_"))?;
    check(file, &text)?;
    let parts = steps.entry(version).or_default();
    if parts.name.is_empty() {
        name.clone_into(&mut parts.name);
    } else if parts.name != name {
        return Err(wrong(file, &format!("has the version of {}", parts.name)));
    }
    *part(parts) = Some(text);
    Ok(())
}

fn check(file: &str, text: &str) -> Result<(), SourceError> {
    if text.starts_with("-- no-transaction") {
        return Err(wrong(file, "asks for no transaction, but a step is one"));
    }
    let pieces = script::split(text).map_err(|problem| wrong(file, &problem))?;
    let ends = |piece: &&Piece<'_>| TRANSACTION_VERBS.contains(&piece.verb().as_str());
    match pieces.iter().find(ends) {
        None => Ok(()),
        Some(piece) => {
            let (verb, line) = (piece.verb(), piece.line);
            Err(wrong(
                file,
                &format!("line {line}: {verb} is not for a script: a step is one transaction"),
            ))
        }
    }
}

/// The names and texts of a folder's `.sql` files, in order.
fn scripts(folder: &Path) -> Result<Vec<(String, String)>, SourceError> {
    let unreadable = |path: &Path, error: std::io::Error| {
        wrong(&path.display().to_string(), &format!("cannot be read: {error}"))
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push((name, text));
        }
    }
    found.sort();
    Ok(found)
}

fn wrong(file: &str, problem: &str) -> SourceError {
    SourceError { file: file.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A folder with these files.
    fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("migrations-source-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("verify")).unwrap();
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
        folder
    }

    const WHOLE: [(&str, &str); 3] = [
        ("0002_two_words.up.sql", "select 1;"),
        ("0002_two_words.down.sql", ""),
        ("verify/0002_two_words.sql", ""),
    ];

    #[test]
    fn steps_are_read_in_the_order_of_their_versions() {
        let other = [("10_b.up.sql", ""), ("10_b.down.sql", ""), ("verify/10_b.sql", "")];
        let files = [&WHOLE[..], &other, &[("README.md", "not SQL")]].concat();
        let folder = folder("order", &files);
        let migrations = Migrations::read(&folder).unwrap();
        let seen: Vec<_> = migrations.iter().map(|step| (step.version, &*step.name)).collect();
        assert_eq!(seen, [(2, "0002_two_words"), (10, "10_b")]);
        let first = migrations.find(2).unwrap();
        assert_eq!(first.description(), "two words");
        // `printf 'select 1;' | sha384sum`
        let digest: String = first.checksum().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(digest.starts_with("bb87975f"), "{digest}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_not_whole_is_refused_by_the_name_of_the_file() {
        for (file, text, expected) in [
            ("0003_x.up.sql", "", "0003_x.down.sql: is missing"),
            ("verify/0003_x.sql", "", "0003_x.up.sql: is missing"),
            ("0002_other.down.sql", "", "0002_two_words.down.sql: has the version of 0002_other"),
            ("0003_x.sql", "", "0003_x.sql: is neither"),
            ("x.up.sql", "", "x.up.sql: does not begin with NNNN_"),
            ("0_x.up.sql", "", "0_x.up.sql: does not begin with NNNN_"),
            ("0003_x.up.sql", "select 'x", "0003_x.up.sql: a quoted text"),
            ("0003_x.up.sql", "select 1;\ncommit;", "0003_x.up.sql: line 2: commit"),
            ("0003_x.up.sql", "-- no-transaction\n", "0003_x.up.sql: asks for no transaction"),
        ] {
            let folder = folder("wrong", &[&WHOLE[..], &[(file, text)]].concat());
            let error = Migrations::read(&folder).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
            fs::remove_dir_all(folder).unwrap();
        }
        let error = Migrations::read(Path::new("/nowhere")).unwrap_err();
        assert_eq!(error.file, "/nowhere");
    }

    #[test]
    fn the_project_s_own_scripts_are_whole() {
        let own = Migrations::read(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(own.find(1).is_some());
    }
}
