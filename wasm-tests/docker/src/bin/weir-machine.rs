//! The container for Envoy: `weir-machine 0.0.0.0:7000 /weir/bin/envoy` runs that program for each client that connects.
//! `weir-machine --which` prints the path of the Envoy that tests on this machine use, for the image.

use std::error::Error;
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done: Result<(), Box<dyn Error>> = match arguments.as_slice() {
        ["--which"] => weir_test_envoy::envoy_binary().map(|path| println!("{}", path.display())).map_err(Box::from),
        [address, program] => serve(address, program),
        _ => Err("usage: weir-machine ADDRESS:PORT PROGRAM, or weir-machine --which".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str, program: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address)?;
    Ok(weir_test_docker::serve(&listener, Path::new(program))?)
}
