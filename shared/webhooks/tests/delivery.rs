//! From the queue in a ledger to endpoints, over the fake platform.
#![allow(clippy::unwrap_used, reason = "what does not hold must end the test")]

use std::cell::RefCell;
use std::rc::Rc;

use breaker::Breakers;
use bytes::Bytes;
use futures::executor::block_on;
use http::StatusCode;
use ledger::{
    Address, AuditKind, Command, CreateSession, Device, Envelope, Limits, Millis, Origin, Outcome,
    Policy, Signals, Subject,
};
use ports::{Clock as _, Ledgers as _, Request, Response};
use serde_json::Value;
use testing::{Dependency, FakePlatform, Fault, NOW};
use webhooks::{Secrets, Settings, deliver};

const ONE: &str = "https://one.example/hook";
const OTHER: &str = "https://other.example/hook";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const DAY: Millis = 24 * 60 * 60 * 1000;

/// Messages that an endpoint has taken: id and body.
type Taken = Rc<RefCell<Vec<(String, Value)>>>;

struct World {
    platform: FakePlatform,
    settings: Settings,
    breakers: Breakers,
    one: Taken,
    other: Taken,
}

fn header(request: &Request, name: &str) -> String {
    request.headers()[name].to_str().unwrap().to_owned()
}

/// An endpoint that takes what is signed for it, and only that.
fn take(request: &Request, now: Millis, taken: &Taken) -> Response {
    let id = header(request, "webhook-id");
    let at: u64 = header(request, "webhook-timestamp").parse().unwrap();
    assert!(now / 1000 - at <= 60, "the time of this attempt, but for what others took");
    let expected = Secrets::parse(SECRET).unwrap().sign(&id, at, request.body());
    assert_eq!(header(request, "webhook-signature"), expected);
    taken.borrow_mut().push((id, serde_json::from_slice(request.body()).unwrap()));
    Response::new(Bytes::new())
}

impl World {
    /// Two endpoints, which the faults of [`Dependency::Workos`] and [`Dependency::Sql`] are of.
    fn new() -> Rc<Self> {
        let settings = Settings::parse(
            "https://edge.example",
            &format!("{ONE},{OTHER}"),
            &format!("{SECRET},{SECRET}"),
        );
        let world = Rc::new(Self {
            platform: FakePlatform::new(NOW),
            settings: settings.unwrap(),
            breakers: Breakers::default(),
            one: Taken::default(),
            other: Taken::default(),
        });
        for (url, dependency) in [(ONE, Dependency::Workos), (OTHER, Dependency::Sql)] {
            let held = Rc::downgrade(&world);
            world.platform.route(url, dependency, move |request| {
                let world = held.upgrade().unwrap();
                let taken = if url == ONE { &world.one } else { &world.other };
                take(request, world.platform.now(), taken)
            });
        }
        world
    }

    fn execute(&self, command: Command) -> Outcome {
        let policy = Policy { webhooks: true, limits: Limits::off(), ..Policy::default() };
        let envelope = Envelope { command, policy, origin: Origin::default() };
        block_on(self.platform.execute(&address(), &envelope)).unwrap()
    }

    /// A person signs in and out.
    fn sign_out(&self) {
        let strings = |one: &str| vec![one.to_owned()];
        self.execute(Command::CreateSession(CreateSession {
            subject: Subject { id: "ada".to_owned(), organization: None, roles: Vec::new() },
            client_id: "atoms-web".to_owned(),
            scopes: strings("read"),
            scopes_by_default: false,
            resources: strings("https://edge.example"),
            resources_by_default: false,
            device: Device { label: "test".to_owned(), fingerprint: None },
            external_id: None,
            authenticated_at: self.platform.now(),
            key_id: 1,
            signals: Signals::default(),
            fresh_for: 0,
            code: None,
            proof: None,
            key: None,
        }));
        self.execute(Command::RevokeAll { except: None, reason: None });
    }

    /// What the owner of the ledger does when it is due.
    fn deliver(&self) {
        self.deliver_to(&self.settings);
    }

    fn deliver_to(&self, settings: &Settings) {
        let policy = Policy { webhooks: true, ..Policy::default() };
        block_on(deliver(&self.platform, settings, &self.breakers, async |command| {
            let envelope = Envelope { command, policy: policy.clone(), origin: Origin::default() };
            self.platform.execute(&address(), &envelope).await
        }))
        .unwrap();
    }

    fn next_due(&self) -> Option<Millis> {
        self.platform.ledger(&address()).unwrap().webhooks.next_due()
    }

