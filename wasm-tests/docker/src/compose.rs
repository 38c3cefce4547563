//! The project of `envoy-configs/compose` as a user starts it, with images of this machine in place of those that are pulled.
//!
//! The README of that folder is the list of what must hold: its requests are sent, its queries and those of the dashboard are
//! asked of Prometheus. Then Envoy is killed under load.

mod kill;
mod limits;
mod load;
mod page;
mod project;
mod prometheus;

use std::time::Duration;

use weir_launch::{Client, Protocol, wait_until};
use weir_scenario::Failure;
use weir_testing::Rows;

use page::Page;
pub use project::Project;
use prometheus::Prometheus;

/// The slowest thing awaited is the first scrape of a target that DNS has yet to name.
const PATIENCE: Duration = Duration::from_secs(40);

/// Starts the project and checks it. What runs at the end is the caller's to remove.
///
/// # Errors
/// If a container cannot be started or does not answer.
///
/// # Panics
/// With all failing rows of a table, if something is not as the README says.
pub fn check(project: &Project) -> Result<(), Failure> {
    let page = Page::read()?;
    let client = Client::new().map_err(failed)?;
    let prometheus = Prometheus::new(client.clone(), project.prometheus);

    project.up(&["envoy", "app", "prometheus"])?;
    let ready = wait_until(PATIENCE, || client.send(project.envoy, Protocol::Http1, &load::ALLOWED.request()).ok());
    ready.ok_or_else(|| Failure("envoy does not answer".to_owned()))?;
    say("requests of the README");
    requests(&page, &client, project)?;
    say("queries of the README, and of the dashboard");
    // Rates need requests between two scrapes.
    let load = load::Load::start(&[project.envoy]);
    queries(&page, &prometheus)?;
    load.stop()?;
    say("two proxies on one network");
    project.up(&["envoy-2"])?;
    two_proxies(&client, project, &prometheus)?;
    say("Envoy is killed under load");
    kill::check(&client, project, &prometheus)
}

/// Every request gets the statuses that the page gives it.
fn requests(page: &Page, client: &Client, project: &Project) -> Result<(), Failure> {
    limits::wait_for_window(client, project.envoy, Duration::from_secs(10))?;
    let mut rows = Rows::default();
    for line in page.requests()? {
        let found: Result<Vec<u16>, _> = line
            .statuses
            .iter()
            .map(|_| client.send(project.envoy, Protocol::Http1, &line.request).map(|answer| answer.status))
            .collect();
        rows.check(&line.text, found.map_err(failed)?, line.statuses);
    }
    Ok(())
}

/// Every query has an answer, and that of the page has the labels that it shows.
fn queries(page: &Page, prometheus: &Prometheus) -> Result<(), Failure> {
    let mut rows = Rows::default();
    for query in page.queries()? {
        let mut missing = query.labels.clone();
        let all = wait_until(PATIENCE, || {
            let series = prometheus.series(&query.text).ok()?;
            missing.retain(|(name, value)| !series.iter().any(|one| one.label(name) == value));
            (!series.is_empty() && missing.is_empty()).then_some(())
        });
        rows.check(&query.text, (all, missing), (Some(()), Vec::<(String, String)>::new()));
    }
    for (title, query) in page.dashboard()? {
        let found = wait_until(PATIENCE, || prometheus.series(&query).ok().filter(|series| !series.is_empty()));
        rows.check(format!("dashboard, {title}: {query}"), found.is_some(), true);
    }
    Ok(())
}

/// Counts of limits belong to one proxy, and each proxy has series of its own.
fn two_proxies(client: &Client, project: &Project, prometheus: &Prometheus) -> Result<(), Failure> {
    let up = wait_until(PATIENCE, || client.send(project.second, Protocol::Http1, &load::ALLOWED.request()).ok());
    up.ok_or_else(|| Failure("envoy-2 does not answer".to_owned()))?;
    let mut rows = Rows::default();
    limits::wait_for_window(client, project.envoy, Duration::from_secs(10))?;
    for (name, proxy) in [("envoy", project.envoy), ("envoy-2", project.second)] {
        rows.check(format!("{name}: three a minute"), limits::statuses(client, proxy, "eve")?, limits::ONE_TOO_MANY);
    }
    let query = "sum by (instance) (weir_ratelimit_decisions_total{decision=\"over_limit\",limit=\"per-user\"})";
    for instance in ["envoy:9901", "envoy-2:9901"] {
        let counted = wait_until(PATIENCE, || {
            let series = prometheus.series(query).ok()?;
            series.into_iter().find(|one| one.label("instance") == instance).filter(|one| one.value >= 1.0)
        });
        rows.check(format!("{instance} counts its own refusals"), counted.is_some(), true);
    }
    Ok(())
}

fn failed(error: impl ToString) -> Failure {
    Failure(error.to_string())
}

fn say(what: &str) {
    println!("compose: {what}");
}
