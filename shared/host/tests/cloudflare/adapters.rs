//! The ports of a Worker, by the contract suites and by what is peculiar to the platform.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use host::cloudflare::{Cloudflare, Namespace};
use http::Method;
use ledger::{Address, Answer, Command, Envelope, Origin, Outcome, Policy};
use ports::{
    AtMost, Clock, Fetch, FetchError, KeyPage, Kv, KvError, KvStore, Ledgers, Request, StatusOnly,
    Written,
};
use testing::contract::{self, LedgerStore};
use testing::{Dependency, FakePlatform, Fault, NOW};
use wasm_bindgen_test::wasm_bindgen_test;
use worker::Env;
use worker::js_sys::Promise;
use worker::wasm_bindgen::closure::Closure;
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::wasm_bindgen_futures::future_to_promise;

use crate::js::{Console, call, env, eval};

fn bare() -> Cloudflare {
    Cloudflare::new(env("{}"))
}

#[wasm_bindgen_test]
fn the_clock_is_a_clock() {
    contract::clock(&bare());
    let here = bare().now();
    let there = eval("Date.now()").as_f64().expect("a number") as u64;
    assert!(there.abs_diff(here) < 5000, "the time of the platform");
}

#[wasm_bindgen_test]
fn the_randomness_looks_random() {
    contract::random(&bare());
}

#[wasm_bindgen_test]
async fn webcrypto_signs_and_verifies() {
    contract::signatures(&bare()).await;
    // Once more, with the keys that the first round has left imported.
    contract::signatures(&bare()).await;
}

#[wasm_bindgen_test]
fn string_bindings_are_settings() {
    let env = env("{ NAME: 'value', EMPTY: '' }");
    contract::config(&Cloudflare::new(env), ("NAME", "value"), "EMPTY", "ABSENT");
}

#[wasm_bindgen_test]
fn bindings_of_other_kinds_are_no_settings() {
    let platform =
        Cloudflare::new(env("{ LEDGER: {}, NUMBER: 7, LIST: ['a'], NOTHING: undefined }"));
    for name in ["LEDGER", "NUMBER", "LIST", "NOTHING"] {
        assert_eq!(ports::Config::get(&platform, name), None, "{name}");
    }
}

#[wasm_bindgen_test]
fn the_log_is_a_log() {
    let console = Console::capture("log");
    contract::log(&bare(), || console.written());
}

/// A namespace of the shape of Workers KV.
const CACHE: &str = "{ CACHE: new (class KvNamespace {
    map = new Map();
    ttl = [];
    async get(key, options) {
        if (key.length === 0) throw new Error('key name cannot be empty');
        const value = this.map.get(key);
        if (value === undefined) return null;
        const type = typeof options === 'string' ? options : options?.type;
        return type === 'arrayBuffer' ? value.buffer.slice(0) : new TextDecoder().decode(value);
    }
    async getWithMetadata(key, options) { return { value: await this.get(key, options), metadata: null }; }
    async put(key, value, options) {
        if (options.expirationTtl < 60) throw new Error('Invalid expiration_ttl');
        this.ttl.push(options.expirationTtl);
        this.map.set(key, new Uint8Array(value));
    }
    async list() { return { keys: [], list_complete: true }; }
    async delete(key) { this.map.delete(key); }
})() }";

#[wasm_bindgen_test]
async fn workers_kv_is_a_cache() {
    contract::kv(&Cloudflare::new(env(CACHE)), "run").await;
}

/// The same with all that ledgers need: pages of three keys, and no second write within a second.
const NAMESPACE: &str = "{ LEDGER_KV: new (class KvNamespace {
    map = new Map();
    written = new Map();
    async get(key, options) {
        if (options.cacheTtl < 30) throw new Error('Invalid cache_ttl');
        return this.map.get(key)?.buffer.slice(0) ?? null;
    }
    async getWithMetadata(key, options) { return { value: await this.get(key, options), metadata: null }; }
    async put(key, value, options) {
        if (options.expirationTtl < 60) throw new Error('Invalid expiration_ttl');
        const now = Date.now();
        if (now - (this.written.get(key) ?? 0) < 1000) throw new Error('KV PUT failed: 429 Too Many Requests');
        this.written.set(key, now);
        this.map.set(key, new Uint8Array(value));
    }
    async list({ prefix, cursor }) {
        const all = [...this.map.keys()].filter((key) => key.startsWith(prefix)).sort();
        const rest = all.filter((key) => cursor === undefined || key > atob(cursor));
        const keys = rest.slice(0, 3).map((name) => ({ name }));
        if (rest.length <= 3) return { keys, list_complete: true, cacheStatus: null };
        return { keys, list_complete: false, cursor: btoa(keys.at(-1).name), cacheStatus: null };
    }
    async delete(key) { this.map.delete(key); }
})() }";

