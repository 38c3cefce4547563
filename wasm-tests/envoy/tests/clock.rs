//! Limits under a wall clock that is set forward and back while requests come, in real Envoy with several workers.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use weir_scenario::{Failure, Fields, Offset, Proxy as Listener, Request, Response, Session as _};
use weir_test_envoy::{Booted, Dialer, Plugin, Proxy, Setup, module};

type Outcome = Result<(), Box<dyn Error>>;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const EXCURSIONS: [i64; 4] = [HOUR, -HOUR, DAY, -DAY];

/// Limits by the header that a request has: `x-second` and `x-day` have fixed windows, `x-steady` a rate of five a second
/// with a burst of three.
fn document() -> Value {
    let by =
        |header: &str| json!({"actions": [{"request_headers": {"header_name": header, "descriptor_key": header}}]});
    let limit = |header: &str, unit: &str, requests: u32| json!({"key": header, "rate_limit": {"name": header, "unit": unit, "requests_per_unit": requests}});
    let limits = [limit("x-second", "second", 5), limit("x-day", "day", 1), limit("x-steady", "second", 5)];
    json!({
        "schema": 1,
        "name": "edge",
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "rate_limits": [by("x-second"), by("x-day"), by("x-steady")],
        "local": {
            "algorithms": {"x-steady": {"gcra": {"burst": 3}}},
            "config": {"domain": "edge", "descriptors": limits},
        },
    })
}

fn proxy(workers: u32) -> Result<Box<Proxy>, Box<dyn Error>> {
    let plugin = Plugin {
        name: "rate-limit".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("rate-limit")?,
        configuration: document().to_string(),
    };
    let setup = Setup {
        plugins: vec![plugin],
        proxy: Listener { workers, ..Listener::default() },
        own_wall_clock: true,
        ..Setup::default()
    };
    match Proxy::start(setup)? {
        Booted::Ready(proxy) => Ok(proxy),
        Booted::Refused(log) => Err(log.into()),
    }
}

fn get(header: &str) -> Request {
    Request { headers: Fields(vec![(header.into(), "a".into())]), ..Request::default() }
}

/// Seconds since the epoch by this machine's wall clock, which the proxy has when its own is right.
fn wall() -> f64 {
    #[expect(clippy::disallowed_methods, reason = "what the proxy's wall clock is compared with")]
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn number(response: &Response, header: &str) -> Option<f64> {
    response.headers.values(header).next()?.to_string().parse().ok()
}

/// Second of the day in an HTTP date.
fn second_of_day(response: &Response) -> Option<f64> {
    let date = response.headers.values("date").next()?.to_string();
    let clock = date.split(' ').nth(4)?;
    clock.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

/// How far apart two seconds of a day are.
fn apart(one: f64, other: f64) -> f64 {
    let difference = (one - other).rem_euclid(86_400.0);
    difference.min(86_400.0 - difference)
}

#[test]
fn envoy_sees_the_wall_clock_and_windows_keep_the_first_one() -> Outcome {
    for off in [-5 * HOUR, 7 * HOUR] {
        let mut proxy = proxy(2)?;
        proxy.set_wall_clock(Offset { millis: off })?;
        // Envoy renews the date of its own answers twice a second.
        thread::sleep(Duration::from_millis(1_200));
        let seconds = f64::from(i32::try_from(off / 1_000)?);
        let left = |response: &Response, header: &str| {
            let found = number(response, header).unwrap_or(-1.0);
            let expected = 86_400.0 - (wall() + seconds).rem_euclid(86_400.0);
            assert!(apart(found, expected) < 5.0, "{header}: {found} s are left of the day, not {expected}");
        };
        let passed = proxy.send(&get("x-day"))?;
        assert_eq!(passed.status, Some(200));
        left(&passed, "x-ratelimit-reset");
        let refused = proxy.send(&get("x-day"))?;
        let date = second_of_day(&refused).ok_or("no date")?;
        assert!(apart(date, wall() + seconds) < 5.0, "the date of Envoy's own answer is not of its clock: {date}");
        for off in [0, HOUR, DAY, -DAY, 0] {
            proxy.set_wall_clock(Offset { millis: off })?;
            let refused = proxy.send(&get("x-day"))?;
            assert_eq!(refused.status, Some(429), "off by {off}");
            left(&refused, "retry-after");
            left(&refused, "x-ratelimit-reset");
        }
        assert_eq!(proxy.vm_failures()?, 0);
        proxy.stop()?;
    }
    Ok(())
}

/// Sends until `ended`. Returns how many passed.
fn load(dialer: &Dialer, header: &str, ended: &AtomicBool) -> Result<u32, Failure> {
    let request = get(header);
    let mut wire = dialer.connect(&request)?;
    let mut passed = 0;
    while !ended.load(Ordering::Relaxed) {
        if !wire.is_open() {
            wire = dialer.connect(&request)?;
        }
        match wire.send(&request).status {
            Some(200) => passed += 1,
            Some(429) => {}
            other => return Err(Failure(format!("status {other:?}"))),
        }
        thread::sleep(Duration::from_millis(3));
    }
    Ok(passed)
}

/// Ends the loads however the excursions end.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn under_load_excursions_neither_let_over_nor_lock_out() -> Outcome {
    let mut proxy = proxy(2)?;
    // The first request, which says what time it is, comes while the clock is right.
    proxy.send(&get("x-day"))?;
    let dialer = proxy.dialer(&get("x-day"))?;
    let ended = AtomicBool::new(false);
    let began = wall();
    let passed = thread::scope(|scope| -> Result<_, Box<dyn Error>> {
        let loads =
            ["x-second", "x-steady"].map(|header| [0, 1].map(|_| scope.spawn(|| load(&dialer, header, &ended))));
        {
            let _end = End(&ended);
            for off in EXCURSIONS.into_iter().flat_map(|off| [off, off, 0, off, 0]) {
                proxy.set_wall_clock(Offset { millis: off })?;
                thread::sleep(Duration::from_millis(330));
            }
        }
        let ended_badly = || Err(Failure("a load ended badly".to_owned()));
        let mut sums = Vec::new();
        for load in loads {
            let mut sum = 0;
            for load in load {
                sum += load.join().unwrap_or_else(|_| ended_badly())?;
            }
            sums.push(f64::from(sum));
        }
        Ok(sums)
    })?;
    let [second, steady] = passed[..] else { return Err("two limits were asked".into()) };
    let over = wall();
    let seconds = over - began;
    let windows = over.floor() - began.floor() + 1.0;
    assert!(second <= 5.0 * windows, "{second} hits passed in {windows} windows of 5");
    // All windows but the first and the last were whole, and every one of them is used up.
    assert!(second >= 5.0 * (windows - 2.0), "{second} hits passed in {windows} windows of 5: somebody was locked out");
    assert!(steady <= 3.0 + 5.0 * seconds, "{steady} hits passed in {seconds} s");
    assert!(steady >= 5.0 * (seconds - 1.0), "{steady} hits passed in {seconds} s: somebody was locked out");
    println!(
        "{second} of at most {} in windows, {steady} of at most {:.1} at a rate",
        5.0 * windows,
        3.0 + 5.0 * seconds
    );
    assert_eq!(proxy.vm_failures()?, 0);
    proxy.stop()?;
    Ok(())
}
