use futures::executor::block_on;
use testing::Lag;
use testing::contract::eventual;

use crate::support::{Apart, Single};

#[test]
fn ledgers_on_a_strong_key_value_store_hold_the_eventual_contract() {
    block_on(eventual(&Single::new()));
}

#[test]
fn ledgers_on_a_key_value_store_of_two_locations_hold_the_eventual_contract() {
    block_on(eventual(&Apart::new(Lag::Others(60_000))));
}

#[test]
fn ledgers_on_a_key_value_store_that_shows_all_at_once_hold_the_eventual_contract() {
    block_on(eventual(&Apart::new(Lag::None)));
}
