//! Envoy is killed under load and started again: which requests are lost, and that it decides again.
//!
//! Lost are those in flight, and those that come while it is away. None is answered wrongly at any time: from the first answer
//! on, a request that is denied is denied.

use std::thread::{self, sleep};
use std::time::Duration;

use weir_launch::{Client, Protocol, wait_until};
use weir_scenario::Failure;
use weir_testing::Rows;

use super::load::{ALLOWED, DENIED, Load, SLOW, Sent, once};
use super::prometheus::Prometheus;
use super::{PATIENCE, Project, failed, limits};

const DENIALS: &str = "sum by (instance) (weir_policy_decisions_total{decision=\"deny\"})";

/// When what was done, since the load began.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// Right before the kill.
    killed: Duration,
    /// When the container had ended.
    ended: Duration,
    /// Right before it was started again.
    started: Duration,
    /// When it had answered again.
    answered: Duration,
}

/// Kills one of two proxies.
pub(super) fn check(client: &Client, project: &Project, prometheus: &Prometheus) -> Result<(), Failure> {
    let mut rows = Rows::default();
    let left = limits::wait_for_window(client, project.envoy, Duration::from_secs(30))?;
    let load = Load::start(&[project.envoy, project.second]);
    let clock = load.clock;
    let counted = wait_until(PATIENCE, || denials(prometheus, "envoy:9901").filter(|&count| count > 300.0));
    rows.check("denials are counted before the kill", counted.is_some(), true);

    let slow = {
        let (client, proxy) = (Client::new().map_err(failed)?, project.envoy);
        thread::spawn(move || once(&client, proxy, &mut None, SLOW))
    };
    rows.check("a user has used up the limit", limits::statuses(client, project.envoy, "eve")?.last(), Some(&429));
    // By then it has reached the upstream, which answers after ten seconds.
    sleep(Duration::from_secs(1));
    let killed = clock.now();
    project.kill("envoy")?;
    let ended = clock.now();
    let down = wait_until(PATIENCE, || prometheus.series("up{instance=\"envoy:9901\"} == 0").ok()?.pop());
    rows.check("`up` shows it", down.is_some(), true);
    let slow = slow.join().map_err(|_| failed("a client panicked"))?;
    rows.check("a request in flight is lost", slow, None);

    let started = clock.now();
    project.start("envoy")?;
    let back = wait_until(PATIENCE, || client.send(project.envoy, Protocol::Http1, &ALLOWED.request()).ok());
    let answered = clock.now();
    rows.check("the first answer", back.map(|answer| answer.status), Some(ALLOWED.status));
    // Counts begin at zero, which a client notices.
    let whole = limits::statuses(client, project.envoy, "eve")?;
    rows.check("in the same minute", clock.now() < left, true);
    rows.check("a user has the whole limit again", whole, limits::ONE_TOO_MANY);
    sleep(Duration::from_millis(500));
    let sent = load.stop()?;
    let times = Times { killed, ended, started, answered };
    let (of_killed, of_other): (Vec<_>, Vec<_>) = sent.into_iter().partition(|(proxy, _)| *proxy == project.envoy);
    judge(&mut rows, &of_killed.into_iter().map(|(_, sent)| sent).collect::<Vec<_>>(), times);
    let wrong = of_other.iter().filter(|(_, sent)| !sent.is_right()).count();
    rows.check("the other proxy loses nothing", (of_other.len() > 300, wrong), (true, 0));

    // Prometheus takes the counters, which begin at zero too, for reset ones.
    let query = "resets(weir_policy_decisions_total{instance=\"envoy:9901\",decision=\"deny\"}[5m]) > 0";
    let reset = wait_until(PATIENCE, || prometheus.series(query).ok()?.pop());
    rows.check("Prometheus sees the counters reset", reset.is_some(), true);
    rows.check("the other's go on", denials(prometheus, "envoy-2:9901").is_some_and(|count| count > 300.0), true);
    Ok(())
}

/// What the killed proxy's clients got.
fn judge(rows: &mut Rows, sent: &[Sent], times: Times) {
    let count = |wanted: &dyn Fn(&Sent) -> bool| sent.iter().filter(|one| wanted(one)).count();
    let before = |one: &Sent| one.ended < times.killed;
    let after = |one: &Sent| one.begun > times.answered;
    let away = |one: &Sent| one.begun > times.ended && one.ended < times.started;
    rows.check(
        "requests were sent before, while it was away, and after",
        [count(&before) > 20, count(&away) > 10, count(&after) > 10],
        [true; 3],
    );
    rows.check("wrong answers", count(&|one| one.status.is_some() && !one.is_right()), 0);
    rows.check("lost before the kill", count(&|one| before(one) && one.status.is_none()), 0);
    rows.check("answered while it was away", count(&|one| away(one) && one.status.is_some()), 0);
    rows.check("lost after the first answer", count(&|one| after(one) && one.status.is_none()), 0);
    let denied = count(&|one| after(one) && one.kind == DENIED && one.is_right());
    rows.check("it denies again", denied > 0, true);
    println!(
        "compose: {} requests to the proxy that was killed: {} lost in {} ms, {} of these from its start to its first answer",
        sent.len(),
        count(&|one| one.status.is_none()),
        (times.answered.saturating_sub(times.killed)).as_millis(),
        (times.answered.saturating_sub(times.started)).as_millis(),
    );
}

/// How many requests a proxy has denied, as Prometheus knows.
fn denials(prometheus: &Prometheus, instance: &str) -> Option<f64> {
    let series = prometheus.series(DENIALS).ok()?;
    series.into_iter().find(|one| one.label("instance") == instance).map(|one| one.value)
}
