use data::clients::{ClientRecord, find};
use ports::Sql;

/// The database answers, and serves the record of a registered client to the service. `known` must
/// be registered as given.
pub async fn clients(sql: &impl Sql, known: &ClientRecord) {
    data::ping(sql).await.expect("an answer");
    let found = find(sql, &known.client_id).await.expect("an answer");
    assert_eq!(found.as_ref(), Some(known), "the record as it is registered");
    for other in ["nobody-registers-this", "", "' or true --", "\0"] {
        assert_eq!(find(sql, other).await.expect("an answer"), None, "{other:?} is nobody");
    }
}
