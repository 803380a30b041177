//! Outbound HTTP, granted, denied and chained.

use crate::host::Setting;

const REMOTE: &str = r#"
    [[trigger.http]]
    route = "/..."
    component = "remote"
    [component.remote]
    source = "FIXTURE"
"#;

const CALLING: &str = r#"
    [variables]
    remote = { required = true }
    [[trigger.http]]
    route = "/..."
    component = "caller"
    [[trigger.http]]
    route = { private = true }
    component = "called"
    [[trigger.http]]
    route = "/other"
    component = "other"
    [component.caller]
    source = "FIXTURE"
    allowed_outbound_hosts = ["http://{{ remote }}", "http://127.0.0.1:1", "http://called.spin.internal"]
    [component.called]
    source = "FIXTURE"
    allowed_outbound_hosts = ["http://self"]
    [component.other]
    source = "FIXTURE"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_host_is_reached_and_no_other() {
    let (remote, setting) = (Setting::new(REMOTE), Setting::new(CALLING));
    let remote = remote.start();
    let setting = setting.with("SPIN_VARIABLE_REMOTE", remote.authority());
    let host = setting.start();
    let told = host.ask(&format!("/fetch?{}/headers", remote.address), "a body").await;
    assert!(told.starts_with("ok:200 date ok:"), "{told}");
    assert!(
        told.contains("\nx-sent=yes") && told.contains("\nspin-client-addr=127.0.0.1:"),
        "{told}"
    );
    for address in [
        remote.address.replace("127.0.0.1", "localhost"),
        remote.address.replace("http:", "https:"),
        "http://127.0.0.1:2/".to_owned(),
        "http://example.com/".to_owned(),
        host.address.clone(),
    ] {
        let answer = host.ask(&format!("/fetch?{address}"), "").await;
        assert_eq!(answer, "err:ErrorCode::HttpRequestDenied", "{address}");
    }
    assert_eq!(
        host.ask("/fetch?http://127.0.0.1:1/", "").await,
        "err:ErrorCode::ConnectionRefused"
    );
    let log = setting.text("stderr.txt");
    assert!(log.contains("component \"caller\" may not connect to http://example.com"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_calls_another_without_a_socket() {
    let setting = Setting::new(CALLING).with("SPIN_VARIABLE_REMOTE", "127.0.0.1:9");
    let host = setting.start();
    let told = host.ask("/fetch?http://called.spin.internal/a/headers", "").await;
    assert!(told.contains("\nspin-client-addr=0.0.0.0:0"), "{told}");
    assert!(
        told.contains("\nspin-path-info=/a/headers") && told.contains("\nspin-matched-route=/..."),
        "{told}"
    );
    assert!(told.contains("ok:http://called.spin.internal/a/headers"), "{told}");
    let answer = host.ask("/fetch?http://other.spin.internal/", "").await;
    assert_eq!(answer, "err:ErrorCode::HttpRequestDenied");
    let failed = host.ask("/fetch?http://called.spin.internal/panic", "").await;
    assert_eq!(failed, "ok:500  ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_itself_is_granted_apart() {
    let setting = Setting::new(CALLING).with("SPIN_VARIABLE_REMOTE", "127.0.0.1:9");
    let host = setting.start();
    let denied = host.ask("/fetch?http://self.alt/headers", "").await;
    assert_eq!(denied, "err:ErrorCode::HttpRequestDenied");
    let through = "/fetch?http://called.spin.internal/fetch?http://self.alt/headers";
    let told = host.ask(through, "").await;
    assert!(told.contains(&format!("\nspin-full-url={}/headers", host.address)), "{told}");
}

#[test]
fn a_call_of_a_component_that_is_not_there_is_named() {
    let setting = Setting::new(&CALLING.replace("http://called.", "http://unheard."));
    let error = setting.with("SPIN_VARIABLE_REMOTE", "127.0.0.1:9").refused();
    assert!(error.contains("may call \"unheard\", which no trigger starts"), "{error}");
}
