//! One Envoy process: started on a bootstrap, waited for, asked, and ended.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Client, ClientError, Protocol, Request};
use crate::clock::Deadline;
use crate::guardian::Guardian;
use crate::log::{LogTail, last_lines, reason};

/// Filters tell Envoy what they have counted every quarter of a second.
const COUNTED_WITHIN: Duration = Duration::from_millis(300);

/// How Envoy is to be started. Make one, render a bootstrap for its [`dir`](Self::dir), then [`start`](Self::start).
#[derive(Debug)]
pub struct Launch {
    binary: PathBuf,
    dir: TempDir,
    concurrency: u32,
    log_level: String,
    component_log_level: Option<String>,
    environment: Vec<(String, OsString)>,
    ready_within: Duration,
    drain_time: Option<Duration>,
}

/// Why Envoy did not start.
#[derive(Debug)]
pub enum StartError {
    /// A file or a process of this machine failed.
    Io(&'static str, io::Error),
    /// Envoy ended before it was ready.
    Stopped {
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// Envoy was not ready in time.
    NotReady {
        /// How long was waited.
        within: Duration,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// No HTTP client could be made.
    Client(ClientError),
}

impl StartError {
    /// The last lines of Envoy's log, oldest first.
    #[must_use]
    pub fn log(&self) -> &[String] {
        match self {
            Self::Stopped { log, .. } | Self::NotReady { log, .. } => log,
            Self::Io(..) | Self::Client(_) => &[],
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, error) => write!(f, "cannot {what}: {error}"),
            Self::Stopped { status, log } => {
                write!(f, "envoy stopped at start ({status}): {}", reason(log).unwrap_or_else(nothing))
            }
            Self::NotReady { within, log } => {
                let last = reason(log).unwrap_or_else(nothing);
                write!(f, "envoy was not ready within {} s: {last}", within.as_secs())
            }
            Self::Client(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

fn nothing() -> String {
    "it logged nothing".to_owned()
}

impl Launch {
    /// A launch of that binary with one worker, log level `info`, 30 seconds to become ready, and a new empty directory.
    ///
    /// # Errors
    /// When no directory can be made.
    pub fn new(binary: &Path) -> Result<Self, StartError> {
        let dir = tempfile::Builder::new().prefix("weir-envoy-").tempdir();
        Ok(Self {
            binary: binary.to_path_buf(),
            dir: dir.map_err(|error| StartError::Io("make a directory for envoy", error))?,
            concurrency: 1,
            log_level: "info".to_owned(),
            component_log_level: None,
            environment: Vec::new(),
            ready_within: Duration::from_secs(30),
            drain_time: None,
        })
    }

    /// The directory of this run: files that the bootstrap names may be put there. It is removed with the Envoy.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The number of worker threads.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Envoy's `--log-level`.
    #[must_use]
    pub fn log_level(mut self, level: &str) -> Self {
        level.clone_into(&mut self.log_level);
        self
    }

    /// Envoy's `--component-log-level`: `wasm:debug,http:trace`.
    #[must_use]
    pub fn component_log_level(mut self, levels: &str) -> Self {
        self.component_log_level = Some(levels.to_owned());
        self
    }

    /// Sets a variable of Envoy's environment, besides those of this process.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &OsStr) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How long Envoy may take to become ready.
    #[must_use]
    pub fn ready_within(mut self, within: Duration) -> Self {
        self.ready_within = within;
        self
    }

    /// How long connections of a listener that was replaced may go on, in whole seconds, each until its next response: the
    /// options that Istio gives Envoy. Without it, Envoy's own.
    #[must_use]
    pub fn drain_time(mut self, time: Duration) -> Self {
        self.drain_time = Some(time);
        self
    }

    /// Starts Envoy on a bootstrap, YAML or JSON, and waits until its admin interface says that it is ready. Relative paths
    /// in it are relative to the working directory of this process.
    ///
    /// # Errors
    /// When Envoy cannot be started, ends, or is not ready in time; nothing is left running then.
    pub fn start(self, bootstrap: &str) -> Result<Envoy, StartError> {
        let dir = self.dir.path();
        let io = |what| move |error| StartError::Io(what, error);
        let config = dir.join("bootstrap.yaml");
        fs::write(&config, bootstrap).map_err(io("write the bootstrap"))?;
        let stdout = File::options().create(true).append(true).open(dir.join(STDOUT)).map_err(io("make a log"))?;
        let stderr = File::options().create(true).append(true).open(dir.join(LOG)).map_err(io("make a log"))?;
        let client = Client::new().map_err(StartError::Client)?;
        let mut guardian = Guardian::start(dir).map_err(io("start /bin/sh"))?;
        let mut command = Command::new(&self.binary);
        command
            .arg("--disable-hot-restart")
            .arg("--config-path")
            .arg(&config)
            .arg("--admin-address-path")
            .arg(dir.join(ADMIN))
            .args(["--concurrency", &self.concurrency.to_string(), "--log-level", &self.log_level])
            .args(["--file-flush-interval-msec", "50"]);
        if let Some(levels) = &self.component_log_level {
            command.args(["--component-log-level", levels]);
        }
        if let Some(time) = self.drain_time {
            command.args(["--drain-time-s", &time.as_secs().to_string(), "--drain-strategy", "immediate"]);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let spawned = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0).spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) => {
                guardian.dismiss();
                return Err(StartError::Io("start envoy", error));
            }
        };
        let guarded = guardian.guard(child.id());
        let mut envoy = Envoy {
            child,
            guardian: Some(guardian),
            dir: self.dir,
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
            client,
        };
        guarded.map_err(io("guard envoy"))?;
        envoy.wait_ready(self.ready_within)?;
        Ok(envoy)
    }
}

/// A running Envoy. Dropping it ends it and removes its directory.
#[derive(Debug)]
pub struct Envoy {
    child: Child,
    guardian: Option<Guardian>,
    dir: TempDir,
    admin: SocketAddr,
    client: Client,
}

const STDOUT: &str = "stdout.log";
const LOG: &str = "envoy.log";
const ADMIN: &str = "admin-address";

impl Envoy {
    /// The address of the admin interface.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The directory of this run.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Envoy's own log from the beginning.
    #[must_use]
    pub fn log(&self) -> LogTail {
        LogTail::new(&self.dir.path().join(LOG))
    }

    /// What was written to Envoy's standard output, such as access logs to `/dev/stdout`, from the beginning.
    #[must_use]
    pub fn stdout(&self) -> LogTail {
        LogTail::new(&self.dir.path().join(STDOUT))
    }

    /// How Envoy ended, if it has.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// The body of the answer to a GET of the admin interface: `/stats/prometheus`, `/config_dump`.
    ///
    /// # Errors
    /// When there is no answer, or one that is not 200.
    pub fn admin_get(&self, path: &str) -> Result<String, ClientError> {
        self.admin_ask("GET", path)
    }

    /// The same for statistics of filters: waits until they have added to them what they have counted until now.
    ///
    /// # Errors
    /// When there is no answer, or one that is not 200.
    pub fn counted(&self, path: &str) -> Result<String, ClientError> {
        std::thread::sleep(COUNTED_WITHIN);
        self.admin_get(path)
    }

    /// The same with POST: `/logging?wasm=debug`.
    ///
    /// # Errors
    /// When there is no answer, or one that is not 200.
    pub fn admin_post(&self, path: &str) -> Result<String, ClientError> {
        self.admin_ask("POST", path)
    }

    /// The addresses that listeners listen on, by name; the real ones where the bootstrap says port 0.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn listeners(&self) -> Result<BTreeMap<String, SocketAddr>, ClientError> {
        let text = self.admin_get("/listeners?format=json")?;
        let tree: Value = serde_json::from_str(&text).map_err(|error| ClientError::Unexpected(error.to_string()))?;
        let statuses = tree.get("listener_statuses").and_then(Value::as_array);
        Ok(statuses.into_iter().flatten().filter_map(listener).collect())
    }

    fn admin_ask(&self, method: &str, path: &str) -> Result<String, ClientError> {
        let request = Request::new(method, "admin", path);
        let response = self.client.send(self.admin, Protocol::Http1, &request)?;
        match response.status {
            200 => Ok(response.text()),
            status => {
                Err(ClientError::Unexpected(format!("{method} {path} answered {status}: {}", response.text().trim())))
            }
        }
    }

    fn wait_ready(&mut self, within: Duration) -> Result<(), StartError> {
        let deadline = Deadline::after(within);
        let address = self.dir.path().join(ADMIN);
        loop {
            if let Some(status) = self.exited().map_err(|error| StartError::Io("wait for envoy", error))? {
                return Err(StartError::Stopped { status, log: self.log_end() });
            }
            let admin = fs::read_to_string(&address).ok().and_then(|text| text.trim().parse().ok());
            if let Some(admin) = admin {
                self.admin = admin;
                if self.admin_get("/ready").is_ok() {
                    return Ok(());
                }
            }
            if deadline.passed() {
                return Err(StartError::NotReady { within, log: self.log_end() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log_end(&self) -> Vec<String> {
        last_lines(&self.dir.path().join(LOG), 200)
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // Only a process that has ended already cannot be killed or waited for, and then there is nothing to do.
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let (Ok(_), Some(guardian)) = (ended, self.guardian.take()) {
            guardian.dismiss();
        }
    }
}

/// Name and address of one entry of `/listeners?format=json`.
fn listener(status: &Value) -> Option<(String, SocketAddr)> {
    let address = status.pointer("/local_address/socket_address")?;
    let ip = address.get("address")?.as_str()?.parse().ok()?;
    let port = u16::try_from(address.get("port_value")?.as_u64()?).ok()?;
    Some((status.get("name")?.as_str()?.to_owned(), SocketAddr::new(ip, port)))
}
