//! The limit of `envoy.yaml`: three requests a minute for each user, where a minute is one of the clock.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use weir_launch::{Client, Protocol, Response};
use weir_scenario::Failure;

use super::{failed, page};

/// What a user's first four requests of a minute get.
pub(super) const ONE_TOO_MANY: [u16; 4] = [200, 200, 200, 429];

/// What four requests of a user get.
pub(super) fn statuses(client: &Client, proxy: SocketAddr, user: &str) -> Result<[u16; 4], Failure> {
    let mut found = [0; 4];
    for status in &mut found {
        *status = send(client, proxy, user)?.status;
    }
    Ok(found)
}

/// Returns when the minute has that much left, which it gives. Only the time is taken from the proxy, and never what is
/// expected of it.
pub(super) fn wait_for_window(client: &Client, proxy: SocketAddr, needed: Duration) -> Result<Duration, Failure> {
    let left = left(client, proxy)?;
    if left >= needed {
        return Ok(left);
    }
    sleep(left + Duration::from_millis(500));
    self::left(client, proxy)
}

/// What is left of the minute, as the header `x-ratelimit-reset` has it in whole seconds.
fn left(client: &Client, proxy: SocketAddr) -> Result<Duration, Failure> {
    let answer = send(client, proxy, "clock")?;
    let reset = answer.header("x-ratelimit-reset").and_then(|text| text.parse().ok());
    reset.map(Duration::from_secs).ok_or_else(|| failed("an answer without `x-ratelimit-reset`"))
}

fn send(client: &Client, proxy: SocketAddr, user: &str) -> Result<Response, Failure> {
    client.send(proxy, Protocol::Http1, &page::get("/cart", &[("x-user", user)])).map_err(failed)
}
