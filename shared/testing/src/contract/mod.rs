//! One suite per port. A suite is an asynchronous function over the port's trait that ends the
//! test where an adapter breaks the port's promise; adapters in memory and real ones run the same.

mod eventual;
mod ledgers;
mod ledgers_at_work;
mod ledgers_once;
mod signatures;
mod small;
mod sql;

pub use eventual::{EventualStore, eventual};
pub use ledgers::{LedgerStore, ledgers, refresh_of};
pub use signatures::signatures;
pub use small::{clock, config, kv, kv_store, log, random};
pub use sql::clients;