#[wasm_bindgen_test]
async fn workers_kv_is_a_store_of_keys() {
    let env = env(NAMESPACE);
    let namespace = Namespace::new(&env, "LEDGER_KV");
    let ttl = Duration::from_secs(60);
    assert_eq!(namespace.write("key", b"1", ttl).await, Ok(Written::Done));
    assert_eq!(namespace.write("key", b"2", ttl).await, Ok(Written::TooSoon));
    assert_eq!(namespace.get("key").await.expect("a read").as_deref(), Some(b"1".as_slice()));
    let kept = Namespace::new(&env, "NOTHING");
    assert!(kept.write("key", b"1", ttl).await.is_err(), "it is not bound");
    assert!(kept.list("", None).await.is_err() && kept.delete("key").await.is_err());
    contract::kv_store(&Patient(&namespace), "run", || async {}).await;
}

/// The suite of caches overwrites keys at once.
struct Patient<'n>(&'n Namespace<'n>);

impl Kv for Patient<'_> {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        self.0.get(key).await
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        self.write(key, value, ttl).await.map(drop)
    }
}

impl KvStore for Patient<'_> {
    async fn write(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Written, KvError> {
        self.0.write(key, value, ttl).await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.0.delete(key).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<KeyPage, KvError> {
        self.0.list(prefix, cursor).await
    }
}

#[wasm_bindgen_test]
async fn a_time_to_live_is_never_too_short_for_the_platform() {
    let env = env(CACHE);
    let platform = Cloudflare::new(env.clone());
    for seconds in [1, 60, 86_400] {
        platform.put("key", b"value", Duration::from_secs(seconds)).await.expect("a write");
    }
    let ttl = call("a.CACHE.ttl.join()", &[env.as_ref()]);
    assert_eq!(ttl.as_string().as_deref(), Some("60,60,86400"));
}

#[wasm_bindgen_test]
async fn a_cache_that_is_away_or_not_bound_is_an_error() {
    let broken = "{ CACHE: { get: async () => { throw new Error('away') },
        getWithMetadata: async () => { throw new Error('away') },
        put: async () => { throw new Error('away') }, list() {}, delete() {} } }";
    for bindings in ["{}", broken] {
        let platform = Cloudflare::new(env(bindings));
        assert!(platform.get("key").await.is_err(), "{bindings}");
        let put = platform.put("key", b"value", Duration::from_secs(60)).await;
        assert!(put.is_err(), "{bindings}");
    }
}

/// An object for each.
const OBJECTS: &str =
    "{ LEDGER_STORE: 'durable-object', LEDGER: new (class DurableObjectNamespace {
    getByName(name) {
        return { fetch: async (...given) => {
            const request = new Request(...given);
            if (request.method !== 'POST') return new Response('method', { status: 405 });
            try { return new Response(await a(name, await request.text())); }
            catch (error) { return new Response(String(error), { status: 500 }); }
        } };
    }
})() }";

/// One function for all of them.
const FUNCTION: &str = "{ LEDGER_STORE: 'postgres', LEDGERS: new (class Fetcher {
    async fetch(...given) {
        const request = new Request(...given);
        if (request.method !== 'POST') return new Response('method', { status: 405 });
        const name = new URL(request.url).pathname.slice(1);
        try { return new Response(await a(name, await request.text())); }
        catch (error) { return new Response(String(error), { status: 503 }); }
    }
})() }";

/// Owners of the right shape, whose ledgers are those of the fake platform.
struct Owners {
    host: Host,
    next: Cell<u8>,
    _answer: Closure<dyn FnMut(String, String) -> Promise>,
}

/// The ledgers through the adapter, on the clock by which the owners judge.
struct Host {
    cloudflare: Cloudflare,
    memory: Rc<FakePlatform>,
}

impl Clock for Host {
    fn now(&self) -> u64 {
        self.memory.now()
    }
}

impl Ledgers for Host {
    async fn ask(
        &self,
        address: &Address,
        envelope: &Envelope,
    ) -> Result<Answer, ports::LedgerError> {
        match envelope.command {
            // What the owner asks of itself never crosses the adapter, which reads no answers to it.
            Command::Sweep
            | Command::Outbox { .. }
            | Command::AckOutbox { .. }
            | Command::ClaimWebhooks { .. }
            | Command::SettleWebhook { .. } => self.memory.ask(address, envelope).await,
            _ => self.cloudflare.ask(address, envelope).await,
        }
    }
}

