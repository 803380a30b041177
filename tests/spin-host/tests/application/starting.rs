//! What keeps an application from starting.

use crate::host::{Setting, altered};

const ONE: &str = r#"
    [[trigger.http]]
    route = "/..."
    component = "one"
    [component.one]
    source = "component.wasm"
"#;

#[test]
fn an_import_that_the_host_does_not_know_is_named() {
    let setting = Setting::new(ONE);
    setting.file("component.wasm", &altered("spin:redis/redis@3.0.0", "spin:redis/redis@9.0.0"));
    let error = setting.refused();
    assert!(error.contains("spin:redis/redis@9.0.0"), "{error}");
}

#[test]
fn a_component_that_serves_no_http_is_refused() {
    let setting = Setting::new(ONE);
    setting.file("component.wasm", &altered("wasi:http/handler@0.3.0", "wasi:mail/handler@0.3.0"));
    let error = setting.refused();
    assert!(error.contains("component \"one\""), "{error}");
}

#[test]
fn a_source_that_is_no_component_is_refused() {
    let setting = Setting::new(ONE);
    let error = setting.refused();
    assert!(error.contains("cannot read") && error.contains("component.wasm"), "{error}");
    setting.file("component.wasm", b"text");
    assert!(setting.refused().contains("component \"one\""));
}

#[test]
fn a_manifest_that_asks_for_more_is_refused() {
    let setting = Setting::new(&ONE.replace("source", "files = [\"assets\"]\nsource"));
    assert!(setting.refused().contains("mounts no files"));
    let setting = Setting::new(&ONE.replace("source", "unheard = 1\nsource"));
    assert!(setting.refused().contains("unheard"));
    let setting = Setting::new(ONE).configured("[llm_compute]\ntype = \"spin\"\n");
    assert!(setting.refused().contains("llm_compute"));
}
