//! The proxy without any module, which all other tests here rely on.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use weir_launch::{Launch, wait_until};
use weir_scenario::{Abort, Bytes, Client, Fields, Payload, Protocol, Request, Tls};
use weir_test_envoy::{Booted, Proxy, Setup, envoy_binary};
use weir_testing::Rows;

type Outcome = Result<(), Box<dyn Error>>;

fn proxy(tls: Tls) -> Result<Box<Proxy>, Box<dyn Error>> {
    let mut setup = Setup::default();
    setup.proxy.tls = tls;
    match Proxy::start(setup)? {
        Booted::Ready(proxy) => Ok(proxy),
        Booted::Refused(log) => Err(log.into()),
    }
}

fn identity(uri: &str) -> Client {
    Client::Identity(uri.to_owned())
}

#[test]
fn requests_go_through_in_every_protocol() -> Outcome {
    let mut proxy = proxy(Tls::None)?;
    let mut rows = Rows::default();
    for protocol in [Protocol::H1, Protocol::H2] {
        let name = format!("{protocol:?}");
        let request = Request {
            protocol,
            method: "POST".to_owned(),
            path: "/a?b=c".into(),
            headers: Fields(vec![("x-bytes".into(), Bytes(vec![b'a', 0xff, b'b']))]),
            body: Payload::Size(100_000),
            ..Request::default()
        };
        let response = proxy.send(&request)?;
        rows.check(&name, (response.status, response.broken), (Some(200), false));
        rows.check(&name, response.body, Bytes::from("ok"));
        let seen = response.seen.ok_or("the upstream saw nothing")?;
        rows.check(&name, (seen.method.as_str(), &seen.path, seen.body_size), ("POST", &"/a?b=c".into(), 100_000));
        rows.check(&name, seen.headers.values("x-bytes").next(), Some(&Bytes(vec![b'a', 0xff, b'b'])));
        let record = proxy.record()?;
        rows.check(&name, (record.status, record.details.to_string().as_str()), (200, "via_upstream"));
        rows.check(&name, (record.flags, record.policy), (Bytes::from("-"), Bytes::from("-")));
    }
    let raw =
        Request { protocol: Protocol::Raw, raw: "GET /raw HTTP/1.1\r\nhost: a\r\n\r\n".into(), ..Request::default() };
    assert_eq!(proxy.send(&raw)?.seen.map(|seen| seen.path), Some("/raw".into()));
    let bad = Request { protocol: Protocol::Raw, raw: "what is this\r\n\r\n".into(), ..Request::default() };
    assert_eq!(proxy.send(&bad)?.status, Some(400));
    // No library sends a header name with a blank, so this one goes frame by frame.
    let bad = Request {
        protocol: Protocol::H2,
        headers: Fields(vec![("x bad".into(), "1".into())]),
        timeout: None,
        ..Request::default()
    };
    let response = proxy.send(&bad)?;
    assert!(response.broken || response.status == Some(400), "{response:?}");
    proxy.stop()?;
    Ok(())
}

#[test]
fn mutual_tls_needs_a_certificate_of_the_authority() -> Outcome {
    let mut proxy = proxy(Tls::Mtls("spiffe://cluster.local/ns/shop/sa/cart".to_owned()))?;
    let client = identity("spiffe://cluster.local/ns/shop/sa/web");
    let mut rows = Rows::default();
    for protocol in [Protocol::H1, Protocol::H2] {
        let request = Request { protocol, client: client.clone(), ..Request::default() };
        rows.check(format!("{protocol:?}"), proxy.send(&request)?.status, Some(200));
        let plain = Request { protocol, ..Request::default() };
        rows.check(format!("plain {protocol:?}"), proxy.send(&plain)?.status, None);
    }
    proxy.stop()?;
    Ok(())
}

#[test]
fn a_permissive_listener_takes_both() -> Outcome {
    let mut proxy = proxy(Tls::Permissive("spiffe://cluster.local/ns/shop/sa/cart".to_owned()))?;
    let mut rows = Rows::default();
    for client in [Client::Plain, identity("spiffe://cluster.local/ns/shop/sa/web")] {
        for protocol in [Protocol::H1, Protocol::H2] {
            let request = Request { protocol, client: client.clone(), ..Request::default() };
            rows.check(format!("{client:?} {protocol:?}"), proxy.send(&request)?.status, Some(200));
        }
    }
    proxy.stop()?;
    Ok(())
}

