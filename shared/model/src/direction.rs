//! Which way a listener takes its streams.

/// The direction of a listener, `xds.listener_direction`; numbers are those of `envoy.config.core.v3.TrafficDirection`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// The listener does not say: a gateway, or Envoy without Istio.
    #[default]
    Unspecified,
    /// 1: to the workload behind the proxy.
    Inbound,
    /// 2: from it.
    Outbound,
}

impl Direction {
    /// The direction of that number; any number but 1 and 2, and `None`, is [`Direction::Unspecified`].
    #[must_use]
    pub fn of(number: Option<i64>) -> Self {
        match number {
            Some(1) => Self::Inbound,
            Some(2) => Self::Outbound,
            _ => Self::Unspecified,
        }
    }
}