impl Owners {
    fn new(bindings: &str) -> Self {
        let memory = Rc::new(FakePlatform::new(NOW));
        let served = Rc::clone(&memory);
        let answer = Closure::new(move |name: String, body: String| {
            let memory = Rc::clone(&served);
            future_to_promise(async move {
                let address = name.parse().map_err(|_| JsValue::from("no address"))?;
                let envelope: Envelope =
                    serde_json::from_str(&body).map_err(|error| error.to_string())?;
                let answer = memory.ask(&address, &envelope).await;
                let answer = answer.map_err(|error| error.to_string())?;
                Ok(serde_json::to_string(&answer).map_err(|error| error.to_string())?.into())
            })
        });
        let env: Env = call(bindings, &[answer.as_ref()]).unchecked_into();
        let host = Host { cloudflare: Cloudflare::new(env), memory };
        Self { host, next: Cell::new(0), _answer: answer }
    }
}

impl LedgerStore for Owners {
    type Host = Host;

    fn host(&self) -> &Host {
        &self.host
    }

    fn fresh_address(&self) -> Address {
        self.next.set(self.next.get() + 1);
        Address::from_bytes([self.next.get(); 16])
    }

    async fn wait(&self, time: Duration) {
        self.host.memory.advance(time.as_millis() as u64);
    }
}

fn list() -> Envelope {
    Envelope { command: Command::List, policy: Policy::default(), origin: Origin::default() }
}

#[wasm_bindgen_test]
async fn durable_objects_are_ledgers() {
    contract::ledgers(&Owners::new(OBJECTS)).await;
}

#[wasm_bindgen_test]
async fn the_ledgers_of_another_store_are_reached_through_their_function() {
    contract::ledgers(&Owners::new(FUNCTION)).await;
}

#[wasm_bindgen_test]
async fn without_a_store_that_workers_offer_no_owner_is_asked() {
    for store in ["undefined", "''", "'sqlite'", "'durable_object'"] {
        let bindings = OBJECTS.replace("'durable-object'", store);
        let owners = Owners::new(&bindings);
        let outcome = owners.host.execute(&owners.fresh_address(), &list()).await;
        let error = outcome.expect_err("no store").to_string();
        assert!(error.contains("LEDGER_STORE"), "{error}");
        assert_eq!(owners.host.memory.calls(Dependency::Ledger), 0);
    }
}

#[wasm_bindgen_test]
async fn a_ledger_is_asked_once_more_and_no_more() {
    let objects = Owners::new(OBJECTS);
    let memory = &objects.host.memory;
    let address = objects.fresh_address();
    memory.fail_times(Dependency::Ledger, Fault::Away, 1);
    assert_eq!(objects.host.execute(&address, &list()).await, Ok(Outcome::Sessions(vec![])));
    assert_eq!(memory.calls(Dependency::Ledger), 2);
    memory.fail(Dependency::Ledger, Fault::Away);
    let error = objects.host.execute(&address, &list()).await.expect_err("it is away");
    assert!(error.to_string().contains("away"), "{error}");
    assert_eq!(memory.calls(Dependency::Ledger), 4);
}

#[wasm_bindgen_test]
async fn a_ledger_that_is_not_bound_or_speaks_nonsense_is_an_error() {
    let nonsense = "{ LEDGER_STORE: 'durable-object', LEDGER: new (class DurableObjectNamespace {
        getByName() { return { fetch: async () => new Response('<html>') }; }
    })() }";
    let throwing = "{ LEDGER_STORE: 'durable-object', LEDGER: new (class DurableObjectNamespace {
        getByName() { throw new Error('no such object'); }
    })() }";
    let text = "{ LEDGER_STORE: 'durable-object', LEDGER: 'text' }";
    let unbound = ["{ LEDGER_STORE: 'durable-object' }", "{ LEDGER_STORE: 'redis-rest' }"];
    for bindings in unbound.into_iter().chain([text, nonsense, throwing]) {
        let platform = Cloudflare::new(env(bindings));
        let outcome = platform.execute(&Address::from_bytes([1; 16]), &list()).await;
        assert!(outcome.is_err(), "{bindings}");
    }
}

/// Replaces the global `fetch` until it is dropped.
struct Network(JsValue);

impl Network {
    fn of(fetch: &str) -> Self {
        let original = eval("globalThis.fetch");
        call(&format!("globalThis.fetch = {fetch}"), &[]);
        Self(original)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        call("globalThis.fetch = a", &[&self.0]);
    }
}

fn outbound(method: Method, body: &'static [u8]) -> Request {
    http::Request::builder()
        .method(method)
        .uri("https://elsewhere.example/path?a=b")
        .header("x-one", "1")
        .header("content-type", "application/json")
        .body(Bytes::from_static(body))
        .expect("a request")
}

const LONG: Duration = Duration::from_secs(5);

