//! `cargo xtask db`: a database's schema forward, back, checked, and what differs.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use migrations::{
    Catalogue, Connection, Difference, Direct, Event, Http, Line, Migration, Migrations, Place,
    Runner, Standing, Statement, Way, is_loopback,
};
use stack::Scratch;
use tokio::runtime::Runtime;

use crate::report;

/// What `diff` ends with if there is a difference.
const DIFFERENT: u8 = 2;
/// The first lines of the reviewed catalogue.
const REMARK: &str = "\
# What a database consists of that all migrations were applied to. `cargo xtask db snapshot` writes it, a
# test compares it with what the scripts make, `cargo xtask db diff` with a live database.
";

/// What `db` does.
#[derive(clap::Subcommand)]
pub(crate) enum Arguments {
    /// Apply what is not there yet; each step is checked in its transaction
    Up(Steps),
    /// Revert the newest step, or all above `--to`
    Down(Steps),
    /// Run the check of every applied step; the exit code is 1 if one objects
    Verify(Database),
    /// Show every step and where it stands; the exit code is 1 if the database and the files contradict
    Status(Database),
    /// Delete everything and apply all steps again
    Reset {
        #[command(flatten)]
        database: Database,
        /// Do so on a machine that is not this one: name the host of the URL
        #[arg(long, value_name = "HOST")]
        even_on: Option<String>,
    },
    /// Show what a database has more, less or different than `migrations/catalogue.txt`; the exit code is
    /// 2 if there is something
    Diff(Database),
    /// Write `migrations/catalogue.txt` anew, from a Postgres of its own
    Snapshot,
}

#[derive(clap::Args)]
pub(crate) struct Steps {
    #[command(flatten)]
    database: Database,
    /// The version that is to be the newest; 0 is none
    #[arg(long, value_name = "VERSION")]
    to: Option<i64>,
    /// Show the steps and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
pub(crate) struct Database {
    /// A postgresql:// URL of the owner of the database, who has CREATEROLE; `verify`, `status` and `diff`
    /// only look
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    url: String,
    /// Go over HTTP: the URL of a /sql endpoint, ours or Neon's. `--url` is then what it is told as the
    /// connection string
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
}

/// The command.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(execute(arguments)))
    {
        Ok(code) => code,
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let migrations = Migrations::read(migrations::folder())?;
    match arguments {
        Arguments::Up(steps) => up(&migrations, steps).await,
        Arguments::Down(steps) => down(&migrations, steps).await,
        Arguments::Verify(database) => verify(&migrations, database).await,
        Arguments::Status(database) => status(&migrations, database).await,
        Arguments::Reset { database, even_on } => {
            reset(&migrations, database, even_on.as_deref()).await
        }
        Arguments::Diff(database) => diff(&migrations, database).await,
        Arguments::Snapshot => snapshot(&migrations).await,
    }
}

impl Database {
    fn place(&self) -> Result<Place> {
        Ok(match &self.proxy {
            None => Place::of_database(&self.url)?,
            Some(endpoint) => Place::of_endpoint(endpoint)?,
        })
    }

