//! Time as a value: cores never ask a clock, the shell reads both clocks once per callback.

/// One instant as both clocks show it, read once at the start of a callback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds since the Unix epoch. It may step in either direction unless [`crate::Demand::steady_wall_clock`] is
    /// all that was demanded.
    pub wall_nanos: u64,
    /// Nanoseconds of a monotonic clock shared by every worker of the process. Rates, leases and breakers use it.
    pub mono_nanos: u64,
}

impl Now {
    /// The time of the last tick of a configuration: later than everything.
    pub const END: Self = Self { wall_nanos: u64::MAX, mono_nanos: u64::MAX };
}
