//! What a session has prepared: the statements that are asked for again and again.

use std::collections::{HashMap, VecDeque};

/// Longer texts are not worth the memory that they would take on both sides.
const MAX_TEXT: usize = 8 * 1024;

/// The prepared statements of one session; the ones used longest ago make room for new ones.
#[derive(Debug)]
pub(crate) struct Statements {
    limit: usize,
    known: HashMap<Box<str>, Known>,
    /// Texts whose `Parse` is on its way, in that order; `None` for an unnamed one.
    pending: VecDeque<Option<Box<str>>>,
    round: u64,
    names: u64,
}

#[derive(Debug)]
struct Known {
    name: Box<str>,
    /// The round of its last use.
    used: u64,
}

/// How a statement is to be run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Empty: it has none.
    pub(crate) name: Box<str>,
    /// It must be prepared first.
    pub(crate) is_new: bool,
    /// The name of a statement that makes room for it and must be closed.
    pub(crate) evicted: Option<Box<str>>,
}

impl Statements {
    /// `limit` bounds their number; zero prepares none.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, known: HashMap::new(), pending: VecDeque::new(), round: 0, names: 0 }
    }

    /// Whether statements are prepared at all.
    pub(crate) fn is_on(&self) -> bool {
        self.limit > 0
    }

    /// Begins a round: nothing that it uses is evicted before the next one.
    pub(crate) fn begin(&mut self) {
        self.round += 1;
        self.pending.clear();
    }

    /// How to run this text in the current round.
    pub(crate) fn choose(&mut self, sql: &str) -> Choice {
        if let Some(known) = self.known.get_mut(sql) {
            known.used = self.round;
            return Choice { name: known.name.clone(), is_new: false, evicted: None };
        }
        let has_place = sql.len() <= MAX_TEXT && self.is_on();
        let evicted = if has_place && self.known.len() >= self.limit { self.evict() } else { None };
        if !has_place || self.known.len() >= self.limit {
            self.pending.push_back(None);
            return Choice { name: Box::default(), is_new: true, evicted: None };
        }
        self.names += 1;
        let name: Box<str> = format!("p{}", self.names).into();
        self.known.insert(sql.into(), Known { name: name.clone(), used: self.round });
        self.pending.push_back(Some(sql.into()));
        Choice { name, is_new: true, evicted }
    }

    /// The next pending statement is prepared.
    pub(crate) fn parsed(&mut self) {
        self.pending.pop_front();
    }

    /// Ends a round: what was not prepared, because of an error before it, is not known.
    pub(crate) fn end(&mut self) {
        for sql in self.pending.drain(..).flatten() {
            self.known.remove(&sql);
        }
    }

    fn evict(&mut self) -> Option<Box<str>> {
        let others = self.known.iter().filter(|(_, known)| known.used < self.round);
        let (sql, _) = others.min_by_key(|(_, known)| known.used)?;
        let sql = sql.clone();
        self.known.remove(&sql).map(|known| known.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round in which all is prepared.
    fn round(statements: &mut Statements, texts: &[&str]) -> Vec<Choice> {
        statements.begin();
        let choices: Vec<_> = texts.iter().map(|sql| statements.choose(sql)).collect();
        choices.iter().filter(|choice| choice.is_new).for_each(|_| statements.parsed());
        statements.end();
        choices
    }

    #[test]
    fn a_text_is_prepared_once() {
        let mut statements = Statements::new(10);
        let first = round(&mut statements, &["a", "a", "b"]);
        assert_eq!(first.iter().map(|it| it.is_new).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(first[0].name, first[1].name);
        assert_ne!(first[0].name, first[2].name);
        let second = round(&mut statements, &["b", "a"]);
        assert!(second.iter().all(|choice| !choice.is_new));
        assert_eq!(second[1].name, first[0].name);
    }

    #[test]
    fn what_was_used_longest_ago_makes_room_but_never_what_the_round_uses() {
        let mut statements = Statements::new(2);
        let old = round(&mut statements, &["a"]);
        round(&mut statements, &["b"]);
        let new = round(&mut statements, &["b", "c", "d"]);
        assert_eq!(new[1].evicted.as_ref(), Some(&old[0].name));
        // Both places are in use in this round.
        assert_eq!(new[2], Choice { name: "".into(), is_new: true, evicted: None });
        assert!(round(&mut statements, &["a"])[0].is_new);
    }

    #[test]
    fn what_an_error_kept_from_being_prepared_is_not_known() {
        let mut statements = Statements::new(10);
        statements.begin();
        for sql in ["a", "b", "c"] {
            statements.choose(sql);
        }
        statements.parsed();
        statements.end();
        let again = round(&mut statements, &["a", "b", "c"]);
        assert_eq!(again.iter().map(|it| it.is_new).collect::<Vec<_>>(), [false, true, true]);
    }

    #[test]
    fn long_texts_and_a_limit_of_zero_prepare_nothing() {
        let long = "x".repeat(MAX_TEXT + 1);
        assert!(round(&mut Statements::new(10), &[&long])[0].name.is_empty());
        let mut off = Statements::new(0);
        assert!(round(&mut off, &["a", "a"]).iter().all(|it| it.name.is_empty() && it.is_new));
        assert!(!off.is_on());
    }
}
