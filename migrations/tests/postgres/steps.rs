//! Forward, back, check: whole, once, in order, and by one at a time.

use std::time::Duration;

use futures::future::join_all;
use migrations::{Connection, Error, Event, PlanError, Runner, Standing, Statement, is_complete};

use sqlx::Connection as _;

use crate::support::{By, Cluster, Scripts, both_ways, own};

both_ways!(
    there_and_back_and_there_again_is_the_same,
    a_second_time_changes_nothing,
    an_edited_script_is_refused,
    several_at_once_do_every_step_once,
    two_that_go_back_at_once_go_back_once,
    a_failing_step_leaves_nothing_behind,
    a_step_whose_check_objects_leaves_nothing_behind,
    steps_go_as_far_as_they_are_told,
    the_lock_of_another_is_waited_for,
    what_was_changed_by_hand_is_noticed_by_the_checks,
    clearing_leaves_nothing_whatever_was_there,
);

const COUNT: &str = "select count(*)::text from _sqlx_migrations";

async fn there_and_back_and_there_again_is_the_same(by: By) {
    let (cluster, own) = (Cluster::start(by).await, own());
    let mut way = cluster.connect().await;
    let mut runner = Runner::new(&mut way, &own);
    assert!(runner.status().await.unwrap().iter().all(|line| line.standing == Standing::Pending));
    assert_eq!(runner.up(None, |_| {}).await.unwrap(), own.iter().count());
    assert!(is_complete(&runner.status().await.unwrap()));
    let objections = runner.verify().await.unwrap();
    assert_eq!(objections.len(), own.iter().count());
    assert!(objections.iter().all(|(_, objection)| objection.is_none()), "{objections:?}");
    let first = cluster.catalogue().await;
    assert!(first.get("table app.workspaces policy user_read").is_some());

    let mut runner = Runner::new(&mut way, &own);
    let mut order = Vec::new();
    let count = runner.down(Some(0), |event| order.push(format!("{event:?}").contains("Reverted")));
    assert_eq!(count.await.unwrap(), own.iter().count());
    assert!(order.iter().all(|reverted| *reverted) && order.len() == own.iter().count());
    let left: Vec<_> = cluster.catalogue().await.iter().map(|(key, _)| key.to_owned()).collect();
    assert!(left.iter().all(|key| key.starts_with("role ")), "{left:?}");

    let mut runner = Runner::new(&mut way, &own);
    runner.up(None, |_| {}).await.unwrap();
    assert_eq!(first.compare(&cluster.catalogue().await), []);
}

async fn a_second_time_changes_nothing(by: By) {
    let (cluster, own) = (Cluster::migrated(by).await, own());
    let everything = "select string_agg(m::text, '') from _sqlx_migrations as m";
    let (record, catalogue) = (cluster.ask(everything).await, cluster.catalogue().await);
    let mut way = cluster.connect().await;
    let mut runner = Runner::new(&mut way, &own);
    assert!(runner.pending(None).await.unwrap().is_empty());
    let mut events = 0;
    assert_eq!(runner.up(None, |_| events += 1).await.unwrap(), 0);
    assert_eq!((events, cluster.ask(everything).await), (0, record));
    assert_eq!(catalogue.compare(&cluster.catalogue().await), []);
}

async fn an_edited_script_is_refused(by: By) {
    let cluster = Cluster::migrated(by).await;
    let scripts = Scripts::of_the_project();
    let (path, more) = (scripts.folder().join("0003_workspaces.up.sql"), "\n-- a word\n");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + more).unwrap();
    scripts.write("9999_more", "create table more ()", "drop table more", "");
    let edited = scripts.read();
    let mut way = cluster.connect().await;
    let mut runner = Runner::new(&mut way, &edited);
    let is_refusal = |error: &Error| matches!(error, Error::Plan(PlanError::Edited(name)) if name == "0003_workspaces");
    for error in [
        runner.up(None, |_| {}).await.unwrap_err(),
        runner.down(None, |_| {}).await.unwrap_err(),
        runner.verify().await.unwrap_err(),
    ] {
        assert!(is_refusal(&error), "{error}");
    }
    let lines = runner.status().await.unwrap();
    let edited: Vec<_> = lines.iter().filter(|line| line.standing == Standing::Edited).collect();
    assert_eq!((edited.len(), &*edited[0].name), (1, "0003_workspaces"));
    assert_eq!(cluster.ask("select to_regclass('more')::text").await, None);
}

