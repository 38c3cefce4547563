//! The table, on the terminal and as `docs/benchmarks.md` with its picture.

use crate::envoy::Binary;
use crate::measure::Row;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

struct Line {
    name: String,
    instructions: String,
    added: String,
    cpu: String,
    memory: String,
}

fn lines(rows: &[Row]) -> Vec<Line> {
    let base = rows.first().cloned().unwrap_or_default();
    rows.iter()
        .map(|row| Line {
            name: row.name.clone(),
            instructions: grouped(row.instructions),
            added: grouped(row.instructions.saturating_sub(base.instructions)),
            cpu: row
                .cpu_micros
                .map_or_else(String::new, |[low, middle, high]| format!("{middle:.1} ({low:.1} - {high:.1})")),
            memory: match (row.resident_kib, base.resident_kib) {
                (Some(sizes), Some(without)) => {
                    let mib = |size: u64, without: u64| (size as f64 - without as f64) / 1024.0;
                    let added = sizes.iter().zip(without).map(|(size, without)| mib(*size, without));
                    added.map(|mib| format!("{mib:.1}")).collect::<Vec<_>>().join(" / ")
                }
                _ => String::new(),
            },
        })
        .collect()
}

/// A number with a comma every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The table for a terminal.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut out = String::new();
    let head = ("variant", "instructions", "added", "CPU us (low - high)", "MiB added, 2 / 8 workers");
    let _ = writeln!(out, "{:<46} {:>13} {:>11} {:>22} {:>26}", head.0, head.1, head.2, head.3, head.4);
    for line in lines(rows) {
        let _ = writeln!(
            out,
            "{:<46} {:>13} {:>11} {:>22} {:>26}",
            line.name, line.instructions, line.added, line.cpu, line.memory
        );
    }
    out
}

/// Writes the page and the picture.
pub(crate) fn write(envoy: &Binary, rows: &[Row]) -> Result<(), String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut page = format!(
        "# Benchmarks\n\n\
         Written by `make bench` on Envoy {}. Every figure is of the whole Envoy process: one worker, one\n\
         keep-alive HTTP/1.1 connection, one request of four headers that matches the last rule and is never\n\
         limited, a small direct response.\n\n\
         - **Instructions** a request, counted by callgrind: the difference between a run of 400 and one of\n\
         \x20\x20200 requests, divided by 200, after a warm-up of 200. They repeat to within a few hundred.\n\
         - **Added** instructions are those above Envoy without any filter.\n\
         - **CPU** microseconds a request, all threads, without callgrind: the median of seven interleaved\n\
         \x20\x20rounds of 2,000 requests, and the smallest and largest round. They depend on the machine and on\n\
         \x20\x20what else runs there.\n\
         - **Memory**: resident MiB above Envoy without any filter, with two and with eight workers.\n\n\
         ![instructions added per request](benchmarks.svg)\n\n\
         | variant | instructions | added | CPU µs (low - high) | MiB added, 2 / 8 workers |\n\
         | --- | ---: | ---: | ---: | ---: |\n",
        envoy.version
    );
    for line in lines(rows) {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} |",
            line.name, line.instructions, line.added, line.cpu, line.memory
        );
    }
    page.push_str(&not_time(rows));
    page.push_str(PLAINLY);
    fs::write(docs.join("benchmarks.md"), page).map_err(|error| error.to_string())?;
    fs::write(docs.join("benchmarks.svg"), picture(rows)).map_err(|error| error.to_string())
}

/// What a row adds to the first: instructions, and CPU microseconds by the smallest round of each.
fn added(rows: &[Row], name: &str) -> Option<(u64, f64)> {
    let (base, row) = (rows.first()?, rows.iter().find(|row| row.name == name)?);
    let [[without, ..], [with, ..]] = [base.cpu_micros?, row.cpu_micros?];
    Some((row.instructions.saturating_sub(base.instructions), with - without))
}

/// How far apart instructions and time are in this run.
fn not_time(rows: &[Row]) -> String {
    let mut text = "\n## Instructions are not time\n\n\
        Instructions repeat, so they are the budget that a change must keep. A proxy pays in time: entering\n\
        the VM, crossing back with bytes and evaluating CEL take more time per instruction than Envoy's own\n\
        code. In this run, by the smallest round:\n\n"
        .to_owned();
    for name in [
        "weir policy, 10 rules",
        "Envoy RBAC, 10 policies",
        "weir suite, 10 rules",
        "weir suite, 10 rules, in a sidecar",
    ] {
        if let Some((instructions, micros)) = added(rows, name) {
            let _ = writeln!(text, "- {name}: {} instructions and {micros:.1} µs added", grouped(instructions));
        }
    }
    text.push_str(
        "\nSo do not read a lower count of instructions as a cheaper filter. The rows `in a sidecar` are what\n\
         Istio users pay on an inbound listener. There the node is an Istio sidecar's, so each request also\n\
         reads the listener's direction and the names of route and cluster, and looks for filter state.\n\
         Traffic with certificates and peer metadata costs more than these rows, which have neither.\n",
    );
    text
}

const PLAINLY: &str = "\n## Where Envoy's own is cheaper\n\n\
Any Wasm filter pays for entering the VM and for each crossing that hands bytes back. Envoy's RBAC\n\
with a handful of policies, its RBAC with a matcher tree of exact paths, its local rate limit\n\
without a key and a Lua script that reads two headers are cheaper than the Weir filter that does\n\
their work. RBAC reads its list of policies one by one, so its cost grows with their number.\n";

/// A bar for each variant, on a logarithmic scale.
fn picture(rows: &[Row]) -> String {
    let base = rows.first().map_or(0, |row| row.instructions);
    let bars: Vec<(&str, u64)> =
        rows.iter().skip(1).map(|row| (row.name.as_str(), row.instructions.saturating_sub(base))).collect();
    let log = |value: u64| (value.max(1) as f64).log10();
    let top = bars.iter().map(|(_, value)| log(*value)).fold(4.0, f64::max);
    let (left, width, step) = (340.0, 520.0, 26.0);
    let height = 30.0 + step * bars.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"960\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"960\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{left}\" y=\"18\">instructions added per request, logarithmic</text>\n"
    );
    for (index, (name, value)) in bars.iter().enumerate() {
        let y = 30.0 + step * index as f64;
        let long = (log(*value) - 3.0).max(0.02) / (top - 3.0) * width;
        let colour = if name.starts_with("weir") { "#2a6f97" } else { "#b0b7bd" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{left}\" y=\"{y}\" width=\"{long:.1}\" height=\"18\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{}</text>",
            left - 8.0,
            y + 14.0,
            left + long + 6.0,
            y + 14.0,
            grouped(*value)
        );
    }
    svg.push_str("</svg>\n");
    svg
}
