//! Real Envoy: spawn, drive, read stats and logs.