async fn several_at_once_do_every_step_once(by: By) {
    let (cluster, own) = (Cluster::start(by).await, own());
    let runs = (0..4).map(|_| async {
        let mut way = cluster.connect().await;
        Runner::new(&mut way, &own).up(None, |_| {}).await.unwrap()
    });
    let counts = join_all(runs).await;
    let steps = own.iter().count();
    assert_eq!(counts.iter().sum::<usize>(), steps, "{counts:?}");
    assert_eq!(cluster.ask(COUNT).await, Some(steps.to_string()));
    let mut way = cluster.connect().await;
    let objections = Runner::new(&mut way, &own).verify().await.unwrap();
    assert!(objections.iter().all(|(_, objection)| objection.is_none()));
}

async fn two_that_go_back_at_once_go_back_once(by: By) {
    let (cluster, own) = (Cluster::migrated(by).await, own());
    let runs = (0..2).map(|_| async {
        let mut way = cluster.connect().await;
        Runner::new(&mut way, &own).down(None, |_| {}).await.unwrap()
    });
    let counts = join_all(runs).await;
    let left = cluster.ask(COUNT).await.unwrap().parse::<usize>().unwrap();
    assert_eq!(left + counts.iter().sum::<usize>(), own.iter().count());
    assert!(counts.iter().all(|count| *count <= 1), "{counts:?}");
}

async fn a_failing_step_leaves_nothing_behind(by: By) {
    let cluster = Cluster::start(by).await;
    let scripts = Scripts::new();
    scripts.write("0001_one", "create table one (); ", "drop table one;", "");
    let broken = "create table two ();\n\nselect\n  nothing from two;\ncreate table three ();";
    scripts.write("0002_two", broken, "drop table two;", "");
    let mut way = cluster.connect().await;
    let read = scripts.read();
    let error = Runner::new(&mut way, &read).up(None, |_| {}).await.unwrap_err().to_string();
    let place = match by {
        By::Session => "0002_two.up.sql:4: ",
        By::Proxy => "0002_two.up.sql: ",
    };
    assert!(error.starts_with(place) && error.contains("42703"), "{error}");
    assert_eq!(cluster.ask("select to_regclass('two')::text").await, None);
    assert_eq!(cluster.ask(COUNT).await.as_deref(), Some("1"));

    scripts.write("0002_two", "create table two ();", "drop table two; drop table nothing;", "");
    let read = scripts.read();
    assert_eq!(Runner::new(&mut way, &read).up(None, |_| {}).await.unwrap(), 1);
    let error = Runner::new(&mut way, &read).down(None, |_| {}).await.unwrap_err().to_string();
    assert!(error.starts_with("0002_two.down.sql") && error.contains("42P01"), "{error}");
    assert_eq!(cluster.ask("select to_regclass('two')::text").await.as_deref(), Some("two"));
    assert_eq!(cluster.ask(COUNT).await.as_deref(), Some("2"));
}

async fn a_step_whose_check_objects_leaves_nothing_behind(by: By) {
    let cluster = Cluster::start(by).await;
    let scripts = Scripts::new();
    let check =
        "do $$ begin if to_regclass('one') is not null then raise 'one is there'; end if; end $$";
    let mut way = cluster.connect().await;
    let writing = "insert into one values (1);";
    for (check, expected) in [(check, "one is there"), (writing, "read-only transaction")] {
        scripts.write("0001_one", "create table one (id int);", "drop table one;", check);
        let read = scripts.read();
        let error = Runner::new(&mut way, &read).up(None, |_| {}).await.unwrap_err().to_string();
        assert!(error.starts_with("verify/0001_one.sql") || matches!(by, By::Proxy), "{error}");
        assert!(error.contains(expected), "{error}");
        assert_eq!(cluster.ask("select to_regclass('one')::text").await, None);
        assert_eq!(cluster.ask("select to_regclass('_sqlx_migrations')::text").await, None);
    }
}

