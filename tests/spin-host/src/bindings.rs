//! The types and traits of `wit/`.

wasmtime::component::bindgen!({
    path: "wit",
    world: "atoms:spin-host/imports",
    imports: {
        "spin:key-value/key-value.[method]store.get-keys": trappable,
        "spin:sqlite/sqlite.[static]connection.open": async,
        "spin:sqlite/sqlite.[method]connection.execute": async,
        "spin:sqlite/sqlite.[method]connection.changes": async | trappable,
        "spin:sqlite/sqlite.[method]connection.last-insert-rowid": async | trappable,
        "spin:sqlite/sqlite.[method]connection.changes-async": trappable,
        "spin:sqlite/sqlite.[method]connection.last-insert-rowid-async": trappable,
    },
    with: {
        "spin:key-value/key-value.store": crate::key_value::Opened,
        "spin:redis/redis.connection": crate::redis::Connected,
        "spin:sqlite/sqlite.connection": crate::sqlite::Opened,
    },
});
