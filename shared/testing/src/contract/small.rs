use std::time::Duration;

use ports::{Clock, Config, Kv, KvStore, Log, Random, Written};

/// A day that every clock has passed: 2024-01-01.
const PAST: u64 = 1_704_067_200_000;
/// A day that none will see soon: 2100-01-01. A clock of seconds or microseconds fails here.
const FUTURE: u64 = 4_102_444_800_000;
const TTL: Duration = Duration::from_secs(60);

/// Milliseconds since the epoch, that do not go back while nobody sets the clock.
pub fn clock(clock: &impl Clock) {
    let mut last = clock.now();
    assert!((PAST..FUTURE).contains(&last), "milliseconds since the epoch, not {last}");
    for _ in 0..1000 {
        let now = clock.now();
        assert!(now >= last, "the clock went back from {last} to {now}");
        last = now;
    }
}

/// Fills exactly what it is given, differently every time, with every byte in use.
pub fn random(random: &impl Random) {
    random.fill(&mut []);
    for length in [1, 16, 17, 1000] {
        let mut framed = vec![0xa5; length + 2];
        random.fill(&mut framed[1..=length]);
        assert_eq!(
            (framed[0], framed[length + 1]),
            (0xa5, 0xa5),
            "wrote beyond its {length} bytes"
        );
    }
    let draws: Vec<[u8; 16]> = (0..64)
        .map(|_| {
            let mut draw = [0; 16];
            random.fill(&mut draw);
            draw
        })
        .collect();
    for (at, draw) in draws.iter().enumerate() {
        assert!(!draws[..at].contains(draw), "a value was drawn twice");
    }
    for byte in 0..16 {
        let first = draws[0][byte];
        assert!(draws.iter().any(|draw| draw[byte] != first), "byte {byte} never changes");
    }
    let mut many = vec![0; 65_536];
    random.fill(&mut many);
    for value in 0..=255_u8 {
        assert!(many.contains(&value), "the value {value} never comes");
    }
}

/// A setting is its text; what is absent or empty is not there.
///
/// `present` is set in the deployment, `empty` is set to the empty text, `absent` is not set.
pub fn config(config: &impl Config, present: (&str, &str), empty: &str, absent: &str) {
    let (name, value) = present;
    assert_eq!(config.get(name).as_deref(), Some(value), "a setting is its text");
    assert_eq!(config.get(empty), None, "an empty setting is absent");
    assert_eq!(config.get(absent), None, "an absent setting is absent");
    assert_eq!(config.get(&name.to_lowercase()), None, "names are case-sensitive");
}

/// Lines come out whole and in order. `written` reads what came out so far.
pub fn log(log: &impl Log, written: impl Fn() -> Vec<String>) {
    let before = written().len();
    let lines = ["{\"a\":1}", "{\"text\":\"%s %d {} ünïcödé\"}", "{}"];
    for line in lines {
        log.line(line);
    }
    assert_eq!(written()[before..], lines, "one entry per line, as it was given");
}

/// What was put is read back, byte for byte, under its own key only. A value that was overwritten
/// may be read for a while: stores are eventually consistent.
///
/// `prefix` makes the keys of this run its own.
pub async fn kv(kv: &impl Kv, prefix: &str) {
    let key = |name: &str| format!("{prefix}/{name}");
    let get = async |name: &str| kv.get(&key(name)).await.expect("a read");
    assert_eq!(get("absent").await, None, "nothing was put there");

    let all_bytes: Vec<u8> = (0..=255).collect();
    let large = vec![b'x'; 100_000];
    let values: [(&str, &[u8]); 5] = [
        ("text", b"{}"),
        ("binary", &all_bytes),
        ("empty", b""),
        ("large", &large),
        ("https://host.example/a?b=c&d=%20 e:\u{fc}", b"odd key"),
    ];
    for (name, value) in values {
        kv.put(&key(name), value, TTL).await.expect("a write");
    }
    for (name, value) in values {
        assert_eq!(get(name).await.as_deref(), Some(value), "what was put under {name}");
    }
    assert_eq!(get("tex").await, None, "a prefix of a key is another key");
    assert_eq!(get("TEXT").await, None, "keys are case-sensitive");

    kv.put(&key("text"), b"second", TTL).await.expect("a write");
    let now = get("text").await;
    assert!(
        matches!(now.as_deref(), Some(b"{}" | b"second")),
        "an overwritten key has its old or its new value, not {now:?}"
    );
    // The shortest time that the port names must be accepted, and so must a day.
    kv.put(&key("day"), b"1", Duration::from_secs(86_400)).await.expect("a write");
    assert_eq!(get("day").await.as_deref(), Some(b"1".as_slice()));
}

/// Besides what every cache does: what was written is listed, in order and page by page; what was
/// removed is gone in the end; a write that was refused has changed nothing.
///
/// `prefix` makes the keys of this run its own. A store that shows its writes late is given time by
/// `settle`.
pub async fn kv_store<Settled: Future<Output = ()>>(
    store: &impl KvStore,
    prefix: &str,
    settle: impl Fn() -> Settled,
) {
    kv(store, &format!("{prefix}/cache")).await;
    let key = |number: usize| format!("{prefix}/list/{number:02}");
    for number in (0..10).rev() {
        let written = store.write(&key(number), b"1", TTL).await.expect("a write");
        assert_eq!(written, Written::Done, "nobody has written {number} before");
    }
    store.write(&format!("{prefix}/list"), b"1", TTL).await.expect("a write");
    store.write(&format!("{prefix}/list0"), b"1", TTL).await.expect("a write");
    settle().await;
    let all: Vec<String> = (0..10).map(key).collect();
    assert_eq!(listed(store, &format!("{prefix}/list/")).await, all, "in order, all pages");
    assert_eq!(listed(store, &key(7)).await, [key(7)]);
    assert_eq!(listed(store, &format!("{prefix}/nothing/")).await, [""; 0]);

    store.delete(&key(3)).await.expect("a removal");
    store.delete(&key(99)).await.expect("removing what is not there");
    let again = store.write(&key(4), b"2", TTL).await.expect("an answer");
    settle().await;
    assert_eq!(store.get(&key(3)).await.expect("a read"), None);
    let left: Vec<String> = all.into_iter().filter(|other| *other != key(3)).collect();
    assert_eq!(listed(store, &format!("{prefix}/list/")).await, left);
    let expected: &[u8] = if again == Written::Done { b"2" } else { b"1" };
    assert_eq!(store.get(&key(4)).await.expect("a read").as_deref(), Some(expected));
}

async fn listed(store: &impl KvStore, prefix: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.list(prefix, cursor.as_deref()).await.expect("a page");
        keys.extend(page.keys);
        cursor = page.next;
        if cursor.is_none() {
            return keys;
        }
    }
}