    async fn connect(&self) -> Result<Way> {
        let place = self.place()?;
        let way = match &self.proxy {
            None => Direct::connect(&self.url).await.map(Way::Direct),
            Some(endpoint) => Http::new(endpoint, &self.url).map(Way::Http),
        };
        way.with_context(|| place.to_string())
    }
}

async fn up(migrations: &Migrations, steps: &Steps) -> Result<ExitCode> {
    let (place, mut way) = (steps.database.place()?, steps.database.connect().await?);
    let mut runner = Runner::new(&mut way, migrations);
    if steps.dry_run {
        would(&place, "apply", &runner.pending(steps.to).await?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("{place}");
    match runner.up(steps.to, tell).await? {
        0 => println!("nothing to apply"),
        count => println!("{} applied and verified", counted(count, "step")),
    }
    Ok(ExitCode::SUCCESS)
}

async fn down(migrations: &Migrations, steps: &Steps) -> Result<ExitCode> {
    let (place, mut way) = (steps.database.place()?, steps.database.connect().await?);
    let mut runner = Runner::new(&mut way, migrations);
    if steps.dry_run {
        would(&place, "revert", &runner.revertible(steps.to).await?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("{place}");
    match runner.down(steps.to, tell).await? {
        0 => println!("nothing to revert"),
        count => println!("{} reverted", counted(count, "step")),
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify(migrations: &Migrations, database: &Database) -> Result<ExitCode> {
    let (place, mut way) = (database.place()?, database.connect().await?);
    println!("{place}");
    let results = Runner::new(&mut way, migrations).verify().await?;
    for (migration, objection) in &results {
        match objection {
            None => println!("✓ {}", migration.name),
            Some(objection) => println!("✗ {}\n  {objection}", migration.name),
        }
    }
    let objections = results.iter().filter(|(_, objection)| objection.is_some()).count();
    ensure!(objections == 0, "{objections} of {} checks object", results.len());
    println!("{} verified", counted(results.len(), "applied step"));
    Ok(ExitCode::SUCCESS)
}

async fn status(migrations: &Migrations, database: &Database) -> Result<ExitCode> {
    let (place, mut way) = (database.place()?, database.connect().await?);
    println!("{place}");
    let lines = Runner::new(&mut way, migrations).status().await?;
    for line in &lines {
        println!("{}", status_line(line));
    }
    let count = |standing| lines.iter().filter(|line| line.standing == standing).count();
    let (applied, pending) = (count(Standing::Applied), count(Standing::Pending));
    println!("{applied} applied, {pending} pending");
    let wrong = lines.len() - applied - pending;
    ensure!(wrong == 0, "{} where the database and the files contradict", counted(wrong, "step"));
    Ok(ExitCode::SUCCESS)
}

fn status_line(line: &Line) -> String {
    let (mark, says) = match line.standing {
        Standing::Applied => ("✓", "applied"),
        Standing::Pending => ("·", "pending"),
        Standing::Edited => ("✗", "edited after it was applied"),
        Standing::Missing => ("✗", "applied, but there is no such file"),
        Standing::Failed => ("✗", "failed half way under another tool"),
    };
    let when = line.installed_on.as_ref().map_or(String::new(), |at| format!("  {at} UTC"));
    format!("{mark} {:<32} {says}{when}", line.name)
}

async fn reset(
    migrations: &Migrations,
    database: &Database,
    even_on: Option<&str>,
) -> Result<ExitCode> {
    let place = database.place()?;
    permit_reset(&place, None, even_on)?;
    let mut way = database.connect().await?;
    permit_reset(&place, server_address(&mut way).await?.as_deref(), even_on)?;
    println!("{place}");
    let mut runner = Runner::new(&mut way, migrations);
    runner.clear(tell).await?;
    println!("✓ everything is deleted");
    let count = runner.up(None, tell).await?;
    println!("{} applied and verified", counted(count, "step"));
    Ok(ExitCode::SUCCESS)
}

/// The address that the server itself is reached at, which a tunnel or a proxy does not change; a socket
/// has none.
async fn server_address(way: &mut Way) -> Result<Option<String>> {
    let question = Statement::new("select host(inet_server_addr())");
    let rows = way.transaction(&[question]).await?;
    Ok(rows.into_iter().flatten().flatten().next().flatten())
}

fn permit_reset(place: &Place, server: Option<&str>, even_on: Option<&str>) -> Result<()> {
    if even_on == Some(place.host.as_str()) {
        return Ok(());
    }
    if let Some(named) = even_on {
        bail!("--even-on names {named}, but the URL leads to {}", place.host);
    }
    let elsewhere = match server {
        _ if !place.is_loopback() => "the URL leads to another machine".to_owned(),
        Some(address) if !is_loopback(address) => format!("the server is at {address}"),
        _ => return Ok(()),
    };
    bail!(
        "reset deletes everything in {place}, and {elsewhere}: add --even-on {} if that is meant",
        place.host
    )
}

async fn diff(migrations: &Migrations, database: &Database) -> Result<ExitCode> {
    let (place, mut way) = (database.place()?, database.connect().await?);
    let path = migrations::snapshot();
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let expected = Catalogue::parse(&text);
    let found = Catalogue::read(&mut way).await?;
    let lines = Runner::new(&mut way, migrations).status().await?;
    let differences = expected.compare(&found);
    println!("{place}");
    for difference in &differences {
        print!("{difference}");
    }
    let others = lines.iter().filter(|line| line.standing != Standing::Applied).count();
    if others > 0 {
        println!(
            "{} not applied as in the files: see `cargo xtask db status`",
            counted(others, "step")
        );
    }
    if differences.is_empty() {
        println!("no difference in {}", counted(found.len(), "entry"));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", summary(&differences));
    Ok(ExitCode::from(DIFFERENT))
}

fn summary(differences: &[Difference]) -> String {
    let (mut more, mut less, mut different) = (0, 0, 0);
    for difference in differences {
        match difference {
            Difference::More(..) => more += 1,
            Difference::Less(..) => less += 1,
            Difference::Different { .. } => different += 1,
        }
    }
    format!("{more} more (+), {less} less (-), {different} different (~)")
}

async fn snapshot(migrations: &Migrations) -> Result<ExitCode> {
    let scratch = Scratch::start().await?;
    let mut way = Way::Direct(Direct::connect(scratch.url()).await?);
    Runner::new(&mut way, migrations).up(None, |_| {}).await?;
    let catalogue = Catalogue::read(&mut way).await?;
    let path = migrations::snapshot();
    let known = fs::read_to_string(&path).unwrap_or_default();
    let differences = Catalogue::parse(&known).compare(&catalogue);
    fs::write(&path, format!("{REMARK}{catalogue}"))?;
    for difference in &differences {
        print!("{difference}");
    }
    println!(
        "{} written to {}: {}",
        counted(catalogue.len(), "entry"),
        path.display(),
        summary(&differences)
    );
    Ok(ExitCode::SUCCESS)
}

fn would(place: &Place, verb: &str, steps: &[&Migration]) {
    println!("{place}: would {verb} {}", counted(steps.len(), "step"));
    for step in steps {
        println!("  {}", step.name);
    }
    println!("nothing was changed");
}

fn tell(event: &Event<'_>) {
    match event {
        Event::Applied(step, took) => println!("✓ {:<32} {:>8}", step.name, milliseconds(*took)),
        Event::Reverted(step, took) => {
            println!("✓ {:<32} {:>8}", format!("{} reverted", step.name), milliseconds(*took));
        }
        Event::Waiting => report::line("… another run is at it; waiting"),
    }
}

fn milliseconds(took: Duration) -> String {
    format!("{} ms", took.as_millis())
}

fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_stays_on_this_machine_unless_the_other_is_named() {
        let here = Place::of_database("postgresql://u:p@localhost/atoms").unwrap();
        let there = Place::of_database("postgresql://u:p@db.example.com/atoms").unwrap();
        let refused = |place, server, even_on| permit_reset(place, server, even_on).is_err();
        assert!(!refused(&here, None, None));
        assert!(!refused(&here, Some("127.0.0.1"), None));
        assert!(refused(&here, Some("10.0.0.7"), None), "a tunnel or a proxy");
        assert!(!refused(&here, Some("10.0.0.7"), Some("localhost")));
        assert!(refused(&there, Some("127.0.0.1"), None));
        assert!(refused(&there, None, Some("other.example.com")));
        assert!(!refused(&there, None, Some("db.example.com")));
        assert!(refused(&here, None, Some("db.example.com")), "the wrong URL");
        let error = permit_reset(&there, None, None).unwrap_err().to_string();
        assert!(error.contains("--even-on db.example.com") && !error.contains(":p@"), "{error}");
    }

    #[tokio::test]
    async fn a_difference_is_exit_code_2_and_none_is_0() {
        let scratch = Scratch::start().await.unwrap();
        let database = || Database { url: scratch.url().to_owned(), proxy: None };
        let steps = |to| Steps { database: database(), to, dry_run: false };
        let code = |arguments| async move { format!("{:?}", execute(&arguments).await.unwrap()) };
        let (same, different) =
            (format!("{:?}", ExitCode::SUCCESS), format!("{:?}", ExitCode::from(DIFFERENT)));
        let first = Migrations::read(migrations::folder()).unwrap().iter().next().unwrap().version;
        assert_eq!(code(Arguments::Up(steps(Some(first)))).await, same);
        assert_eq!(code(Arguments::Diff(database())).await, different);
        assert_eq!(code(Arguments::Up(steps(None))).await, same);
        assert_eq!(code(Arguments::Diff(database())).await, same);
        assert_eq!(code(Arguments::Reset { database: database(), even_on: None }).await, same);
        assert_eq!(code(Arguments::Diff(database())).await, same);
    }
}
