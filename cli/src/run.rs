//! `weir run`: a real Envoy with a bootstrap of the operator's, in front of an upstream, and one line for each request.

mod configuration;
#[cfg_attr(not(feature = "identities"), path = "run/without_identities.rs")]
mod identities;
mod requests;
mod watch;

use crate::bootstrap::{Bootstrap, Ports};
use crate::check;
use crate::compile::Module;
use crate::diagnostic::{Diagnostic, count};
use crate::documents::Contents;
use crate::report::{self, Record, Summary};
use crate::tree::Origin;
use crate::{Failure, Run, input, modules, print};
use identities::Identities;
use requests::Planned;
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use watch::{Edit, Watch};
use weir_launch::{Client, Envoy, Launch, LogTail, Request, Upstream};

const REQUESTS: &str = include_str!("../../envoy-configs/requests.yaml");
/// The name requests are sent to.
const AUTHORITY: &str = "cart.shop.example";

/// Runs until the requests are answered (`--exit`) or for good.
pub(crate) fn run(options: &Run) -> Result<(), Failure> {
    let mut bootstrap = configuration::read(options)?;
    set_ports(&mut bootstrap, options)?;
    let planned = planned(options)?;
    let binary = weir_launch::find_wanted(&mut |line| note!("{line}")).map_err(needed)?;
    let upstream = match &options.upstream {
        Some(_) => None,
        None => Some(Upstream::start(0, weir_launch::echo).map_err(|error| needed(format!("no upstream: {error}")))?),
    };
    let (host, port) = target(options, upstream.as_ref())?;
    let replaced = bootstrap.set_upstream(&host, port);
    if let (true, Some(upstream)) = (replaced.is_empty(), &options.upstream) {
        return Err(Failure::Use(format!(
            "`--upstream {upstream}` has nothing to replace: no route of the first listener leads to a cluster whose \
             endpoints are all on loopback"
        )));
    }
    let identities = Identities::of(&planned, &mut bootstrap)?;
    let launch = Launch::new(&binary).map_err(needed)?;
    let modules = launch.dir().to_owned();
    bootstrap.set_modules(|file| module_path(&modules, file)).map_err(Failure::Use)?;
    let watched: Vec<PathBuf> = options.paths.iter().chain(&options.config).cloned().collect();
    let mut watch = (!options.exit && !watched.is_empty()).then(|| Watch::new(watched, &modules));
    if let Some(watch) = &mut watch {
        watch.discover(&mut bootstrap)?;
    }
    let envoy = launch.log_level("warning").start(&bootstrap.to_json()).map_err(|error| {
        let refused = "weir: configuration refused: ";
        let problems = error.log().iter().filter_map(|line| line.split_once(refused)).map(|(_, problem)| problem);
        let problems = problems.collect::<Vec<_>>().join("\n");
        Failure::No(match problems.is_empty() {
            true => error.to_string(),
            false => format!("envoy stopped at start; the configuration is refused:\n{problems}"),
        })
    })?;
    let mut listeners = envoy.listeners().map_err(needed)?;
    let first = bootstrap.first_listener().and_then(|name| listeners.remove(name));
    let listener = first.or_else(|| listeners.into_values().next());
    let listener = listener.ok_or_else(|| needed("the bootstrap has no listener"))?;
    let upstream = match replaced.as_slice() {
        [] => "the bootstrap's own clusters".to_owned(),
        clusters => format!("{host}:{port} for cluster {}", clusters.join(", ")),
    };
    announce(&envoy, listener, &upstream)?;
    let mut log = envoy.stdout();
    let undecided = send(&planned, &identities, listener, &mut log)?;
    if !planned.is_empty() {
        show_metrics(&envoy)?;
    }
    if options.exit {
        return match undecided {
            0 => Ok(()),
            more => Err(Failure::No(format!("{} without a decision", count(more, "request is", "requests are")))),
        };
    }
    let edits = watch.map(|watch| Edits { watch, options, modules });
    stay(envoy, listener, log, edits)
}

/// What a run does when its files change.
struct Edits<'o> {
    watch: Watch,
    options: &'o Run,
    /// Where the modules are.
    modules: PathBuf,
}

