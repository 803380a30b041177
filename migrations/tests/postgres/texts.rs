//! The SQL texts of the services against the schema that the scripts make: each file is prepared by sqlx on
//! a real Postgres, and must be permitted to a role of the services.
//!
//! Not by `sqlx::query!`: its macros would need a database, or data committed beside the texts, whenever
//! anything is built, and would check only what native code names. This looks at every file that there is,
//! and at the schema of this very tree.

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr, Statement};

use crate::support::{By, Cluster};

/// The roles that functions may take.
const ROLES: [&str; 2] = ["authenticated", "atoms_service"];

/// The crates of `shared/`.
fn crates() -> Vec<PathBuf> {
    let shared = migrations::folder().with_file_name("shared");
    fs::read_dir(shared).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The files of a folder with an ending, and those of its folders.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    let wanted = files.into_iter().filter(|path| path.extension().is_some_and(|e| e == ending));
    wanted.chain(folders.iter().flat_map(|folder| self::files(folder, ending))).collect()
}

/// The code of a crate.
fn source(folder: &Path) -> String {
    let sources = files(&folder.join("src"), "rs").into_iter();
    sources.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The names and texts of what is for Postgres: the stores have SQL of other databases, too.
fn texts() -> Vec<(String, String)> {
    crates().iter().flat_map(|folder| texts_of(folder)).collect()
}

/// Those of a crate. What is put together of several files is a text; its files are none by themselves.
fn texts_of(folder: &Path) -> Vec<(String, String)> {
    let (queries, source) = (folder.join("queries"), source(folder));
    let read = |name: &str| fs::read_to_string(queries.join(name)).unwrap();
    let composed = source.split("concat!(").skip(1).map(|rest| {
        let whole = rest.split(");").next().unwrap_or_default();
        let parts = whole.split("queries/").skip(1);
        parts.filter_map(|part| Some(part.split_once('"')?.0.to_owned())).collect::<Vec<_>>()
    });
    let composed: Vec<_> = composed.filter(|parts| !parts.is_empty()).collect();
    let alone = files(&queries, "sql").into_iter().map(|path| name(&queries, &path));
    let alone = alone.filter(|name| !name.starts_with("sqlite_"));
    let alone = alone.filter(|name| !composed.iter().flatten().any(|part| part == name));
    let texts = alone.map(|name| {
        let text = read(&name);
        (name, text)
    });
    let whole = composed
        .iter()
        .map(|parts| (parts.join(" + "), parts.iter().map(|part| read(part)).collect()));
    texts.chain(whole).collect()
}

/// A file's name below the folder of its crate's texts.
fn name(queries: &Path, path: &Path) -> String {
    path.strip_prefix(queries).unwrap().to_string_lossy().into_owned()
}

/// What is wrong with a text.
async fn objection(session: &mut PgConnection, text: &str) -> Option<String> {
    let prepared = match session.prepare(AssertSqlSafe(text.to_owned()).into_sql_str()).await {
        Ok(prepared) => prepared,
        Err(error) => return Some(error.to_string()),
    };
    let parameters = match prepared.parameters() {
        Some(sqlx::Either::Left(types)) => types.len(),
        Some(sqlx::Either::Right(count)) => count,
        None => 0,
    };
    let nulls = vec!["null"; parameters].join(", ");
    let nulls = if parameters == 0 { nulls } else { format!("({nulls})") };
    let mut refusals = Vec::new();
    for role in ROLES {
        // To explain is to be judged by the rights, and to do nothing.
        let script = format!(
            "begin; set local role {role}; prepare judged as {text}\n; explain execute judged{nulls}"
        );
        let outcome = session.execute(sqlx::raw_sql(AssertSqlSafe(script))).await;
        session.execute("rollback; deallocate all").await.unwrap();
        match outcome {
            Ok(_) => return None,
            Err(error) => refusals.push(format!("{role}: {error}")),
        }
    }
    Some(refusals.join("; "))
}

#[tokio::test]
async fn every_text_is_understood_and_permitted() {
    let cluster = Cluster::migrated(By::Session).await;
    let mut session = PgConnection::connect(cluster.superuser_url()).await.unwrap();
    let texts = texts();
    assert!(texts.len() > 20, "the texts are gone");
    let mut objections = Vec::new();
    for (name, text) in &texts {
        if let Some(objection) = objection(&mut session, text).await {
            objections.push(format!("{name}: {objection}"));
        }
    }
    assert!(objections.is_empty(), "{}", objections.join("\n"));

    for (text, expected) in [
        ("select nothing from app.workspaces", "\"nothing\" does not exist"),
        ("select app.user_id() + 1", "operator does not exist"),
        ("update app.workspaces set created_by = 'x'", "permission denied"),
        ("delete from app.audit_events", "permission denied"),
        ("select 1; select 2", "multiple commands"),
    ] {
        let objection = objection(&mut session, text).await;
        assert!(objection.is_some_and(|objection| objection.contains(expected)), "{text}");
    }
}

#[test]
fn every_text_is_used() {
    for folder in crates() {
        let (queries, source) = (folder.join("queries"), source(&folder));
        for text in files(&queries, "sql") {
            let used = format!("queries/{}\"", name(&queries, &text));
            assert!(source.contains(&used), "{} is not used", text.display());
        }
    }
}

#[tokio::test]
async fn every_constraint_that_an_error_is_made_of_is_there() {
    let cluster = Cluster::migrated(By::Session).await;
    let mut named = Vec::new();
    for path in crates().into_iter().flat_map(|folder| files(&folder.join("src"), "rs")) {
        let source = fs::read_to_string(path).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let pieces = code.split("constraint: \"").skip(1);
        named.extend(pieces.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    }
    assert!(named.len() > 10, "the rules are gone");
    for name in named {
        let question = format!(
            "select conname::text from pg_constraint
             where conname = '{name}' and connamespace = 'app'::regnamespace"
        );
        assert!(cluster.ask(&question).await.is_some(), "no table has the constraint {name}");
    }
}
