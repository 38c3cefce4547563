//! Every scenario in real Envoy, several at a time.
//!
//! `WEIR_SCENARIOS=a,b` runs those whose names contain one of the texts.

use std::error::Error;

use weir_test_envoy::{RealEnvoy, envoy_binary, run_side_by_side};

#[test]
fn every_scenario_holds_in_real_envoy() -> Result<(), Box<dyn Error>> {
    eprintln!("envoy: {}", envoy_binary()?.display());
    let total = run_side_by_side(&RealEnvoy)?;
    if total.good() { Ok(()) } else { Err("scenarios differ in real Envoy".into()) }
}
