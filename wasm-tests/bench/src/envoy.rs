//! One Envoy process, plain or under callgrind, that is ended when it goes out of scope.

#![expect(clippy::disallowed_methods, reason = "what is measured here is time")]

use crate::client::{self, Connection, Identity};
use crate::scene::{Ports, Scene, bootstrap};
use crate::variants::Variant;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_launch::{Deadline, Received, Reply, Upstream};

/// The folder of built modules: `WEIR_DIST`, or `dist` in the workspace.
pub(crate) fn dist() -> Result<PathBuf, String> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist");
    let path = std::env::var_os("WEIR_DIST").map_or(default, PathBuf::from);
    path.canonicalize().map_err(|_| format!("{} is missing: make build", path.display()))
}

/// An Envoy binary, the upstream behind it and the certificates of both ends.
pub(crate) struct Bench {
    path: PathBuf,
    pub(crate) version: String,
    upstream: u16,
    services: Upstream,
    server: Identity,
    tls: Arc<rustls::ClientConfig>,
}

/// The core that Envoy runs on, and the one of the load generator and the upstream.
const CORES: [&str; 2] = ["0", "1"];

impl Bench {
    /// With the Envoy that `make` asks for. Keeps this process to a core of its own.
    ///
    /// # Errors
    /// When there is no Envoy, or `taskset` is missing.
    pub(crate) fn new() -> Result<Self, String> {
        let path = weir_launch::find_wanted(&mut |line| eprintln!("{line}")).map_err(|error| error.to_string())?;
        let [_, own] = CORES;
        let pinned = Command::new("taskset").args(["-apc", own, &std::process::id().to_string()]).output();
        if !pinned.as_ref().is_ok_and(|output| output.status.success()) {
            return Err(format!("taskset cannot give this process a core of its own: {pinned:?}: make doctor"));
        }
        let [server, client] = client::identities()?;
        let tls = client::tls(&client)?;
        let services = Upstream::start(0, service).map_err(|error| error.to_string())?;
        Ok(Self { path, version: weir_launch::wanted_version(), upstream: client::upstream()?, services, server, tls })
    }

    /// Connects to the Envoy of a variant as the clients of its scene do.
    pub(crate) fn connect(&self, running: &RunningEnvoy, variant: &Variant) -> Result<Connection, String> {
        Connection::open(running.ports.listener, variant.scene.tls().then_some(&self.tls), &variant.request)
    }