#[test]
fn a_client_may_give_up_anywhere() -> Outcome {
    let mut proxy = proxy(Tls::None)?;
    let mut rows = Rows::default();
    for protocol in [Protocol::H1, Protocol::H2] {
        for abort in [Abort::AfterHeaders, Abort::MidBody, Abort::BeforeResponse] {
            let request = Request {
                protocol,
                method: "POST".to_owned(),
                body: Payload::Size(1000),
                abort: Some(abort),
                ..Request::default()
            };
            let response = proxy.send(&request)?;
            rows.check(format!("{protocol:?} {abort:?}"), (response.broken, response.status), (true, None));
            proxy.record()?;
        }
    }
    assert_eq!(proxy.send(&Request::default())?.status, Some(200));
    proxy.stop()?;
    Ok(())
}

#[test]
fn nothing_stays_behind() -> Outcome {
    let launch = Launch::new(&envoy_binary()?)?;
    let envoy =
        launch.start(r#"{"admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}}"#)?;
    let (pid, dir) = (envoy.pid(), envoy.dir().to_path_buf());
    assert!(Path::new(&format!("/proc/{pid}")).exists() && dir.exists());
    assert!(envoy.admin_get("/server_info")?.contains("LIVE"));
    drop(envoy);
    assert!(!Path::new(&format!("/proc/{pid}")).exists() && !dir.exists());
    Ok(())
}

#[test]
fn a_killed_process_leaves_no_envoy() -> Outcome {
    // A test cannot kill itself, so it starts a copy of itself, which starts an Envoy and is killed.
    const CHILD: &str = "WEIR_TEST_CHILD_OF_A_KILL";
    if let Some(report) = std::env::var_os(CHILD) {
        let launch = Launch::new(&envoy_binary()?)?;
        let envoy =
            launch.start(r#"{"admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}}"#)?;
        std::fs::write(&report, format!("{}\n{}", envoy.pid(), envoy.dir().display()))?;
        std::thread::sleep(Duration::from_secs(60));
        return Ok(());
    }
    let dir = std::env::temp_dir().join(format!("weir-kill-{}", std::process::id()));
    let mut child = std::process::Command::new(std::env::current_exe()?)
        .args(["--exact", "a_killed_process_leaves_no_envoy"])
        .env(CHILD, &dir)
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let started = wait_until(Duration::from_secs(60), || {
        let text = std::fs::read_to_string(&dir).ok()?;
        let (pid, dir) = text.split_once('\n')?;
        Some((format!("/proc/{pid}"), dir.to_owned()))
    });
    child.kill()?;
    child.wait()?;
    std::fs::remove_file(&dir)?;
    let (process, run) = started.ok_or("no envoy was started")?;
    let gone = || (!Path::new(&process).exists() && !Path::new(&run).exists()).then_some(());
    wait_until(Duration::from_secs(10), gone).ok_or("envoy or its directory is still there")?;
    Ok(())
}

#[test]
fn why_envoy_does_not_start_is_one_line() -> Outcome {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    let listener = format!(
        r#"{{"name": "l", "address": {{"socket_address": {{"address": "127.0.0.1", "port_value": {port}}}}},
            "filter_chains": [{{"filters": []}}]}}"#
    );
    let table = [
        (format!(r#"{{"static_resources": {{"listeners": [{listener}]}}}}"#), "Address already in use"),
        (r#"{"no_such_field": 1}"#.to_owned(), "no_such_field"),
    ];
    let mut rows = Rows::default();
    for (bootstrap, expected) in table {
        let error = Launch::new(&envoy_binary()?)?.start(&bootstrap).expect_err("it must not start").to_string();
        rows.contains(expected, &error, expected);
        rows.check(expected, error.lines().count(), 1);
    }
    let error = Launch::new(Path::new("/no/such/envoy"))?.start("{}").expect_err("it must not start").to_string();
    assert!(error.starts_with("cannot start envoy:"), "{error}");
    Ok(())
}
