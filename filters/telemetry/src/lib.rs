//! Istio's standard metrics from what plain Envoy knows.