    /// Starts a variant and waits until it is ready. `callgrind` starts it with instrumentation off; else it has a core of
    /// its own if it has one worker.
    pub(crate) fn start(&self, variant: &Variant, workers: usize, callgrind: bool) -> Result<RunningEnvoy, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let ports = Ports { listener: free_port()?, admin: free_port()? };
        let config = folder.path().join("envoy.json");
        let Variant { scene, filters, access_log, asks_services, outside_istio, .. } = variant;
        let services = asks_services.then(|| self.services.address().port());
        let mut tree = bootstrap(*scene, ports, self.upstream, &self.server, filters, access_log, services);
        if *outside_istio && let Some(fields) = tree.as_object_mut() {
            fields.insert("node".to_owned(), Scene::Plain.node());
        }
        fs::write(&config, tree.to_string()).map_err(|error| error.to_string())?;
        let log = fs::File::create(folder.path().join("log")).map_err(|error| error.to_string())?;
        // A child runs where its parent does, unless it is set otherwise.
        let [core, _] = CORES;
        let mut command = Command::new("taskset");
        command.args(["-c", if workers == 1 { core } else { "0,1" }]);
        if callgrind {
            command.args(["valgrind", "--tool=callgrind", "--instr-atstart=no", "--smc-check=all-non-file"]);
            command.arg(vgdb_prefix(&folder));
            command.arg(format!("--callgrind-out-file={}", folder.path().join("callgrind").display()));
        }
        command.arg(&self.path).arg("-c").arg(&config);
        command.args(["--disable-hot-restart", "--log-level", "warning", "--concurrency", &workers.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let begun = Instant::now();
        let child = command.spawn().map_err(|error| format!("taskset cannot be started ({error}): make doctor"))?;
        let mut running = RunningEnvoy { child, ports, folder, ready_after: Duration::ZERO };
        running.wait_ready().map_err(|error| format!("{}: {error}", variant.name))?;
        running.ready_after = begun.elapsed();
        Ok(running)
    }
}

/// What the services of the benchmark say to every call: yes. An empty `CheckResponse` is one, and of a `RateLimitResponse`
/// the first field says so.
fn service(call: &Received) -> Reply {
    let message: &[u8] = if call.path.ends_with("/ShouldRateLimit") { &[0, 0, 0, 0, 2, 0x08, 1] } else { &[0; 5] };
    let pair = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    Reply {
        status: 200,
        headers: vec![pair("content-type", "application/grpc")],
        body: message.to_vec(),
        trailers: vec![pair("grpc-status", "0")],
        ..Reply::default()
    }
}

/// Where valgrind keeps the pipes through which it gets commands: it leaves them behind when it is killed.
fn vgdb_prefix(folder: &tempfile::TempDir) -> String {
    format!("--vgdb-prefix={}", folder.path().join("vgdb").display())
}

/// A running Envoy.
pub(crate) struct RunningEnvoy {
    child: Child,
    ports: Ports,
    folder: tempfile::TempDir,
    /// From its start until it was ready, to within a few milliseconds.
    pub(crate) ready_after: Duration,
}

impl RunningEnvoy {
    fn wait_ready(&mut self) -> Result<(), String> {
        let deadline = Deadline::after(Duration::from_secs(240));
        loop {
            if ready(self.ports.admin) {
                return Ok(());
            }
            let ended = self.child.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || deadline.passed() {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let tail = lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join("\n");
                return Err(format!("Envoy did not become ready:\n{tail}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a command to callgrind.
    pub(crate) fn callgrind(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new("callgrind_control");
        command.arg(vgdb_prefix(&self.folder)).args(arguments).arg(self.child.id().to_string());
        let output = command.output();
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(format!("callgrind_control failed: {}", String::from_utf8_lossy(&output.stderr))),
            Err(error) => Err(format!("callgrind_control cannot be started ({error}): make doctor")),
        }
    }

    /// Instructions of the `number`th dump, counted from 1.
    pub(crate) fn dump(&self, number: usize) -> Result<u64, String> {
        let path = self.folder.path().join(format!("callgrind.{number}"));
        let total = weir_launch::wait_until(Duration::from_secs(60), || {
            let text = fs::read_to_string(&path).ok()?;
            text.lines().rev().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
        });
        total.ok_or_else(|| format!("callgrind did not write {}", path.display()))
    }

    /// CPU time of all threads so far, in nanoseconds, from `/proc/PID/task/*/schedstat`.
    pub(crate) fn cpu_nanos(&self) -> Result<u64, String> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let entries = fs::read_dir(&tasks).map_err(|error| format!("{tasks}: {error}"))?;
        let nanos = entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("schedstat")).ok());
        Ok(nanos.filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok()).sum())
    }

    /// What Envoy has allocated and not freed, in KiB: the rest of its heap is free memory that its allocator keeps.
    pub(crate) fn allocated_kib(&self) -> Result<u64, String> {
        let answer = admin(self.ports.admin, "/memory").unwrap_or_default();
        // The body may come as a chunk.
        let body = answer.find('{').zip(answer.rfind('}')).and_then(|(from, to)| answer.get(from..=to));
        let memory: Value =
            serde_json::from_str(body.unwrap_or_default()).map_err(|error| format!("/memory: {error}"))?;
        let bytes = memory.get("allocated").and_then(Value::as_str).and_then(|bytes| bytes.parse::<u64>().ok());
        bytes.map(|bytes| bytes / 1024).ok_or_else(|| format!("/memory has no `allocated`: {memory}"))
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).ok_or_else(|| format!("{path} has no VmRSS"))
    }
}

impl Drop for RunningEnvoy {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> Result<u16, String> {
    weir_launch::free_port().map_err(|error| error.to_string())
}

fn ready(port: u16) -> bool {
    admin(port, "/ready").is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// What the admin port answers, headers and all.
fn admin(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    Some(response)
}