async fn steps_go_as_far_as_they_are_told(by: By) {
    let (cluster, own) = (Cluster::start(by).await, own());
    let versions: Vec<_> = own.iter().map(|step| step.version).collect();
    let mut way = cluster.connect().await;
    let mut runner = Runner::new(&mut way, &own);
    assert_eq!(runner.pending(Some(versions[2])).await.unwrap().len(), 3);
    let mut told = Vec::new();
    let tell = |event: &Event<'_>| match event {
        Event::Applied(step, _) | Event::Reverted(step, _) => told.push(step.version),
        Event::Waiting => {}
    };
    assert_eq!(runner.up(Some(versions[2]), tell).await.unwrap(), 3);
    assert_eq!(told, versions[..3]);
    assert_eq!(runner.revertible(None).await.unwrap()[0].version, versions[2]);
    assert_eq!(runner.down(Some(versions[0]), |_| {}).await.unwrap(), 2);
    let there = runner.status().await.unwrap();
    let there = there.iter().filter(|line| line.standing == Standing::Applied);
    assert_eq!(there.map(|line| line.version).collect::<Vec<_>>(), versions[..1]);
    let error = runner.up(Some(i64::MAX), |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::Plan(PlanError::NoSuchVersion(i64::MAX))), "{error}");
}

async fn the_lock_of_another_is_waited_for(by: By) {
    let (cluster, own) = (Cluster::start(by).await, own());
    // The key that sqlx derives from the name of the database, `atoms`.
    let mut other = sqlx::PgConnection::connect(&cluster.url()).await.unwrap();
    let key = 0x3d32_ad9e_i64 * i64::from(crc32fast::hash(b"atoms"));
    let take = format!("select pg_advisory_lock({key})");
    sqlx::raw_sql(sqlx::AssertSqlSafe(take)).execute(&mut other).await.unwrap();
    let mut way = cluster.connect().await;
    let mut waited = 0;
    let impatient = Runner::new(&mut way, &own).with_patience(Duration::from_millis(300));
    let error = { impatient }.up(None, |_| waited += 1).await.unwrap_err();
    assert!(matches!(error, Error::Busy(_)), "{error}");
    assert_eq!(waited, 1);
    let mut patient = Runner::new(&mut way, &own);
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sqlx::Connection::close(other).await.unwrap();
    };
    let (count, ()) = futures::join!(patient.up(None, |_| {}), release);
    assert_eq!(count.unwrap(), own.iter().count());
}

async fn what_was_changed_by_hand_is_noticed_by_the_checks(by: By) {
    let (cluster, own) = (Cluster::migrated(by).await, own());
    cluster.by_hand("alter table app.memberships no force row level security").await;
    let mut way = cluster.connect().await;
    let results = Runner::new(&mut way, &own).verify().await.unwrap();
    let mut objecting = results.iter().filter(|(_, objection)| objection.is_some());
    assert!(objecting.any(|(step, _)| step.name == "0002_tenancy"));
    cluster.by_hand("alter table app.memberships force row level security").await;
    let results = Runner::new(&mut way, &own).verify().await.unwrap();
    assert!(results.iter().all(|(_, objection)| objection.is_none()));
}

async fn clearing_leaves_nothing_whatever_was_there(by: By) {
    let cluster = Cluster::migrated(by).await;
    // Edited, and of another branch: the way back by scripts is gone.
    cluster
        .by_hand("update _sqlx_migrations set checksum = '\\x00', version = version + 5000")
        .await;
    cluster.by_hand("create table app.by_hand ()").await;
    let (own, mut way) = (own(), cluster.connect().await);
    cluster.by_hand("alter table app.by_hand owner to atoms_owner").await;
    let mut runner = Runner::new(&mut way, &own);
    runner.clear(|_| {}).await.unwrap();
    let left = cluster.catalogue().await;
    assert!(left.iter().all(|(key, _)| key.starts_with("role ")), "{left}");
    let mut runner = Runner::new(&mut way, &own);
    assert_eq!(runner.up(None, |_| {}).await.unwrap(), own.iter().count());
    let mut again = cluster.connect().await;
    let none =
        again.transaction(&[Statement::new("select to_regclass('app.by_hand')::text")]).await;
    assert_eq!(none.unwrap()[0][0], [None]);
}
