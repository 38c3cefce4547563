//! Bounded series: budget, overflow and name encoding for Envoy stats.
