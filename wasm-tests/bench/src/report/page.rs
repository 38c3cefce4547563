//! `docs/benchmarks.md`.

use super::{Figures, grouped};
use crate::latency::{self as measured, Latency};
use crate::measure::Spread;
use crate::scene::Scene;
use crate::variants::Pair;
use std::fmt::Write as _;
use std::process::Command;

/// The whole page.
///
/// # Errors
/// When the date is not known.
pub(crate) fn page(version: &str, figures: &Figures) -> Result<String, String> {
    let mut page = format!(
        "# Benchmarks\n\n\
         `make bench` writes this page; it was measured on Envoy {version}. One worker on a core of its\n\
         own serves one keep-alive HTTP/1.1 connection. The request has four headers, the last rule\n\
         allows it, and no limit refuses it. Both sides of a comparison do the same work, and their\n\
         configurations come from one source (`wasm-tests/bench/src/rules.rs`).\n\n\
         - **Plain Envoy**: plain text, and Envoy answers with a small direct response.\n\
         - **Istio sidecar, inbound**: the node of a sidecar, mutual TLS with SPIFFE certificates, and\n  \
         an upstream cluster with the metadata that Istio gives it.\n\
         - **Istio sidecar, outbound**: the same without TLS, and with the metadata of the endpoint.\n\n\
         ## Time\n\n"
    );
    time(&mut page, figures)?;
    instructions(&mut page, figures);
    sources(&mut page, figures);
    hostile(&mut page, figures);
    latency(&mut page, figures);
    memory(&mut page, figures);
    page.push_str(PLAINLY);
    Ok(page)
}

fn instructions(page: &mut String, figures: &Figures) {
    page.push_str(
        "\n## Instructions\n\n\
         Instructions of the whole Envoy process, counted by callgrind: the difference between a run\n\
         of 400 and one of 200 requests, over 200, after a warm-up of 200. They repeat to within a few\n\
         hundred, so they are the budget that a change is held to. They are not time: entering a VM,\n\
         crossing back with bytes and evaluating CEL take more time per instruction than Envoy's own\n\
         code. A lower count here does not make a cheaper filter.\n\n\
         ![instructions added per request](benchmarks.svg)\n",
    );
    for scene in Scene::ALL {
        let _ = write!(page, "\n### {}\n\n| variant | instructions | added |\n| --- | ---: | ---: |\n", scene.title());
        for (name, all, added) in figures.instructions_of(scene) {
            let _ = writeln!(page, "| {name} | {} | {} |", grouped(all), grouped(added));
        }
    }
}

/// The parts of the page that can be written alone: heading and text. Those without figures are left out.
///
/// # Errors
/// When the date is not known.
pub(crate) fn parts(figures: &Figures) -> Result<Vec<(&'static str, String)>, String> {
    let mut parts = Vec::new();
    if !figures.rounds.is_empty() {
        let mut text = "## Time\n\n".to_owned();
        time(&mut text, figures)?;
        parts.push(("## Time\n", text));
    }
    if !figures.instructions.is_empty() {
        let mut text = String::new();
        instructions(&mut text, figures);
        parts.push(("## Instructions\n", text.trim_start().to_owned()));
    }
    if !figures.sources.is_empty() {
        let mut text = String::new();
        sources(&mut text, figures);
        parts.push((SOURCES, text.trim_start().to_owned()));
    }
    if !figures.rows.is_empty() {
        let mut text = String::new();
        hostile(&mut text, figures);
        parts.push((HOSTILE, text.trim_start().to_owned()));
    }
    if !figures.latencies.is_empty() {
        let mut text = String::new();
        latency(&mut text, figures);
        parts.push(("## Latency\n", text.trim_start().to_owned()));
    }
    if !figures.weights.is_empty() {
        let mut text = String::new();
        memory(&mut text, figures);
        parts.push(("## Memory and start\n", text.trim_start().to_owned()));
    }
    Ok(parts)
}

fn time(page: &mut String, figures: &Figures) -> Result<(), String> {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().map_err(|error| format!("no date: {error}"))?;
    let date = String::from_utf8_lossy(&date.stdout).trim().to_owned();
    let rounds = figures.rounds.values().map(Vec::len).max().unwrap_or_default();
    let _ = write!(
        page,
        "How many times as much CPU time a filter of ours adds to a request as what it is compared with.\n\
         Each ratio is of one round, in which every variant serves 1,000 requests in turn; the table\n\
         has the median of {rounds} rounds and their range, measured on {date}. Microseconds depend on\n\
         the machine: `make bench` prints those of yours.\n\n\
         Istio's own telemetry filter, `istio_stats`, is not part of Envoy, so it is not compared here;\n\
         compare with the figures that Istio publishes.\n\n\
         | ours | compared with | plain Envoy | sidecar, inbound |\n| --- | --- | ---: | ---: |\n"
    );
    let [plain, inbound] = [Scene::Plain, Scene::Inbound].map(|scene| figures.ratios_of(scene));
    let shown = |Spread { low, middle, high }: &Spread| format!("{middle:.2} ({low:.2} - {high:.2})");
    for ((Pair { ours, theirs }, plain), (_, inbound)) in plain.iter().zip(&inbound) {
        let _ = writeln!(page, "| {ours} | {theirs} | {} | {} |", shown(plain), shown(inbound));
    }
    for scene in [Scene::Plain, Scene::Inbound] {
        if let Some(rules) = figures.crossing(scene) {
            let _ = write!(
                page,
                "\n{}: from about {rules:.0} rules on, Weir's policy takes\nless time than Envoy's RBAC.\n",
                scene.title()
            );
        }
    }
    Ok(())
}

