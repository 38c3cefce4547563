//! A case in real Envoy.

use crate::{Case, Outcome, Step, line, plugin};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;
use weir_scenario::{Answer, Behaviour, Cluster, Span, Surroundings, Value};
use weir_test_envoy::{Booted, Proxy, Setup, TcpServer};

/// How long the client waits before it does the next thing, so that each of its writes arrives alone.
const PAUSE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(5);

/// A port where nothing listens.
fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(crate) fn run(case: &Case) -> Outcome {
    let service = Cluster { behaviour: Behaviour::Answer(case.answer()), ..Cluster::default() };
    let world = Surroundings { clusters: [("service".to_owned(), service)].into(), ..Surroundings::default() };
    let world = Surroundings { routes: Vec::new(), ..world };
    let server = TcpServer::start("").unwrap();
    let to = if case.refuses { closed() } else { server.address() };
    let setup =
        Setup { network: vec![plugin(case)], on_failure: case.on_failure, tcp_to: Some(to), world, ..Setup::default() };
    let mut proxy = match Proxy::start(setup).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{}: {log}", case.name),
    };
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut received = Vec::new();
    thread::sleep(PAUSE);
    for step in &case.steps {
        match step {
            // The proxy may have closed.
            Step::Send(text) => drop(client.write_all(text.as_bytes())),
            Step::End => {
                let _ = client.shutdown(Shutdown::Write);
                let _ = client.read_to_end(&mut received);
            }
            // What has come is not read, so the system resets the connection instead of closing it.
            Step::Reset => client = TcpStream::connect(proxy.address()).unwrap(),
            Step::ServerEnds => server.end(),
        }
        thread::sleep(PAUSE);
    }
    let reset = matches!(case.steps.last(), Some(Step::Reset));
    let lines = |proxy: &mut Proxy| -> Vec<String> {
        proxy.logs().unwrap().iter().filter_map(|logged| line(&logged.text)).collect()
    };
    let ends = |lines: &[String]| lines.iter().any(|line| line.starts_with("end: "));
    let mut said = lines(&mut proxy);
    for _ in 0..50 {
        if ends(&said) || case.ends_otherwise() {
            break;
        }
        thread::sleep(PAUSE);
        said = lines(&mut proxy);
    }
    if reset {
        // The connection that took the place of the one that was reset.
        let second = said.iter().rposition(|line| line.starts_with("opened")).unwrap();
        said.remove(second);
    }
    let counted = proxy.metrics().unwrap().0.into_iter().find(|sample| sample.name.ends_with("shell_connections"));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it counts a few connections")]
    let counted = match counted.map(|sample| sample.value) {
        Some(Value::Number(counted)) => counted as u64,
        _ => 0,
    };
    let outcome = Outcome {
        lines: said,
        received: String::from_utf8_lossy(&received).into_owned(),
        served: server.served(),
        counted: counted - u64::from(reset),
        vm_failures: proxy.vm_failures().unwrap(),
    };
    drop(client);
    proxy.stop().unwrap();
    outcome
}

impl Case {
    /// What the service of callouts answers.
    pub(crate) fn answer(&self) -> Answer {
        Answer { status: self.answers, delay: Span(Duration::from_millis(self.after)), ..Answer::default() }
    }

    /// The filter does not get to say how the connection ends.
    fn ends_otherwise(&self) -> bool {
        self.configuration.contains("trap") || self.root_id.is_empty()
    }
}
