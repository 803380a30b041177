//! A run from beginning to end.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use stack::{Stack, StackInfo, StackOptions, layout};

use crate::database::{self, Batches};
use crate::identity::{self, Identity};
use crate::load::{CONNECTIONS, Link, Load, Sample, round};
use crate::machine::Machine;
use crate::memory;
use crate::peer::Grants;
use crate::pgbench::{self, Mode};
use crate::pool::Pool;
use crate::product::{self, Introspect};
use crate::race::{Race, Rotates, race};
use crate::report::{Report, Row, Storage};
use crate::server::{Ports, Server};
use crate::subjects::{self, Subject};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    people: usize,
    sessions_each: usize,
    peer_grants: usize,
    rounds: usize,
    round: Duration,
    warm_up: Duration,
    races: usize,
    /// Before a session begins, snapshots of revocations must have been published for so long: of an
    /// older one they say nothing.
    published: Duration,
}

impl Scale {
    /// The benchmark.
    pub(crate) const FULL: Self = Self {
        people: 2000,
        sessions_each: 5,
        peer_grants: 1000,
        rounds: 5,
        round: Duration::from_millis(1500),
        warm_up: Duration::from_millis(400),
        races: 5,
        published: Duration::from_secs(12),
    };
    /// To see that it works.
    pub(crate) const SMOKE: Self = Self {
        people: 16,
        sessions_each: 4,
        peer_grants: 32,
        rounds: 1,
        round: Duration::from_millis(100),
        warm_up: Duration::from_millis(10),
        races: 1,
        published: Duration::ZERO,
    };
}

/// Measure.
///
/// # Errors
/// If something does not start, or answers what it should not.
pub(crate) async fn run(scale: Scale, service: bool, proxy: bool) -> Result<Report> {
    let since = Instant::now();
    let identity = Identity::serve().await?;
    let options =
        StackOptions { settings: identity.settings(), data_only: true, ..StackOptions::default() };
    let stack = Stack::start(options).await?;
    let info = stack.info();
    let mut report = Report {
        machine: Machine::here(),
        sessions: scale.people * scale.sessions_each,
        people: scale.people,
        rows: Vec::new(),
        races: Vec::new(),
        storage: None,
        memory: None,
        took: 0,
    };
    if service {
        measure(&mut report, scale, info)
            .await
            .with_context(|| format!("the logs are in {}", info.folder.display()))?;
    }
    if proxy {
        report.rows.extend(database(scale, info).await?);
        let port = database::proxy_port(info)?;
        report.memory = Some(memory::measure(port, &Batches::notes(info)).await?);
    }
    report.took = since.elapsed().as_secs();
    Ok(report)
}

async fn measure(report: &mut Report, scale: Scale, info: &StackInfo) -> Result<()> {
    let server = Server::start(info).await?;
    let ports = server.ports;
    say("workerd serves");
    let heralds = herald(info, ports).await?;
    let since = Instant::now();
    let sign_ins = identity::sign_in("person", scale.people, scale.sessions_each)?;
    tokio::time::sleep(scale.published.saturating_sub(since.elapsed())).await;
    say("people have signed in");
    let sessions = product::seed(ports.gateway, &sign_ins).await?;
    say("their sessions are there");
    let memory = Grants::seed(ports.peer_memory, scale.peer_grants).await?;
    let simulated = Grants::seed(ports.peer_simulated, scale.peer_grants).await?;
    say("so are the peer's grants");

    let peers = [&memory, &simulated];
    let mut subjects = subjects::all(info, ports, &sessions, peers, scale.people).await?;
    rounds(&mut subjects, scale).await?;

    let ours = races(scale, &product::Holder, ports.gateway, &sessions).await?;
    let theirs = races(scale, &*memory, ports.peer_memory, &memory.pool).await?;
    let simulated = races(scale, &*simulated, ports.peer_simulated, &simulated.pool).await?;
    report.races.extend([
        ("Atoms Edge".to_owned(), ours),
        ("peer, KV in memory".to_owned(), theirs),
        ("peer, wrangler's KV".to_owned(), simulated),
    ]);
    report.storage = Some(Storage { sessions: report.sessions + heralds, ..storage(&server)? });
    let mut revocation = [subjects::revocation(ports, &sessions)];
    rounds(&mut revocation, scale).await?;
    subjects.extend(revocation);
    let samples: Vec<_> = subjects.iter().map(|subject| (subject.name, &subject.sample)).collect();
    report.rows = Row::all(&samples);
    Ok(())
}

