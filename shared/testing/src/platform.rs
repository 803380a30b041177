use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use ports::{
    AtMost, Clock, Config, Fetch, FetchError, Log, Millis, PrivateKey, PublicKey, Random, Request,
    Response, SignatureError, Signatures, Timer,
};

use crate::faults::{Dependency, Fault, Faults};
use crate::stores::Stores;

/// A whole host in memory. Its clock stands still unless a test moves it, its randomness is the
/// same in every run, and each dependency can be made to fail. Every asynchronous call gives way
/// to other futures, so that interleavings happen.
pub struct FakePlatform {
    now: Rc<Cell<Millis>>,
    random: Cell<u64>,
    settings: RefCell<BTreeMap<String, String>>,
    lines: RefCell<Vec<String>>,
    routes: RefCell<Vec<Route>>,
    pub(crate) faults: Faults,
    pub(crate) stores: Stores,
}

#[derive(Clone)]
struct Route {
    url: String,
    dependency: Dependency,
    answer: Rc<dyn Fn(&Request) -> Response>,
}

impl FakePlatform {
    /// Without settings, routes or data.
    pub fn new(now: Millis) -> Self {
        Self {
            now: Rc::new(Cell::new(now)),
            random: Cell::new(1),
            settings: RefCell::default(),
            lines: RefCell::default(),
            routes: RefCell::default(),
            faults: Faults::default(),
            stores: Stores::default(),
        }
    }

    /// Move the clock forward.
    pub fn advance(&self, milliseconds: Millis) {
        self.now.set(self.now.get() + milliseconds);
    }

    /// Set the clock.
    pub fn set_now(&self, now: Millis) {
        self.now.set(now);
    }

    /// The clock, for fakes that stand outside of the host.
    pub(crate) fn clock(&self) -> Rc<Cell<Millis>> {
        Rc::clone(&self.now)
    }

    /// Begin another sequence of random bytes.
    pub fn seed(&self, seed: u64) {
        self.random.set(seed);
    }

    /// Set a setting; an empty value counts as absent.
    pub fn set(&self, name: &str, value: &str) {
        self.settings.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Remove a setting.
    pub fn unset(&self, name: &str) {
        self.settings.borrow_mut().remove(name);
    }

    /// The log so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Answer requests to exactly this URL.
    pub fn route(
        &self,
        url: &str,
        dependency: Dependency,
        answer: impl Fn(&Request) -> Response + 'static,
    ) {
        let route = Route { url: url.to_owned(), dependency, answer: Rc::new(answer) };
        self.routes.borrow_mut().push(route);
    }

    /// From now on a dependency fails.
    pub fn fail(&self, dependency: Dependency, fault: Fault) {
        self.faults.force(dependency, fault, None);
    }

    /// The next calls of a dependency fail.
    pub fn fail_times(&self, dependency: Dependency, fault: Fault, times: u32) {
        self.faults.force(dependency, fault, Some(times));
    }

    /// A dependency works again.
    pub fn heal(&self, dependency: Dependency) {
        self.faults.heal(dependency);
    }

    /// How often a dependency was called, whether or not it answered.
    pub fn calls(&self, dependency: Dependency) -> u32 {
        self.faults.calls(dependency)
    }
}

impl Clock for FakePlatform {
    fn now(&self) -> Millis {
        self.now.get()
    }
}

impl Timer for FakePlatform {
    /// Its clock stands still, so nobody ever waits long enough.
    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}

impl Signatures for FakePlatform {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, SignatureError> {
        Ok(oauth::software::verify(key, message, signature))
    }

    async fn sign(&self, key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(oauth::software::sign(key, message))
    }
}

impl Random for FakePlatform {
    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            // SplitMix64: short, and good enough to be unlike itself.
            let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.random.set(state);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (mixed >> 56) as u8;
        }
    }
}

impl Config for FakePlatform {
    fn get(&self, name: &str) -> Option<String> {
        self.settings.borrow().get(name).filter(|value| !value.is_empty()).cloned()
    }
}

impl Log for FakePlatform {
    fn line(&self, line: &str) {
        self.lines.borrow_mut().push(line.to_owned());
    }
}

impl Fetch for FakePlatform {
    async fn fetch(&self, request: Request, timeout: Duration) -> Result<Response, FetchError> {
        yield_once().await;
        let url = request.uri().to_string();
        let route = self.routes.borrow().iter().find(|route| route.url == url).cloned();
        let Some(route) = route else {
            return Err(FetchError::Connection(format!("nothing is at {url}")));
        };
        match self.faults.call(route.dependency) {
            None => {
                let response = (route.answer)(&request);
                match request.extensions().get::<AtMost>() {
                    Some(AtMost(limit)) if response.body().len() > *limit => {
                        Err(FetchError::TooLong(*limit))
                    }
                    _ => Ok(response),
                }
            }
            Some(Fault::Away) => Err(FetchError::Connection("connection refused".to_owned())),
            Some(Fault::Timeout) => {
                self.advance(timeout.as_millis().try_into().unwrap_or(Millis::MAX));
                Err(FetchError::Timeout(timeout))
            }
            Some(Fault::AnswerLost) => {
                (route.answer)(&request);
                Err(FetchError::Connection("connection reset".to_owned()))
            }
            Some(Fault::Answers(status, body)) => {
                let mut response = Response::new(body);
                *response.status_mut() = status;
                Ok(response)
            }
        }
    }
}

/// Lets every other future of the same task run once.
pub async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
