//! The upstreams of worlds on a machine of their own: `weir-upstream 0.0.0.0:7001` serves the control that
//! `Upstreams::start_elsewhere` asks, until it is killed.

use std::net::SocketAddr;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(address) = std::env::args().nth(1).and_then(|text| text.parse::<SocketAddr>().ok()) else {
        eprintln!("usage: weir-upstream ADDRESS:PORT");
        return ExitCode::from(2);
    };
    match weir_world::control(address) {
        Ok(_control) => loop {
            std::thread::park();
        },
        Err(error) => {
            eprintln!("cannot listen on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}
