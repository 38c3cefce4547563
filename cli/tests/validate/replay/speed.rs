//! How fast logs are replayed: the goal is 100,000 requests a second on one core, by a release build. A build with checks is
//! slower, so this asks less of it, and the time is that of the processor, so that a busy machine does not matter.

use super::{WHOSE, folder, line};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Lines that are made.
const LINES: u32 = 20_000;

/// The most processor time for a line, in microseconds: ten in a release build.
const MICROSECONDS: u64 = if cfg!(debug_assertions) { 400 } else { 10 };

#[test]
fn a_line_takes_microseconds() {
    let folder = folder();
    let mut log = String::new();
    for number in 0..LINES {
        let user = format!("user-{number}");
        let more = json!({
            "start_time": format!("2026-11-27T10:00:{:02}.123Z", number % 60),
            "request_id": format!("c0ffee-{number}"),
            "headers": {"x-user": user}, "joined_headers": {"x-user": user},
        });
        let path = ["/items/", "/admin/", "/cart?", "/nowhere/"][number as usize % 4];
        let line = line(&format!("{path}{number}"), Some(["web", "admin"][number as usize % 2]), "via_upstream", &more);
        writeln!(log, "{line}").unwrap();
    }
    fs::write(folder.path().join("many.log"), log).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .current_dir(folder.path())
        .args(["replay", "--config", "new.yaml", "many.log", "--output", "json"])
        .args(WHOSE);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    // Until it is waited for, the process shows what it used.
    let stat = format!("/proc/{}/stat", child.id());
    let fields = loop {
        let stat = fs::read_to_string(&stat).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        if fields.starts_with('Z') {
            break fields.split(' ').map(|field| field.parse::<u64>().unwrap_or(0)).collect::<Vec<_>>();
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    child.wait().unwrap();
    assert!(out.contains(&format!("\"compared\": {LINES}")), "{out}");
    // User and system time in hundredths of a second.
    let micros = (fields[11] + fields[12]) * 10_000 / u64::from(LINES);
    eprintln!("{micros} microseconds a line");
    assert!(micros <= MICROSECONDS, "{micros} microseconds a line");
}