/// Asks in edge mode about sessions that nobody will use: the first question about a session of each
/// part of the snapshot has that part published from then on. Answers how many there are.
async fn herald(info: &StackInfo, ports: Ports) -> Result<usize> {
    let Some(port) = ports.edge else { return Ok(0) };
    // By chance, each part gets one of so many.
    let sign_ins = identity::sign_in("herald", 64, 1)?;
    let sessions = product::seed(ports.gateway, &sign_ins).await?;
    let load = Introspect::new(info, &sessions)?;
    let mut link = Link::to(port).await?;
    for turn in 0..sign_ins.len() {
        load.next(turn % CONNECTIONS, &mut link).await?;
    }
    Ok(sign_ins.len())
}

/// All of them in every round: what else the machine does then, it does to all.
async fn rounds(subjects: &mut [Subject], scale: Scale) -> Result<()> {
    for subject in subjects.iter_mut() {
        subject.warm_up(scale.warm_up).await?;
    }
    for number in 1..=scale.rounds {
        for subject in subjects.iter_mut() {
            subject.measure(scale.round).await?;
        }
        say(&format!("round {number} of {}", scale.rounds));
    }
    Ok(())
}

/// With a session of a different connection's each time.
async fn races(
    scale: Scale,
    service: &impl Rotates,
    port: u16,
    sessions: &Pool,
) -> Result<Vec<Race>> {
    let mut ended = Vec::new();
    for lane in 0..scale.races {
        let session = sessions.take(lane).context("no session is left to race for")?;
        ended.push(race(service, port, &session).await?);
    }
    Ok(ended)
}

async fn database(scale: Scale, info: &StackInfo) -> Result<Vec<Row>> {
    let port = database::proxy_port(info)?;
    database::prepare(info).await?;
    let has_pgbench = pgbench::is_here().await;
    let loads = [Batches::single(info), Batches::transaction(info), Batches::notes(info)];
    let mut samples: [Sample; 7] = Default::default();
    for _ in 0..scale.rounds {
        let [one, one_proxy, person, person_proxy, simple, prepared, notes_proxy] = &mut samples;
        database::direct(one, info, scale.round, false).await?;
        round(one_proxy, port, scale.round, &loads[0]).await?;
        database::direct(person, info, scale.round, true).await?;
        round(person_proxy, port, scale.round, &loads[1]).await?;
        if has_pgbench {
            pgbench::round(simple, info, scale.round, Mode::Simple).await?;
            pgbench::round(prepared, info, scale.round, Mode::Prepared).await?;
        }
        round(notes_proxy, port, scale.round, &loads[2]).await?;
    }
    say("the database is measured");
    let pairs = database::NAMES.into_iter().zip(&samples);
    let measured: Vec<_> = pairs.filter(|(_, sample)| !sample.rates.is_empty()).collect();
    Ok(Row::all(&measured))
}

fn storage(server: &Server) -> Result<Storage> {
    let mut command = Command::new(layout::npm_program("node"));
    command
        .arg("--no-warnings")
        .arg(layout::root().join("tests/bench/workers/ledgers.mjs"))
        .arg(&server.ledgers);
    let output = command.output()?;
    let problem = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the ledgers cannot be read: {problem}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// On the error stream: the output stream is for results.
fn say(text: &str) {
    eprintln!("  {text}");
}