impl Edits<'_> {
    /// Reads the files if they have changed, and says what became of it.
    fn apply(&mut self, envoy: &Envoy) -> Result<(), Failure> {
        if !self.watch.has_changed() {
            return Ok(());
        }
        let read = configuration::read(self.options).and_then(|mut bootstrap| {
            bootstrap.set_modules(|file| module_path(&self.modules, file)).map_err(Failure::Use)?;
            Ok(bootstrap)
        });
        let refused = match read {
            Ok(mut bootstrap) => match self.watch.hand_over(&mut bootstrap, envoy)? {
                Edit::Taken => return say!("-- the files have changed: in force"),
                Edit::Unchanged => return say!("-- the files have changed, and nothing that runs"),
                Edit::Unknown => return say!("-- the files have changed: Envoy has not said what became of it"),
                Edit::Refused => "Envoy refuses it".to_owned(),
            },
            Err(Failure::No(message) | Failure::Use(message)) => message,
            Err(quiet @ Failure::Quiet(_)) => return Err(quiet),
        };
        note!("weir: {refused}");
        say!("-- the files have changed, and are refused: the old configuration stays in force")
    }
}

fn needed(error: impl ToString) -> Failure {
    Failure::Use(error.to_string())
}

/// Puts in the ports of the options, which must be free.
fn set_ports(bootstrap: &mut Bootstrap, options: &Run) -> Result<(), Failure> {
    if let Some(written) = bootstrap.ports() {
        let ports = Ports {
            listener: options.port.unwrap_or(written.listener),
            admin: options.admin_port.unwrap_or(written.admin),
        };
        for port in [ports.listener, ports.admin] {
            if port != 0 {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                weir_launch::check_free(address).map_err(|error| {
                    needed(format!("{error}: choose another with --port and --admin-port (make run PORT=N ADMIN_PORT=N); 0 is any free one"))
                })?;
            }
        }
        bootstrap.set_ports(ports);
    }
    Ok(())
}

/// Refuses what `weir validate` refuses, in the same words, and shows its warnings. What is wrong in the document is said of
/// its own file.
fn accept(bootstrap: &Bootstrap, name: &str, config: Option<&Origin>, show: impl Fn(&str)) -> Result<(), Failure> {
    let contents = Contents::of(bootstrap.tree());
    let mut refused: Vec<String> = Vec::new();
    let mut say = |diagnostic: &Diagnostic, found: Option<&str>| {
        let line = match (config, found.and_then(|path| diagnostic.path.strip_prefix(path))) {
            (Some(config), Some(inner)) => config.line(Diagnostic { path: format!("${inner}"), ..diagnostic.clone() }),
            _ => diagnostic.line(name),
        };
        if !diagnostic.is_error() {
            show(&line);
        } else if !refused.contains(&line) {
            refused.push(line);
        }
    };
    contents.diagnostics.iter().for_each(|diagnostic| say(diagnostic, None));
    for found in &contents.found {
        let module = found.plugin.as_ref().and_then(|plugin| plugin.module);
        let module = module.unwrap_or_else(|| Module::of(&found.document));
        for diagnostic in check::check(found, module, &contents, &check::Others::default()).diagnostics {
            say(&diagnostic, Some(&found.path));
        }
    }
    match refused.is_empty() {
        true => Ok(()),
        false => Err(Failure::No(format!("the configuration is refused:\n{}", refused.join("\n")))),
    }
}

fn planned(options: &Run) -> Result<Vec<Planned>, Failure> {
    match (&options.requests, &options.bootstrap) {
        (Some(path), _) => requests::read(&path.display().to_string(), &input::read_text(path)?),
        (None, None) if options.paths.is_empty() => requests::read("the built-in requests", REQUESTS),
        (None, _) => Ok(Vec::new()),
    }
}

/// Host and port that requests go to.
fn target(options: &Run, upstream: Option<&Upstream>) -> Result<(String, u16), Failure> {
    if let Some(upstream) = upstream {
        return Ok((upstream.address().ip().to_string(), upstream.address().port()));
    }
    let text = options.upstream.as_deref().unwrap_or_default();
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    parts.ok_or_else(|| Failure::Use(format!("`{text}` is not HOST:PORT")))
}

/// The file of a module: the one named if it exists, else the one inside this binary.
fn module_path(dir: &Path, file: &str) -> Result<String, String> {
    if Path::new(file).is_file() {
        return Ok(file.to_owned());
    }
    let name = Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or(file);
    let bytes = modules::find(name).ok_or_else(|| format!("the module `{file}` is missing: run `make build`"))?;
    let path = dir.join(name);
    fs::write(&path, bytes).map_err(|error| format!("`{}` cannot be written: {error}", path.display()))?;
    Ok(path.display().to_string())
}

