//! Who may do what: every cell of `docs/access-matrix.md` is tried on a real Postgres, compared with
//! what is said here, and written down. `ACCESS_MATRIX=write` rewrites the file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::cells::{CALLS, CASES, Case};
use crate::support::{Cluster, SUPERUSER};
use crate::world::{
    ADMIN, MEMBER, NOBODY, OWNER, Principal, REMOVED, STRANGER, Session, VIEWER, world,
};
use ports::SqlError;
use sqlx::Row;

/// The columns: the letter by which the cases call them, the heading, on whose behalf.
const PRINCIPALS: [(char, &str, Principal); 9] = [
    ('o', "owner", OWNER),
    ('a', "admin", ADMIN),
    ('m', "member", MEMBER),
    ('v', "viewer", VIEWER),
    ('x', "stranger", STRANGER),
    ('r', "removed", REMOVED),
    ('n', "no claims", NOBODY),
    ('s', "service", Principal::Service),
    ('l', "login", Principal::Login),
];

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It found, added, changed or deleted the row.
    Done,
    /// Row-level security shows no such row.
    NoRow,
    /// Refused: SQLSTATE 42501.
    Refused,
}

impl Outcome {
    fn text(self) -> &'static str {
        match self {
            Self::Done => "yes",
            Self::NoRow => "none",
            Self::Refused => "no",
        }
    }
}

/// A line of the file: what, which verb, what came of it for each principal.
struct Line {
    name: &'static str,
    verb: &'static str,
    cells: Vec<Outcome>,
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/access-matrix.md")
}

/// The statement for each verb, and the letters of those who may.
fn verbs(case: &Case) -> Vec<(&'static str, String, &'static str)> {
    let Case { table, row, insert, set, may: [read, create, change, archive, erase], .. } = *case;
    let mut verbs = vec![("select", format!("select 1 from app.{table} where {row}"), read)];
    if let Some(insert) = insert {
        verbs.push(("insert", format!("insert into app.{table} {insert}"), create));
    }
    if let Some(set) = set {
        verbs.push(("update", format!("update app.{table} set {set} where {row}"), change));
    }
    if case.archived {
        let text = format!("update app.{table} set deleted_at = now() where {row}");
        verbs.push(("soft delete", text, archive));
    }
    if insert.is_some() || set.is_some() {
        verbs.push(("delete", format!("delete from app.{table} where {row}"), erase));
    }
    verbs
}

async fn outcome(session: &mut Session, who: Principal, text: &str) -> Outcome {
    let text = text.replace("{me}", who.subject());
    match session.attempt(who, &text).await {
        Ok(0) => Outcome::NoRow,
        Ok(_) => Outcome::Done,
        Err(SqlError::Refused { code, .. }) if code == "42501" => Outcome::Refused,
        Err(error) => panic!("{who:?}: {text}: {error:?}"),
    }
}

/// Try one line; the differences from what is said of it go to `wrong`.
async fn line(
    session: &mut Session,
    name: &'static str,
    (verb, text, may): (&'static str, String, &str),
    wrong: &mut Vec<String>,
) -> Line {
    let mut cells = Vec::new();
    for (letter, heading, who) in PRINCIPALS {
        let cell = outcome(session, who, &text).await;
        if (cell == Outcome::Done) != may.contains(letter) {
            wrong.push(format!("{name}, {verb}, {heading}: {}", cell.text()));
        }
        cells.push(cell);
    }
    Line { name, verb, cells }
}

async fn tables(cluster: &Cluster) -> BTreeSet<String> {
    let text = "select relname::text from pg_class
        where relnamespace = 'app'::regnamespace and relkind in ('r', 'v', 'm', 'p', 'f')";
    let mut connection = cluster.connect(SUPERUSER).await;
    let rows = sqlx::raw_sql(text).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn render(rights: &[Line], calls: &[Line]) -> String {
    let mut text = include_str!("access.md").to_owned();
    for (title, first, lines) in
        [("Tables and views", "table | verb", rights), ("Functions", "function | verb", calls)]
    {
        let headings: Vec<_> = PRINCIPALS.iter().map(|(_, heading, _)| *heading).collect();
        write!(text, "\n## {title}\n\n| {first} | {} |\n", headings.join(" | ")).unwrap();
        writeln!(text, "|---|---|{}", "---|".repeat(PRINCIPALS.len())).unwrap();
        for Line { name, verb, cells } in lines {
            let cells: Vec<_> = cells.iter().map(|cell| cell.text()).collect();
            writeln!(text, "| {name} | {verb} | {} |", cells.join(" | ")).unwrap();
        }
    }
    text
}

#[tokio::test]
async fn everyone_may_do_what_the_matrix_says_and_nothing_else() {
    let cluster = world().await;
    let named: BTreeSet<_> = CASES.iter().map(|case| case.table.to_owned()).collect();
    assert_eq!(named, tables(&cluster).await, "a table or view without a case");

    let mut session = Session::start(&cluster).await;
    let mut wrong = Vec::new();
    let (mut rights, mut calls) = (Vec::new(), Vec::new());
    for case in CASES {
        for verb in verbs(case) {
            rights.push(line(&mut session, case.name, verb, &mut wrong).await);
        }
    }
    for (name, call, may) in CALLS {
        let verb = ("call", format!("select * from app.{call}"), *may);
        calls.push(line(&mut session, name, verb, &mut wrong).await);
    }
    assert_eq!(wrong, [""; 0]);

    let text = render(&rights, &calls);
    if std::env::var_os("ACCESS_MATRIX").is_some_and(|value| value == "write") {
        std::fs::write(file(), &text).unwrap();
    }
    let committed = std::fs::read_to_string(file()).unwrap_or_default();
    assert!(
        committed == text,
        "docs/access-matrix.md is not what the test has found: rewrite it with ACCESS_MATRIX=write"
    );
}
