use std::cell::RefCell;
use std::collections::BTreeMap;

use data::consents::Consent;
use serde::Deserialize;

type Rows = Vec<Vec<Option<String>>>;

/// What people have agreed to, as far as the statements of crate `data` read and write it.
#[derive(Default)]
pub(crate) struct FakeConsents {
    rows: RefCell<BTreeMap<(String, String), Consent>>,
}

#[derive(Deserialize)]
struct New {
    client_id: String,
    client_name: String,
    scopes: Vec<String>,
}

impl FakeConsents {
    /// What a statement gives a person.
    pub(crate) fn answer(&self, person: &str, text: &str, parameters: &[Option<String>]) -> Rows {
        let parameter = |at: usize| parameters.get(at).cloned().flatten().unwrap_or_default();
        if text.contains("insert into") {
            self.remember(person, &parameter(0));
            return Vec::new();
        }
        let mut rows = self.rows.borrow_mut();
        if text.contains("delete from") {
            let gone = rows.remove(&(person.to_owned(), parameter(0)));
            return gone.into_iter().map(|consent| vec![Some(consent.client_id)]).collect();
        }
        if text.contains("exists") {
            let asked: Vec<String> = serde_json::from_str(&parameter(1)).unwrap_or_default();
            let agreed = rows.get(&(person.to_owned(), parameter(0)));
            let covers = agreed.is_some_and(|a| asked.iter().all(|one| a.scopes.contains(one)));
            return vec![vec![Some(if covers { "t" } else { "f" }.to_owned())]];
        }
        let own = rows.iter().filter(|((whose, _), _)| whose == person);
        own.map(|(_, consent)| vec![Some(row(consent))]).collect()
    }

    fn remember(&self, person: &str, record: &str) {
        let Ok(new) = serde_json::from_str::<New>(record) else { return };
        let mut rows = self.rows.borrow_mut();
        let key = (person.to_owned(), new.client_id.clone());
        let consent = rows.entry(key).or_insert_with(|| Consent {
            client_id: new.client_id,
            client_name: String::new(),
            scopes: Vec::new(),
            since: crate::NOW / 1000,
        });
        consent.client_name = new.client_name;
        consent.scopes.extend(new.scopes);
        consent.scopes.sort();
        consent.scopes.dedup();
    }
}

fn row(consent: &Consent) -> String {
    let Consent { client_id, client_name, scopes, since } = consent;
    serde_json::json!({
        "client_id": client_id,
        "client_name": client_name,
        "scopes": scopes,
        "since": since,
    })
    .to_string()
}
