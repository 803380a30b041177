use anyhow::Result;
use e2e::client::{REFRESH, REVOKE};
use e2e::{Person, Session, World};
use futures::future::{join_all, try_join_all};

const PARALLEL: usize = 50;
const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn f10_parallel_refreshes_converge_on_one_successor() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    for round in 0..ROUNDS {
        let session = person.session("atoms-web").await?;
        let all = parallel(&world, &session).await?;
        let successor = &all[0];
        for other in &all {
            assert_eq!(other.refresh, successor.refresh, "round {round}");
            assert_eq!(other.access, successor.access, "round {round}");
        }
        assert_ne!(successor.refresh, session.refresh);
        successor.refreshed(&world.api).await?;
        // Each round frees its session, so that none is evicted.
        world.api.revoke(&session.client, &session.refresh, &[]).await?.expect(200, "revoke")?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_a_burst_within_the_grace_of_another_converges_too() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-cli").await?;
    let first = parallel(&world, &session).await?;
    let second = parallel(&world, &session).await?;
    assert_eq!(first[0].refresh, second[0].refresh);
    let third = parallel(&world, &first[0]).await?;
    assert!(third.iter().all(|one| one.refresh == third[0].refresh));
    assert_ne!(third[0].refresh, first[0].refresh);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_exchanges_of_one_sign_in_make_one_session() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    let exchanges =
        (0..PARALLEL).map(|_| person.session_of("atoms-web", &authkit.access_token, &[]));
    let all: Vec<Session> = try_join_all(exchanges).await?;
    for other in &all {
        assert_eq!(other.refresh, all[0].refresh);
        assert_eq!(other.access, all[0].access);
    }
    let listed = world.api.sessions(&all[0].access).await?.expect(200, "sessions")?;
    assert_eq!(listed.body["sessions"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_sign_ins_never_exceed_the_limit() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let all = try_join_all((0..15).map(|_| person.session("atoms-web"))).await?;
    let states = try_join_all(all.iter().map(|session| world.is_active(&session.access))).await?;
    assert_eq!(states.iter().filter(|active| **active).count(), 10);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_in_the_middle_of_refreshes_wins() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let fields = [("client_id", "atoms-web"), ("refresh_token", session.refresh.as_str())];
    let revocation = [("client_id", "atoms-web"), ("token", session.refresh.as_str())];
    let refreshes = join_all((0..PARALLEL).map(|_| world.api.form(REFRESH, &fields)));
    let (refreshes, revoked) = futures::join!(refreshes, world.api.form(REVOKE, &revocation));
    revoked?.expect(200, "revoke")?;
    for answer in refreshes {
        let answer = answer?;
        match answer.status {
            200 => {
                let late = session.then(answer)?;
                assert!(!world.is_active(&late.access).await?, "a token outlived the revocation");
            }
            _ => assert_eq!((answer.status, answer.error()), (400, "invalid_grant")),
        }
    }
    Ok(())
}

async fn parallel(world: &World, session: &Session) -> Result<Vec<Session>> {
    try_join_all((0..PARALLEL).map(|_| session.refreshed(&world.api))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_do_not_wait_for_each_other() -> Result<()> {
    let world = World::attach()?;
    let people: Vec<Person> = try_join_all((0..8).map(|_| world.person())).await?;
    let sessions = try_join_all(people.iter().map(|person| person.session("atoms-web"))).await?;
    let all = try_join_all(sessions.iter().map(|session| session.refreshed(&world.api))).await?;
    let mut ids: Vec<String> = all.iter().map(Session::id).collect::<Result<_>>()?;
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    Ok(())
}
