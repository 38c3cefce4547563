//! Rounds with the probe of the shell: services that answer anything at any time, and connections that end anyhow.

use crate::random::Random;
use crate::{PATIENCE, byte, incoming, log, plugin_of, text};
use std::time::Duration;
use weir_test_host::{GrpcCall, GrpcPlan, HeaderMap, HttpCall, HttpPlan, PluginSpec, Proxy, World};

/// What requests ask for; no `trap`.
const PLANS: [&str; 9] = [
    "http a 500",
    "http a 0",
    "grpc a 500",
    "shared a 500",
    "split a",
    "ended",
    "cel 0",
    "reply 403",
    "http a 500; grpc a 500; shared a 500; reply 429",
];

const CONFIGURATIONS: [&str; 6] =
    ["v1", "v1 attributes", "v1 ticks calls=a", "v1 ticks flush=a", "v1 refuse", "v1 cel=int:1/0 cel-at-end"];

/// What connections are decided on.
const VERDICTS: [&str; 7] = [
    "opened=close",
    "opened=http:a",
    "downstream=close",
    "downstream=http:a",
    "upstream=close",
    "until=900 shown=4",
    "attributes cel=int:destination.port",
];

/// Services whose every answer is another.
struct Anything(Random);

impl Anything {
    fn after(&mut self) -> Duration {
        Duration::from_millis([0, 1, 400, 500, 501, 90_000][self.0.below(6)])
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = [0, 5, 3_000, 70_000, 2_000_000][self.0.below(5)];
        vec![byte(&mut self.0); length]
    }

    fn headers(&mut self) -> HeaderMap {
        let mut headers = HeaderMap::default();
        for _ in 0..[0, 2, 60][self.0.below(3)] {
            headers.add(&text(&mut self.0), &text(&mut self.0));
        }
        headers
    }
}

impl World for Anything {
    fn http(&mut self, _: &HttpCall) -> HttpPlan {
        match self.0.below(8) {
            0 => HttpPlan::UnknownCluster,
            1 => HttpPlan::Inline,
            2 => HttpPlan::Unreachable,
            3 => HttpPlan::Reset { after: self.after() },
            4 => HttpPlan::Never,
            _ => {
                let mut headers = self.headers();
                let status = [&b"200"[..], b"0", b"99999999999", b"\xff", b"503"][self.0.below(5)];
                headers.add(b":status", status);
                HttpPlan::Answer { after: self.after(), headers, body: self.bytes(), trailers: self.headers() }
            }
        }
    }

    fn grpc(&mut self, _: &GrpcCall) -> GrpcPlan {
        match self.0.below(6) {
            0 => GrpcPlan::UnknownCluster,
            1 => GrpcPlan::Inline { status: [0, 14, 99][self.0.below(3)] },
            2 => GrpcPlan::Never,
            _ => GrpcPlan::Answer {
                after: self.after(),
                initial: self.headers(),
                messages: (0..self.0.below(3)).map(|_| self.bytes()).collect(),
                trailing: self.headers(),
                status: [0, 5, 16, 400][self.0.below(4)],
                message: String::from_utf8_lossy(&text(&mut self.0)).into_owned(),
            },
        }
    }
}

fn start(seed: u64, plugin: PluginSpec) -> Proxy {
    let world = Anything(Random::new(seed ^ 0x5eed));
    Proxy::builder()
        .workers(2)
        .plugin(plugin)
        .world(world)
        .build()
        .unwrap_or_else(|e| panic!("WEIR_FUZZ_SEED={seed}: {e}"))
}

fn pass(proxy: &Proxy, random: &mut Random) -> String {
    let millis = [1, 50, 400, 600, 60_000][random.below(5)];
    proxy.advance(Duration::from_millis(millis)).unwrap();
    format!("{millis} ms")
}

/// Requests that call out, wait for each other and leave.
pub(crate) fn streams(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let proxy = start(seed, plugin_of("shell-probe", b"v1".to_vec()));
    let mut open = Vec::new();
    let mut count = 0;
    for step in 1..2 + random.below(60) {
        let what = match random.below(8) {
            0 => {
                let configuration = format!("{} {step}", random.pick(&CONFIGURATIONS));
                // Refused or not, the module must live.
                let _ = proxy.reconfigure(vec![plugin_of("shell-probe", configuration.clone().into_bytes())]);
                configuration
            }
            1 | 2 => pass(&proxy, &mut random),
            3 if !open.is_empty() => {
                let (worker, stream) = open.swap_remove(random.below(open.len()));
                match random.chance(50) {
                    true => drop(proxy.abort(worker, stream)),
                    false => drop(proxy.finish(worker, stream, PATIENCE)),
                }
                "one that was open".to_owned()
            }
            _ => {
                let plan = random.pick(&PLANS);
                let mut request = incoming(&mut random).with("x-do", plan);
                request.headers.add(b"x-name", b"fuzz");
                let worker = random.below(2);
                open.push((worker, proxy.open(worker, request, random.chance(80)).unwrap()));
                count += 1;
                plan.to_owned()
            }
        };
        assert_eq!(proxy.vm_failures(), 0, "WEIR_FUZZ_SEED={seed} shell-probe after {what}\n{}", log(&proxy));
    }
    count
}

/// Connections that wait, are held, and are closed by either side or both.
pub(crate) fn connections(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let plugin = |random: &mut Random, step: usize| {
        let verdict = random.pick(&VERDICTS);
        let plugin = plugin_of("shell-probe", format!("tcp {verdict} {step}").into_bytes());
        PluginSpec { root_id: "weir.tcp".to_owned(), ..plugin }
    };
    let proxy = start(seed, plugin(&mut random, 0));
    let mut open: Vec<(usize, u64)> = Vec::new();
    let mut count = 0;
    for step in 1..2 + random.below(60) {
        let one = (!open.is_empty()).then(|| open[random.below(open.len().max(1))]);
        let what = match (random.below(8), one) {
            (0, _) => {
                let _ = proxy.reconfigure(vec![plugin(&mut random, step)]);
                "another configuration".to_owned()
            }
            (1, _) => pass(&proxy, &mut random),
            (2 | 3, Some((worker, connection))) => {
                let bytes = text(&mut random);
                let ends = random.chance(20);
                proxy.tcp_send(worker, connection, &bytes, ends).unwrap();
                format!("{} bytes, end {ends}", bytes.len())
            }
            (4, Some((worker, connection))) => {
                proxy.tcp_server_ends(worker, connection).unwrap();
                "the server's end".to_owned()
            }
            (5, Some((worker, connection))) => {
                proxy.tcp_abort(worker, connection).unwrap();
                "a reset".to_owned()
            }
            _ => {
                let worker = random.below(2);
                open.push((worker, proxy.tcp_open(worker).unwrap()));
                count += 1;
                "a new connection".to_owned()
            }
        };
        assert_eq!(proxy.vm_failures(), 0, "WEIR_FUZZ_SEED={seed} weir.tcp after {what}\n{}", log(&proxy));
    }
    count
}
