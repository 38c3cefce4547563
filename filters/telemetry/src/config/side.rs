//! The two ends of a stream.

use weir_model::Direction;

/// Which end of a stream the proxy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The client's proxy.
    Source,
    /// The server's proxy.
    Destination,
}

impl Side {
    /// The side that a listener of that direction reports.
    pub(crate) fn of(direction: Direction) -> Self {
        match direction {
            Direction::Inbound => Self::Destination,
            Direction::Outbound | Direction::Unspecified => Self::Source,
        }
    }
}

/// One value for each side.
#[derive(Clone, Debug, Default)]
pub(crate) struct PerSide<T> {
    source: T,
    destination: T,
}

impl<T> PerSide<T> {
    /// The value of a side.
    pub(crate) fn get(&self, side: Side) -> &T {
        match side {
            Side::Source => &self.source,
            Side::Destination => &self.destination,
        }
    }

    /// The value of a side, to be changed.
    pub(crate) fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Source => &mut self.source,
            Side::Destination => &mut self.destination,
        }
    }
}
