//! The counts of the guard before authentication. Each instance counts for itself and tells the others
//! once a second through the key-value store. Two who write at once lose a count: this is a filter.

use std::collections::BTreeMap;

use ports::Millis;

/// The time over which is counted.
const WINDOW: Millis = 60_000;
/// So often an instance looks what the others have counted …
const BETWEEN: Millis = 1_000;
/// … or after so many requests.
const STEP: u32 = 50;
/// Networks that an instance remembers.
const MOST: usize = 1024;
/// Keys in the store, whatever the number of networks: who shares a key with a busier one is counted
/// by instances alone.
const SLOTS: u32 = 4096;

/// What an instance has counted.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, Count>);

#[derive(Debug, Clone, Copy)]
struct Count {
    window: Millis,
    /// What is known to the store.
    shared: u32,
    /// What is not.
    own: u32,
    synced: Millis,
    syncing: bool,
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// There are too many.
    pub(super) refused: bool,
    /// The store is to be told.
    pub(super) sync: bool,
}

impl Tally {
    /// Count a request of a network.
    pub(super) fn count(&mut self, network: &str, now: Millis, limit: u32) -> Verdict {
        let window = now / WINDOW;
        if !self.0.contains_key(network) && self.0.len() >= MOST {
            self.0.clear();
        }
        let new = Count { window, shared: 0, own: 0, synced: 0, syncing: false };
        let count = self.0.entry(network.to_owned()).or_insert(new);
        if count.window != window {
            *count = new;
        }
        count.own = count.own.saturating_add(1);
        let refused = count.shared.saturating_add(count.own) > limit;
        let stale = now.saturating_sub(count.synced) >= BETWEEN || count.own >= STEP;
        let sync = stale && !count.syncing;
        count.syncing |= sync;
        Verdict { refused, sync }
    }

    /// What the store is to have, given what it has; it is written then. `None` leaves it as it is.
    pub(super) fn merge(
        &mut self,
        network: &str,
        stored: Option<&[u8]>,
        now: Millis,
    ) -> Option<Vec<u8>> {
        let count = self.0.get_mut(network)?;
        (count.syncing, count.synced) = (false, now);
        if count.window != now / WINDOW {
            return None;
        }
        let text = stored.and_then(|stored| std::str::from_utf8(stored).ok());
        let theirs = text.and_then(read).filter(|(window, ..)| *window == count.window);
        let shared = match theirs {
            Some((_, known, name)) if name == network => known,
            Some((_, known, _)) if known >= count.own => return None,
            _ => 0,
        };
        count.shared = shared.saturating_add(count.own);
        count.own = 0;
        Some(format!("{} {} {network}", count.window, count.shared).into_bytes())
    }
}

/// The key of a network.
pub(super) fn key(network: &str) -> String {
    let hash = network
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("guard/{:03x}", hash % SLOTS)
}

fn read(text: &str) -> Option<(Millis, u32, &str)> {
    let mut parts = text.splitn(3, ' ');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "192.0.2.0/24";
    const NOW: Millis = 1_795_276_800_000;

    #[test]
    fn instances_count_together() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        assert_eq!(one.count(HERE, NOW, 10), Verdict { refused: false, sync: true });
        let stored = one.merge(HERE, None, NOW);
        for _ in 0..8 {
            assert!(!other.count(HERE, NOW, 10).refused);
        }
        let stored = other.merge(HERE, stored.as_deref(), NOW).expect("news");
        assert!(!other.count(HERE, NOW, 10).refused, "the tenth");
        assert!(other.count(HERE, NOW, 10).refused);
        // The first hears of it when it looks again.
        assert_eq!(one.count(HERE, NOW + 1, 10), Verdict { refused: false, sync: false });
        assert!(one.count(HERE, NOW + BETWEEN, 10).sync);
        one.merge(HERE, Some(&stored), NOW + BETWEEN);
        assert!(one.count(HERE, NOW + BETWEEN, 10).refused);
        assert!(!one.count(HERE, NOW + WINDOW, 10).refused, "a minute later");
    }

    #[test]
    fn the_store_is_asked_by_one_and_not_too_often() {
        let mut tally = Tally::default();
        assert!(tally.count(HERE, NOW, 1000).sync);
        assert!(!tally.count(HERE, NOW + BETWEEN, 1000).sync, "somebody does it already");
        tally.merge(HERE, None, NOW);
        let asked = (0..STEP).filter(|_| tally.count(HERE, NOW + 1, 1000).sync).count();
        assert_eq!(asked, 1, "after a number of requests");
    }

    #[test]
    fn a_busier_network_keeps_a_shared_key() {
        let mut tally = Tally::default();
        tally.count(HERE, NOW, 10);
        let window = NOW / WINDOW;
        let busier = format!("{window} 5 198.51.100.0/24");
        assert_eq!(tally.merge(HERE, Some(busier.as_bytes()), NOW), None);
        let ours = Some(format!("{window} 1 {HERE}").into_bytes());
        for beaten in
            [format!("{window} 0 x"), format!("{} 9 x", window - 1), "nonsense".to_owned()]
        {
            let mut tally = Tally::default();
            tally.count(HERE, NOW, 10);
            assert_eq!(tally.merge(HERE, Some(beaten.as_bytes()), NOW), ours, "{beaten}");
        }
    }

    #[test]
    fn memory_and_store_are_bounded() {
        let mut tally = Tally::default();
        for network in 0..3 * MOST {
            tally.count(&network.to_string(), NOW, 10);
        }
        assert!(tally.0.len() <= MOST);
        let keys: std::collections::BTreeSet<_> =
            (0..20_000).map(|n| key(&n.to_string())).collect();
        assert!(keys.len() <= SLOTS as usize && keys.len() > SLOTS as usize / 2);
    }
}
