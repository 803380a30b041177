use std::time::Duration;

use futures::executor::block_on;
use ledger::{
    Actor, Address, AuditLevel, Command, Envelope, Limits, Link, Origin, Outcome, Policy,
};
use stores::KvLedgers;
use testing::{KvLocation, NOW};

use crate::obstacles::sign_in;

async fn run(location: &KvLocation, address: Address, command: Command) -> Outcome {
    let policy = Policy { limits: Limits::off(), audit: AuditLevel::All, ..Policy::default() };
    let origin = Origin { actor: Actor::Service, ..Origin::default() };
    let envelope = Envelope { command, policy, origin };
    KvLedgers::new(location, location).apply(&address, &envelope).await.unwrap().outcome
}

#[test]
fn ledgers_with_events_are_due_until_these_were_delivered() {
    block_on(async {
        let [location] = KvLocation::several(NOW);
        let ledgers = KvLedgers::new(&location, &location);
        let addresses: Vec<_> = (1..=5).map(|name| Address::from_bytes([name; 16])).collect();
        for address in &addresses {
            for _ in 0..4 {
                run(&location, *address, sign_in()).await;
            }
        }
        assert_eq!(ledgers.due(100).await.unwrap(), addresses);
        assert_eq!(ledgers.due(2).await.unwrap(), addresses[..2]);
        let Outcome::Outbox(delivery) =
            run(&location, addresses[0], Command::Outbox { limit: 3 }).await
        else {
            panic!("a delivery")
        };
        assert_eq!((delivery.owner.as_deref(), delivery.events.len()), (Some("user"), 3));
        assert_eq!(delivery.more, 1);
        for one in &delivery.events {
            assert_eq!((one.prev, one.hash), (Link::default(), one.prev.then(&one.event)));
        }
        let events = delivery.events.iter().map(|one| (one.event.id, one.hash)).collect();
        let acknowledged = run(&location, addresses[0], Command::AckEvents { events }).await;
        assert_eq!(acknowledged, Outcome::Acknowledged { events: 3, pending: 1 });
        assert_eq!(ledgers.due(100).await.unwrap(), addresses, "one is left");
    });
}

#[test]
fn acknowledged_by_the_last_number_only_what_everybody_has_seen_is_forgotten() {
    block_on(async {
        let [location] = KvLocation::several(NOW);
        let address = Address::from_bytes([1; 16]);
        run(&location, address, sign_in()).await;
        location.advance(Duration::from_secs(601));
        run(&location, address, sign_in()).await;
        let last = Command::AckOutbox { up_to: u64::MAX, hash: Link::default() };
        let acknowledged = run(&location, address, last).await;
        assert_eq!(acknowledged, Outcome::Acknowledged { events: 1, pending: 1 });
    });
}