fn announce(envoy: &Envoy, listener: SocketAddr, upstream: &str) -> Result<(), Failure> {
    say!("Envoy {} on http://{listener}, upstream {upstream}", version(envoy))?;
    say!("admin http://{}", envoy.admin())?;
    say!("")
}

/// What the running Envoy says it is; `ENVOY` may name any.
fn version(envoy: &Envoy) -> String {
    let info = envoy.admin_get("/server_info").ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let full = info.as_ref().and_then(|info| info.get("version")?.as_str());
    full.and_then(|full| full.split('/').nth(1)).unwrap_or("of unknown version").to_owned()
}

/// Sends the requests, prints a line for each, and tells how many of them no filter decided.
fn send(
    planned: &[Planned],
    identities: &Identities,
    listener: SocketAddr,
    log: &mut LogTail,
) -> Result<usize, Failure> {
    let mut undecided = 0;
    let client = Client::new().map_err(needed)?;
    let colours = report::Colours::of_terminal();
    // Who sends it is a column where it matters.
    let has_principals = planned.iter().any(|plan| plan.principal.is_some());
    let sender = |principal: &str| if has_principals { format!("{principal:<36} ") } else { String::new() };
    if !planned.is_empty() {
        say!("{:<34} {}{}", "sent", sender("principal"), report::titles())?;
    }
    for plan in planned {
        let mut request = Request::new(&plan.method, AUTHORITY, &plan.path);
        for (name, value) in &plan.headers {
            request = request.header(name, value);
        }
        let sent = identities.connect(&client, listener, plan.principal.as_ref());
        let answer = sent.and_then(|mut connection| connection.send(&request)).map(|response| response.status);
        // What Envoy cannot parse it answers itself, and the log has no method for it.
        let patience = if matches!(answer, Ok(400) | Err(_)) { 1 } else { 5 };
        let record = weir_launch::wait_until(Duration::from_secs(patience), || {
            log.lines().ok()?.iter().filter_map(|line| Record::parse(line)).find(|one| one.is_of(&plan.method))
        });
        let line = match (record, answer) {
            (Some(record), _) => record.line(colours),
            (None, answer) => {
                undecided += 1;
                let answer = answer.map_or_else(|error| error.to_string(), |status| format!("status {status}"));
                print::plain(&format!(
                    "{} {}: {answer}, and no decision: Envoy refuses it before any filter",
                    plan.method, plan.path
                ))
            }
        };
        let sent = format!("{:<34} {}", plan.say, sender(plan.principal.as_deref().unwrap_or("-")));
        print::whole(&(print::plain(&sent) + &line))?;
    }
    Ok(undecided)
}

fn show_metrics(envoy: &Envoy) -> Result<(), Failure> {
    let summary = || Some(Summary::of(&envoy.counted("/stats/prometheus").ok()?));
    // Envoy merges histograms once per flush interval, five seconds by default.
    let merged = weir_launch::wait_until(Duration::from_secs(7), || summary().filter(Summary::has_latency));
    let summary = match merged {
        Some(summary) => summary,
        None => Summary::of(&envoy.admin_get("/stats/prometheus").map_err(needed)?),
    };
    say!("")?;
    say!("counted by Envoy (sums over http://{}/stats/prometheus)", envoy.admin())?;
    for line in summary.lines() {
        say!("  {line}")?;
    }
    say!("")?;
    Ok(())
}

/// Prints one line for each request until the process is ended, or Envoy is.
fn stay(mut envoy: Envoy, listener: SocketAddr, mut log: LogTail, mut edits: Option<Edits<'_>>) -> Result<(), Failure> {
    say!("up until ctrl-C. Try:")?;
    let examples: &[&str] =
        if edits.is_some() { &["/"] } else { &["/items/42", "/admin/users", "/cart -H 'x-user: ann'"] };
    for example in examples {
        say!("  curl -i http://{listener}{example}")?;
    }
    say!("  curl http://{}/stats/prometheus", envoy.admin())?;
    say!("")?;
    say!("{}", report::titles())?;
    let colours = report::Colours::of_terminal();
    loop {
        if let Some(status) = envoy.exited().map_err(needed)? {
            return Err(Failure::No(format!("envoy ended: {status}")));
        }
        for record in log.lines().map_err(needed)?.iter().filter_map(|line| Record::parse(line)) {
            print::whole(&record.line(colours))?;
        }
        if let Some(edits) = &mut edits {
            edits.apply(&envoy)?;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
