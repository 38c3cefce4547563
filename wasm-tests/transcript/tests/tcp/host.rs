//! A case in the in-process host.

use crate::{Case, Outcome, Step, line, plugin};
use std::time::Duration;
use weir_scenario::{Behaviour, Cluster, Surroundings};
use weir_test_envoy::OnFailure;
use weir_test_host::{FailurePolicy, PluginSpec, Proxy, Settings, TcpServer};

const PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn run(case: &Case) -> Outcome {
    let plugin = plugin(case);
    let mut spec = PluginSpec::new(&plugin.name, std::fs::read(&plugin.module).unwrap(), plugin.configuration);
    spec.root_id = plugin.root_id;
    match case.on_failure {
        OnFailure::Open => spec.failure_policy = FailurePolicy::FailOpen,
        OnFailure::FailOpen => spec.fail_open = true,
        OnFailure::Unsaid | OnFailure::Closed | OnFailure::Reload => {}
    }
    let service = Cluster { behaviour: Behaviour::Answer(case.answer()), ..Cluster::default() };
    let surroundings = Surroundings { clusters: [("service".to_owned(), service)].into(), ..Surroundings::default() };
    let tcp_server = if case.refuses { TcpServer::Refuses } else { TcpServer::Echo };
    let settings = Settings { surroundings, tcp_server, ..Settings::default() };
    let proxy = Proxy::builder().settings(settings).plugin(spec).build().unwrap();
    let connection = proxy.tcp_open(0).unwrap();
    proxy.advance(PAUSE).unwrap();
    for step in &case.steps {
        match step {
            Step::Send(text) => proxy.tcp_send(0, connection, text.as_bytes(), false).unwrap(),
            Step::End => proxy.tcp_send(0, connection, b"", true).unwrap(),
            Step::Reset => proxy.tcp_abort(0, connection).unwrap(),
            Step::ServerEnds => proxy.tcp_server_ends(0, connection).unwrap(),
        }
        proxy.advance(PAUSE).unwrap();
    }
    let reset = matches!(case.steps.last(), Some(Step::Reset));
    let seen = proxy.tcp_seen(0, connection).unwrap();
    proxy.fire_timers().unwrap();
    let lines = proxy.log().iter().filter_map(|logged| line(&logged.text)).collect();
    let received = if reset { Vec::new() } else { seen.received };
    Outcome {
        lines,
        received: String::from_utf8_lossy(&received).into_owned(),
        served: seen.served,
        counted: proxy.stats().value("shell_connections"),
        vm_failures: proxy.vm_failures(),
    }
}
