//! Routes, headers, variables, environment and output.

use crate::host::Setting;

const ROUTED: &str = r#"
    [[trigger.http]]
    route = "/..."
    component = "all"
    [[trigger.http]]
    route = "/users/:id"
    component = "user"
    [[trigger.http]]
    route = { private = true }
    component = "hidden"
    [component.all]
    source = "FIXTURE"
    allowed_outbound_hosts = ["http://hidden.spin.internal"]
    [component.user]
    source = "FIXTURE"
    environment = { WHO = "user" }
    [component.hidden]
    source = "FIXTURE"
    environment = { WHO = "hidden" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_path_reaches_its_component_and_no_private_one() {
    let setting = Setting::new(ROUTED);
    let host = setting.start();
    assert_eq!(host.ask("/environment?WHO", "").await, "err:NotPresent");
    assert_eq!(host.ask("/users/environment?WHO", "").await, "ok:user");
    assert_eq!(host.ask("/users/x/environment?WHO", "").await, "err:NotPresent");
    // A client that calls itself a component is no component.
    let request = reqwest::Client::new().get(format!("{}/environment?WHO", host.address));
    let response = request.header("host", "hidden.spin.internal").send().await.unwrap();
    assert_eq!(response.status(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_route_the_answer_is_an_empty_404() {
    let setting = Setting::new(&ROUTED.replacen("\"/...\"", "\"/only\"", 1));
    let host = setting.start();
    assert_eq!(host.answer("/other", "").await, (404, String::new()));
    assert_eq!(host.answer("/.well-known/spin/health", "").await, (200, "OK".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_tell_the_match_and_hide_the_connection() {
    let setting = Setting::new(ROUTED);
    let host = setting.start();
    let client = reqwest::Client::new();
    let request =
        client.get(format!("{}/users/headers", host.address)).header("connection", "close");
    let request = request.header("x-mine", "1").header("spin-client-addr", "6.6.6.6:1");
    let told = request.send().await.unwrap().text().await.unwrap();
    let lines = told.lines().collect::<Vec<_>>();
    assert_eq!(lines[0], format!("ok:{}/users/headers", host.address));
    let said = |line: &str| lines.contains(&line);
    assert!(said("x-mine=1"), "{told}");
    assert!(said("spin-path-match-id=headers") && said("spin-matched-route=/users/:id"), "{told}");
    assert!(said(&format!("spin-full-url={}/users/headers", host.address)), "{told}");
    let peers =
        lines.iter().filter(|line| line.starts_with("spin-client-addr=")).collect::<Vec<_>>();
    assert!(peers.last().unwrap().starts_with("spin-client-addr=127.0.0.1:"), "{told}");
    assert!(!told.contains("connection=") && !told.contains("\nhost="), "{told}");
}

const VARIABLES: &str = r#"
    [variables]
    place = { default = "here" }
    token = { required = true, secret = true }
    [[trigger.http]]
    route = "/..."
    component = "one"
    [component.one]
    source = "FIXTURE"
    [component.one.variables]
    place = "at {{ place }}"
    token = "{{ token }}"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn variables_come_from_the_environment_and_the_manifest() {
    let setting = Setting::new(VARIABLES).with("SPIN_VARIABLE_TOKEN", "hush").with("WHO", "host");
    let host = setting.start();
    assert_eq!(host.ask("/variable?place", "").await, "ok:at here");
    assert_eq!(host.ask("/variable?token", "").await, "ok:hush");
    assert!(host.ask("/variable?other", "").await.starts_with("err:Error::Undefined"));
    assert!(host.ask("/variable?Bad", "").await.starts_with("err:Error::InvalidName"));
    assert_eq!(host.ask("/environment?WHO", "").await, "err:NotPresent");
    assert_eq!(host.ask("/environment?SPIN_VARIABLE_TOKEN", "").await, "err:NotPresent");
}

#[test]
fn a_missing_variable_is_named_at_the_start() {
    let error = Setting::new(VARIABLES).refused();
    assert!(error.contains("no provider resolved required variable(s): [\"token\"]"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_kept_with_the_component_s_name() {
    let setting = Setting::new(ROUTED);
    let host = setting.start();
    host.ask("/log?first", "").await;
    host.ask("/users/log?second", "").await;
    assert_eq!(setting.text("logs/all_stdout.txt"), "out first\n");
    assert_eq!(setting.text("logs/all_stderr.txt"), "err first\n");
    assert_eq!(setting.text("logs/user_stdout.txt"), "out second\n");
    assert_eq!(setting.text("stderr.txt"), "err first\nerr second\n");
}