const SOURCES: &str = "## What each source costs\n";

fn sources(page: &mut String, figures: &Figures) {
    let _ = write!(
        page,
        "\n{SOURCES}\n\
         Instructions that a request of the whole process takes more with a source than without it, in\n\
         otherwise equal configurations. Where it says `absent`, the source is asked for and not there.\n\n\
         | read | plain Envoy | sidecar, inbound | sidecar, outbound |\n| --- | ---: | ---: | ---: |\n"
    );
    for what in figures.priced() {
        let [plain, inbound, outbound] = Scene::ALL.map(|scene| price(figures.price_of(what, scene)));
        let _ = writeln!(page, "| {what} | {plain} | {inbound} | {outbound} |");
    }
}

const HOSTILE: &str = "## Hostile configurations\n";

fn hostile(page: &mut String, figures: &Figures) {
    let _ = write!(
        page,
        "\n{HOSTILE}\n\
         Instructions that policies add to a request in configurations that are hard on an index, each with\n\
         a request that is hard on it; a policy behind them allows the request where they do not. RBAC has\n\
         what istiod makes of the same policies. A row of 90 copies or values is to be compared with that\n\
         of one.\n\n\
         | configuration | N | Weir, {few} rules | Weir, N rules | Envoy RBAC, N rules |\n\
         | --- | ---: | ---: | ---: | ---: |\n",
        few = crate::hostile::FEW,
    );
    for row in &figures.rows {
        let [few, many, native] = figures.added_by(row).unwrap_or_default().map(grouped);
        let _ = writeln!(page, "| {} | {} | {few} | {many} | {native} |", row.title, grouped(row.rules as u64));
    }
    let is_dear =
        |row: &&crate::hostile::Row| figures.added_by(row).is_some_and(|[few, many, _]| many > few.saturating_mul(2));
    for row in figures.rows.iter().filter(is_dear) {
        let _ = write!(page, "\nMore than twice its good case: {}.\n", row.title);
    }
}

/// Instructions with their sign, or a dash where nothing was measured.
pub(super) fn price(instructions: Option<i64>) -> String {
    match instructions {
        None => "-".to_owned(),
        Some(count) if count < 0 => format!("-{}", grouped(count.unsigned_abs())),
        Some(count) => format!("+{}", grouped(count.unsigned_abs())),
    }
}

fn latency(page: &mut String, figures: &Figures) {
    let _ = write!(
        page,
        "\n## Latency\n\n\
         How long half of the requests take at most, and all but a hundredth, at {} requests a second\n\
         over eight connections of plain Envoy, as multiples of what they take without a filter. Requests\n\
         are sent when they are due, also if earlier ones are late (open loop). And the most requests\n\
         a second that the eight connections get through, as a share of the rate without a filter. Each\n\
         figure is of the round that was disturbed least.\n\n\
         The services of the last row answer every call at once, on the core of the clients. Their row\n\
         is the hop alone: two calls over gRPC that a filter in the proxy saves.\n\n\
         | variant | half of the requests | all but a hundredth | highest rate |\n| --- | ---: | ---: | ---: |\n",
        grouped(measured::STEADY.into()),
    );
    let Some(base) = figures.latencies.first() else { return };
    for Latency { name, half_micros, most_micros, held } in &figures.latencies {
        let (half, most) = (half_micros / base.half_micros, most_micros / base.most_micros);
        let rate = f64::from(*held) / f64::from(base.held.max(1));
        let _ = writeln!(page, "| {name} | {half:.2} | {most:.2} | {rate:.2} |");
    }
}

fn memory(page: &mut String, figures: &Figures) {
    page.push_str(
        "\n## Memory and start\n\n\
         Resident MiB above Envoy without a filter: with two workers, how many of those are in use, what\n\
         the resident ones come to in a thousand pods, and those of each further worker. The rest is free\n\
         memory that Envoy's allocator keeps once V8 has compiled the module\n\
         ([decision 0017](decisions/0017-memory-of-compilation.md)). Then what the start takes, the least\n\
         of three: milliseconds to ready and CPU milliseconds with two workers, and the CPU milliseconds\n\
         of each further worker.\n\n\
         | variant | MiB, 2 workers | in use | GiB, 1,000 pods | MiB a worker | ready ms | CPU ms | CPU ms a worker |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for weight in &figures.weights {
        let above = figures.above_base(weight);
        let _ = writeln!(
            page,
            "| {} | {:.1} | {:.1} | {:.0} | {:.1} | {:.0} | {:.0} | {:.0} |",
            weight.name,
            above.mib,
            above.allocated_mib,
            above.thousand_pods_gib(),
            above.worker_mib,
            weight.ready_millis,
            weight.ready_cpu_millis[0],
            above.worker_cpu_millis
        );
    }
}

const PLAINLY: &str = "\n## Where Envoy's own is cheaper\n\n\
Any Wasm filter pays for entering the VM and for each crossing that hands bytes back. Envoy's RBAC\n\
with few policies, its RBAC with a matcher tree of exact paths, its local rate limit, its stats\n\
access logger and a Lua script that reads two headers take less time than the filter of ours that\n\
does their work. RBAC reads its list of policies one by one, so its cost grows with their number.\n";
