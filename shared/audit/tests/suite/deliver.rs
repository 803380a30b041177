use audit::{Delivered, DeliveryError};
use futures::executor::block_on;
use futures::future::join_all;
use ledger::Command;
use ports::SqlError;
use proptest::prelude::*;
use testing::{Dependency, Fault};

use crate::fake::{Scene, Trouble, address};

#[test]
fn what_is_delivered_is_forgotten_and_nothing_else() {
    let scene = Scene::new();
    scene.events(1, 5);
    scene.events(2, 1);
    let some = block_on(scene.deliver_some(1, 3));
    assert_eq!(some, Ok(Delivered { events: 3, pending: 2 }));
    assert_eq!(scene.numbers(1), [1, 2, 3]);
    assert_eq!(scene.deliver(1), Ok(Delivered { events: 2, pending: 0 }));
    assert_eq!(scene.deliver(1), Ok(Delivered { events: 0, pending: 0 }));
    assert_eq!((scene.numbers(1), scene.numbers(2)), (vec![1, 2, 3, 4, 5], vec![]));
    let head = scene.trail.heads.borrow()[&address(1).to_string()].clone();
    let ledger = scene.platform.ledger(&address(1)).unwrap();
    assert_eq!((head.number, head.hash), (5, ledger.outbox.head.to_string()));
    let row = scene.trail.rows().remove(0);
    assert_eq!(row.subject.as_deref(), Some("user_1"));
    assert_eq!(scene.report(vec![], vec![]).findings, []);
}

#[test]
fn while_postgres_is_away_nothing_is_lost() {
    let scene = Scene::new();
    scene.events(1, 2);
    scene.trail.fail(Trouble::Away, 3);
    for _ in 0..3 {
        scene.events(1, 1);
        assert!(matches!(scene.deliver(1), Err(DeliveryError::Sql(SqlError::Unavailable(_)))));
    }
    assert_eq!(scene.numbers(1), [0; 0]);
    assert_eq!(scene.deliver(1), Ok(Delivered { events: 5, pending: 0 }));
    assert_eq!(scene.numbers(1), [1, 2, 3, 4, 5]);
}

#[test]
fn an_answer_that_got_lost_is_no_second_event() {
    let scene = Scene::new();
    scene.events(1, 3);
    scene.trail.fail(Trouble::AnswerLost, 1);
    assert!(scene.deliver(1).is_err());
    assert_eq!(scene.numbers(1), [1, 2, 3]);
    assert_eq!(scene.deliver(1), Ok(Delivered { events: 3, pending: 0 }));
    assert_eq!((scene.numbers(1), scene.trail.repeated.get()), (vec![1, 2, 3], 3));
    assert_eq!(scene.report(vec![], vec![]).findings, []);
}

#[test]
fn an_acknowledgement_that_got_lost_is_no_lost_event() {
    for (fault, pending) in [(Fault::Away, 2), (Fault::AnswerLost, 0)] {
        let scene = Scene::new();
        scene.events(1, 2);
        // The second call of the delivery is the acknowledgement.
        let outcome = block_on(async {
            let delivery = scene.deliver_some(1, 100);
            let fail = async {
                while scene.trail.events.borrow().is_empty() {
                    testing::yield_once().await;
                }
                scene.platform.fail_times(Dependency::Ledger, fault, 1);
            };
            futures::join!(delivery, fail).0
        });
        assert!(matches!(outcome, Err(DeliveryError::Ledger(_))), "{outcome:?}");
        let left = scene.platform.ledger(&address(1)).unwrap().outbox.events.len();
        assert_eq!(left, pending);
        scene.events(1, 1);
        scene.deliver(1).unwrap();
        assert_eq!(scene.numbers(1), [1, 2, 3]);
    }
}

#[test]
fn two_who_deliver_at_once_store_each_event_once() {
    let scene = Scene::new();
    scene.events(1, 9);
    block_on(async {
        let both = join_all([scene.deliver_some(1, 4), scene.deliver_some(1, 7)]).await;
        assert!(both.iter().all(Result::is_ok), "{both:?}");
        while scene.deliver_some(1, 100).await.unwrap().pending > 0 {}
    });
    assert_eq!(scene.numbers(1), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(scene.report(vec![], vec![]).findings, []);
}

#[test]
fn events_that_a_store_numbers_again_are_delivered_too() {
    let scene = Scene::new();
    scene.events(1, 2);
    let backup = scene.platform.ledger(&address(1)).unwrap();
    scene.events(1, 2);
    scene.deliver(1).unwrap();
    scene.platform.restore_ledger(address(1), backup);
    scene.events(1, 1);
    scene.deliver(1).unwrap();
    assert_eq!(scene.numbers(1), [1, 2, 3, 3, 4]);
    let report = scene.report(vec![], vec![]);
    assert_eq!((report.forks.len(), report.findings.len()), (1, 0));
    scene.events(1, 2);
    scene.deliver(1).unwrap();
    assert_eq!(scene.numbers(1), [1, 2, 3, 3, 4, 4, 5]);
    assert_eq!(scene.report(vec![], vec![]).findings, []);
}

#[derive(Debug, Clone)]
enum Happening {
    SignIn,
    RevokeAll,
    Deliver(u32),
    Twice(u32),
    Away(u32),
    AnswerLost,
    LedgerAnswerLost,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => Just(Happening::SignIn),
        1 => Just(Happening::RevokeAll),
        3 => (1..6_u32).prop_map(Happening::Deliver),
        2 => (1..6_u32).prop_map(Happening::Twice),
        1 => (1..4_u32).prop_map(Happening::Away),
        1 => Just(Happening::AnswerLost),
        1 => Just(Happening::LedgerAnswerLost),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever fails, in the end every event is stored once, and the chain holds.
    #[test]
    fn every_event_is_delivered_exactly_once(
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let scene = Scene::new();
        block_on(async {
            for happening in happenings {
                match happening {
                    Happening::SignIn => drop(scene.sign_in(1).await),
                    Happening::RevokeAll => {
                        let command = Command::RevokeAll { except: None, reason: None };
                        scene.execute(1, command).await;
                    }
                    Happening::Deliver(limit) => drop(scene.deliver_some(1, limit).await),
                    Happening::Twice(limit) => {
                        let both = [scene.deliver_some(1, limit), scene.deliver_some(1, 3)];
                        drop(join_all(both).await);
                    }
                    Happening::Away(times) => scene.trail.fail(Trouble::Away, times),
                    Happening::AnswerLost => scene.trail.fail(Trouble::AnswerLost, 1),
                    Happening::LedgerAnswerLost => {
                        scene.platform.fail_times(Dependency::Ledger, Fault::AnswerLost, 1);
                        drop(scene.deliver_some(1, 2).await);
                        scene.platform.heal(Dependency::Ledger);
                    }
                }
            }
            scene.trail.fail(Trouble::Away, 0);
            while scene.deliver_some(1, 5).await.unwrap().pending > 0 {}
        });
        let told = u64::try_from(scene.platform.audit().len()).unwrap();
        prop_assert_eq!(scene.numbers(1), (1..=told).collect::<Vec<_>>());
        let report = scene.report(vec![], vec![]);
        prop_assert_eq!(report.findings, vec![]);
        prop_assert_eq!(report.events, told);
    }
}
