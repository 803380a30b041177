use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::main_job::{create_workspace, workspaces};
use e2e::{Api, Person, Session, World};
use futures::future::{try_join, try_join_all};
use stack::{InstalledSpin, Platform, Stack, StackOptions};

#[tokio::test]
async fn sessions_survive_a_crash() -> Result<()> {
    let mut stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    let kept = person.session("atoms-web").await?;
    let revoked = person.session("atoms-cli").await?;
    let withdrawn = person.session("atoms-cli").await?;
    let workspace = create_workspace(&world, &kept.access).await?;
    world.api.revoke(&withdrawn.client, &withdrawn.access, &[]).await?.expect(200, "revoke")?;
    world.api.revoke(&revoked.client, &revoked.refresh, &[]).await?.expect(200, "revoke")?;
    let successors = try_join_all((0..10).map(|_| kept.refreshed(&world.api))).await?;
    // What was answered is durable, even if the crash comes right behind the answer.
    stack.kill_functions();
    assert!(world.api.get("/health/live").await.is_err(), "the functions still answer");
    stack.start_functions().await?;

    let again = kept.refreshed(&world.api).await?;
    assert_eq!(again.refresh, successors[0].refresh);
    assert_eq!(again.access, successors[0].access);
    assert!(world.is_active(&again.access).await?);
    assert!(!world.is_active(&revoked.access).await?);
    assert!(!world.is_active(&withdrawn.access).await?);
    assert!(world.is_active(&withdrawn.refresh).await?);
    assert_eq!(workspaces(&world, &again.access).await?, [workspace]);
    let next = again.refreshed(&world.api).await?.refreshed(&world.api).await?;
    // The memory of what was replaced has survived, too.
    let replay = world.api.refresh(&kept.client, &kept.refresh, &[]).await?;
    assert_eq!((replay.status, replay.error()), (400, "invalid_grant"));
    assert!(!world.is_active(&next.access).await?);
    Ok(())
}

/// Clients that refresh at the same time, and how often each does.
const CLIENTS: usize = 25;
const REFRESHES: usize = 20;

/// A client between two refreshes.
struct Client {
    session: Session,
    answered: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_500_refreshes_loses_and_forks_no_session() -> Result<()> {
    a_kill_loses_and_forks_no_session(StackOptions::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_500_refreshes_on_redis_loses_and_forks_no_session() -> Result<()> {
    let store = match Platform::from_environment()? {
        Platform::Workers => "redis-rest",
        Platform::Spin => "redis",
    };
    let settings = vec![("LEDGER_STORE".to_owned(), store.to_owned())];
    a_kill_loses_and_forks_no_session(StackOptions { settings, ..StackOptions::default() }).await
}

async fn a_kill_loses_and_forks_no_session(options: StackOptions) -> Result<()> {
    let mut stack = Stack::start(options).await?;
    let world = World::of(stack.info())?;
    let (people, sessions) = clients(&world).await?;
    let total = Arc::new(AtomicUsize::new(0));
    let running: Vec<_> = sessions
        .into_iter()
        .map(|session| {
            let (api, total) = (world.api.clone(), Arc::clone(&total));
            tokio::spawn(async move { until_the_crash(&api, session, &total).await })
        })
        .collect();
    while total.load(Ordering::Relaxed) < CLIENTS * REFRESHES / 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stack.kill_functions();
    let mut clients = Vec::new();
    for client in running {
        clients.push(client.await?);
    }
    let answered: usize = clients.iter().map(|client| client.answered).sum();
    assert!(answered < CLIENTS * REFRESHES, "the crash came too late: {answered} answers");
    stack.start_functions().await?;

    // Whoever got an answer goes on with it; whoever got none uses the same token again.
    try_join_all(clients.iter_mut().map(|client| go_on(&world.api, client))).await?;
    none_is_lost(&world, &people, &clients).await
}

/// An instance that panics takes the requests with it that it is serving. Their clients repeat them.
#[tokio::test(flavor = "multi_thread")]
async fn instances_that_end_amid_500_refreshes_lose_and_fork_no_session() -> Result<()> {
    let mut stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    let (people, sessions) = clients(&world).await?;
    stack.end_instances_after(Some(Duration::from_millis(1500)));
    stack.start_functions().await?;
    let done = try_join_all(sessions.into_iter().map(|session| insist(&world.api, session)));
    let done = done.await?;
    stack.end_instances_after(None);
    stack.start_functions().await?;

    let unanswered: usize = done.iter().map(|(_, unanswered)| unanswered).sum();
    let ended = Platform::from_environment()? == Platform::Spin && InstalledSpin::find().is_none();
    assert_eq!(unanswered > 0, ended, "{unanswered} requests without an answer");
    let clients: Vec<_> = done.into_iter().map(|(client, _)| client).collect();
    none_is_lost(&world, &people, &clients).await
}

/// Refreshes as often as is asked for, and counts how often there was no answer.
async fn insist(api: &Api, session: Session) -> Result<(Client, usize)> {
    let mut client = Client { session, answered: 0 };
    let mut unanswered = 0;
    while client.answered < REFRESHES {
        let Client { session, answered } = &client;
        match api.refresh(&session.client, &session.refresh, &[]).await {
            Ok(answer) if answer.status < 500 => {
                let session = session.then(answer.expect(200, "refresh")?)?;
                client = Client { session, answered: answered + 1 };
            }
            _ => {
                unanswered += 1;
                ensure!(unanswered < 100, "there are no answers");
                // What has lost its caller may still be on its way to the ledger. Behind two rotations
                // more it would be what it looks like, so a client gives it time.
                crate::seconds(2.0).await;
            }
        }
    }
    Ok((client, unanswered))
}

async fn clients(world: &World) -> Result<(Vec<Person>, Vec<Session>)> {
    let people = try_join_all((0..5).map(|_| world.person())).await?;
    let sessions = people
        .iter()
        .flat_map(|person| (0..CLIENTS / people.len()).map(|_| person.session("atoms-web")));
    let sessions = try_join_all(sessions).await?;
    Ok((people, sessions))
}

/// All tokens are in force, and there are no other sessions than these.
async fn none_is_lost(world: &World, people: &[Person], clients: &[Client]) -> Result<()> {
    for client in clients {
        ensure!(world.is_active(&client.session.access).await?, "a session is lost");
    }
    for (person, clients) in people.iter().zip(clients.chunks(CLIENTS / people.len())) {
        let listed = world.api.sessions(&clients[0].session.access).await?.expect(200, "list")?;
        let listed = listed.body["sessions"].as_array().map(Vec::len);
        ensure!(listed == Some(clients.len()), "the sessions of {}", person.user.id);
    }
    Ok(())
}

/// Refreshes until the service is gone.
async fn until_the_crash(api: &Api, session: Session, total: &AtomicUsize) -> Client {
    let mut client = Client { session, answered: 0 };
    while client.answered < REFRESHES && client.refresh(api).await.is_ok() {
        total.fetch_add(1, Ordering::Relaxed);
    }
    client
}

/// The token whose answer was lost is used twice: two successors would be a fork.
async fn go_on(api: &Api, client: &mut Client) -> Result<()> {
    let (one, other) =
        try_join(client.session.refreshed(api), client.session.refreshed(api)).await?;
    ensure!(one.refresh == other.refresh, "the session has forked");
    while client.answered < REFRESHES {
        client.refresh(api).await?;
    }
    Ok(())
}

impl Client {
    async fn refresh(&mut self, api: &Api) -> Result<()> {
        self.session = self.session.refreshed(api).await?;
        self.answered += 1;
        Ok(())
    }
}
