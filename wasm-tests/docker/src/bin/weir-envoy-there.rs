//! Stands where a test expects the Envoy binary: runs the Envoy of the machine that `WEIR_MACHINE` names, with the
//! arguments it was given, and ends as that ends.

use std::net::ToSocketAddrs;
use std::process::ExitCode;
use std::{env, io};

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("weir: no envoy there: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<u8> {
    let machine = env::var("WEIR_MACHINE").map_err(io::Error::other)?;
    let machine = machine.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let arguments: Vec<_> = env::args().skip(1).collect();
    weir_test_docker::run_far(machine, &arguments, &mut io::stderr())
}