    /// Deliver whenever something is due, until nothing is; how long that took.
    fn run(&self) -> Millis {
        let since = self.platform.now();
        while let Some(due) = self.next_due() {
            self.platform.set_now(due.max(self.platform.now()));
            self.deliver();
        }
        self.platform.now() - since
    }

    fn logged(&self, outcome: &str) -> usize {
        let lines = self.platform.lines();
        lines.iter().filter(|line| line.contains(&format!("\"outcome\":\"{outcome}\""))).count()
    }
}

fn address() -> Address {
    Address::from_bytes([1; 16])
}

#[test]
fn every_endpoint_is_told_once_with_a_valid_signature() {
    let world = World::new();
    world.sign_out();
    world.deliver();
    world.deliver();
    for taken in [&world.one, &world.other] {
        let taken = taken.borrow();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].1["type"], "session.revoked_all");
        assert_eq!(taken[0].1["data"]["user_id"], "ada");
    }
    assert_eq!(world.next_due(), None);
}

#[test]
fn an_endpoint_that_is_away_is_told_later_and_holds_up_no_other() {
    let world = World::new();
    for fault in [
        Fault::Away,
        Fault::Timeout,
        Fault::Answers(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
        Fault::Answers(StatusCode::NOT_FOUND, Bytes::new()),
        Fault::Answers(StatusCode::TEMPORARY_REDIRECT, Bytes::new()),
    ] {
        world.one.take();
        world.other.take();
        world.platform.fail(Dependency::Workos, fault.clone());
        world.sign_out();
        world.deliver();
        assert_eq!((world.one.borrow().len(), world.other.borrow().len()), (0, 1), "{fault:?}");
        world.platform.heal(Dependency::Workos);
        world.run();
        assert_eq!((world.one.borrow().len(), world.other.borrow().len()), (1, 1), "{fault:?}");
        assert_eq!(world.one.borrow()[0], world.other.borrow()[0], "the same message");
    }
}

#[test]
fn a_message_that_nobody_takes_is_given_up_after_more_than_a_day_and_the_trail_tells() {
    let world = World::new();
    world.platform.fail(Dependency::Workos, Fault::Away);
    world.sign_out();
    assert!(world.run() >= DAY);
    assert_eq!(world.one.borrow().len(), 0);
    assert_eq!(world.logged("webhook_given_up"), 1);
    let kinds: Vec<_> = world.platform.audit().iter().map(|event| event.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == AuditKind::WebhookFailed).count(), 1);
    world.platform.heal(Dependency::Workos);
    world.deliver();
    assert_eq!(world.one.borrow().len(), 0, "it is over");
}

#[test]
fn an_endpoint_that_is_gone_is_not_asked_again() {
    let world = World::new();
    let gone = Fault::Answers(StatusCode::GONE, Bytes::new());
    world.platform.fail_times(Dependency::Workos, gone, 1);
    world.sign_out();
    world.run();
    world.sign_out();
    world.run();
    assert_eq!(world.platform.calls(Dependency::Workos), 1);
    assert_eq!(world.other.borrow().len(), 2);
    assert_eq!(world.logged("webhook_gone"), 2, "each message says so");
}

#[test]
fn a_lost_answer_means_that_a_message_comes_twice_under_one_id() {
    let world = World::new();
    world.platform.fail_times(Dependency::Workos, Fault::AnswerLost, 1);
    world.sign_out();
    world.run();
    let taken = world.one.borrow();
    assert_eq!((taken.len(), &taken[0]), (2, &taken[1]));
}

#[test]
fn an_endpoint_that_hangs_is_left_alone_by_a_breaker() {
    let world = World::new();
    world.platform.fail(Dependency::Workos, Fault::Timeout);
    for _ in 0..12 {
        world.sign_out();
    }
    world.deliver();
    assert_eq!(world.platform.calls(Dependency::Workos), 3, "a few timeouts, and then none");
    assert_eq!(world.other.borrow().len(), 12);
    world.platform.heal(Dependency::Workos);
    world.run();
    assert_eq!(world.one.borrow().len(), 12, "and all are told in the end");
}

#[test]
fn a_message_of_an_endpoint_that_is_no_longer_configured_is_over() {
    let world = World::new();
    world.platform.fail(Dependency::Workos, Fault::Away);
    world.sign_out();
    world.deliver();
    world.platform.advance(DAY);
    world.deliver_to(&Settings::default());
    assert_eq!(world.next_due(), None);
    assert_eq!(world.logged("webhook_given_up"), 0);
}