#[wasm_bindgen_test]
async fn a_request_goes_out_as_it_is_and_redirects_are_not_followed() {
    let _network = Network::of(
        "async (r) => new Response([r.method, r.url, r.redirect, r.headers.get('x-one'),
            await r.text()].join(' '), { status: 207, headers: { 'x-answer': 'yes' } })",
    );
    let answer = bare().fetch(outbound(Method::POST, b"{\"k\":1}"), LONG).await.expect("an answer");
    assert_eq!(answer.status(), 207);
    assert_eq!(answer.headers()["x-answer"], "yes");
    let expected = "POST https://elsewhere.example/path?a=b manual 1 {\"k\":1}";
    assert_eq!(answer.body().as_ref(), expected.as_bytes());
    let answer = bare().fetch(outbound(Method::GET, b""), LONG).await.expect("an answer");
    assert!(answer.body().starts_with(b"GET "), "{answer:?}");
}

#[wasm_bindgen_test]
async fn a_broken_connection_is_told_as_one() {
    let _network = Network::of("async () => { throw new TypeError('fetch failed'); }");
    let outcome = bare().fetch(outbound(Method::GET, b""), LONG).await;
    assert!(matches!(outcome, Err(FetchError::Connection(_))), "{outcome:?}");
}

#[wasm_bindgen_test]
async fn a_body_that_breaks_off_is_told_as_a_broken_connection() {
    let _network = Network::of(
        "async () => new Response(new ReadableStream({ pull(c) { c.error(new Error('reset')); } }))",
    );
    let outcome = bare().fetch(outbound(Method::GET, b""), LONG).await;
    assert!(matches!(outcome, Err(FetchError::Connection(_))), "{outcome:?}");
}

#[wasm_bindgen_test]
async fn what_takes_too_long_is_given_up() {
    let _network = Network::of(
        "(r, init) => new Promise((_, reject) => {
            const signal = init?.signal ?? r.signal;
            signal.addEventListener('abort', () => { globalThis.gaveUp = true; reject(signal.reason); });
        })",
    );
    let timeout = Duration::from_millis(30);
    let outcome = bare().fetch(outbound(Method::GET, b""), timeout).await;
    assert_eq!(outcome.map(drop), Err(FetchError::Timeout(timeout)));
    assert_eq!(eval("globalThis.gaveUp"), JsValue::TRUE, "and the platform is told");
}

#[wasm_bindgen_test]
async fn a_slow_body_counts_too() {
    let _network = Network::of("async () => new Response(new ReadableStream({}))");
    let timeout = Duration::from_millis(30);
    let outcome = bare().fetch(outbound(Method::GET, b""), timeout).await;
    assert_eq!(outcome.map(drop), Err(FetchError::Timeout(timeout)));
}

#[wasm_bindgen_test]
async fn a_body_of_no_interest_is_neither_read_nor_waited_for() {
    let _network = Network::of(
        "async (r, init) => {
            const signal = init?.signal ?? r.signal;
            signal.addEventListener('abort', () => { globalThis.unread = true; });
            return new Response(new ReadableStream({}), { status: 202 });
        }",
    );
    let mut request = outbound(Method::POST, b"{}");
    request.extensions_mut().insert(StatusOnly);
    let answer = bare().fetch(request, LONG).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.body().len()), (202, 0));
    assert_eq!(eval("globalThis.unread"), JsValue::TRUE, "and the platform is told");
}

/// A request to somebody whom strangers have named.
fn bounded(limit: usize) -> Request {
    let mut request = outbound(Method::GET, b"");
    request.extensions_mut().insert(AtMost(limit));
    request
}

#[wasm_bindgen_test]
async fn a_body_without_end_is_read_as_far_as_its_bound() {
    let _network = Network::of(
        "async (r, init) => {
            const signal = init?.signal ?? r.signal;
            signal.addEventListener('abort', () => { globalThis.cutOff = true; });
            const pull = (c) => { c.enqueue(new Uint8Array(1000)); };
            return new Response(new ReadableStream({ pull }));
        }",
    );
    let outcome = bare().fetch(bounded(5_000), LONG).await;
    assert_eq!(outcome.map(drop), Err(FetchError::TooLong(5_000)));
    assert_eq!(eval("globalThis.cutOff"), JsValue::TRUE, "and the platform is told");
}

#[wasm_bindgen_test]
async fn a_body_within_its_bound_is_whole() {
    let _network = Network::of("async () => new Response('12345')");
    for (limit, whole) in [(5, true), (6, true), (4, false), (0, false)] {
        let outcome = bare().fetch(bounded(limit), LONG).await;
        match outcome {
            Ok(answer) => assert!(whole && answer.body().as_ref() == b"12345", "{limit}"),
            Err(error) => assert!(!whole && error == FetchError::TooLong(limit), "{error}"),
        }
    }
    let _network = Network::of("async () => new Response(null, { status: 304 })");
    let answer = bare().fetch(bounded(5), LONG).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.body().len()), (304, 0));
}
