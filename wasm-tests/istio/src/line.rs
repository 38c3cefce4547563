//! The lines of Istio whose behaviour is emulated, and where they differ.

use std::fmt;

/// A line of Istio. Behaviour is that of the release that [`release`](Self::release) names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IstioLine {
    /// 1.28, on Envoy 1.36.
    V1_28,
    /// 1.29, on Envoy 1.37.
    V1_29,
    /// 1.30, on Envoy 1.38: TrafficExtension appears, and istiod turns every WasmPlugin into one.
    V1_30,
    /// 1.31, on Envoy 1.39.
    V1_31,
}

impl IstioLine {
    /// Every line, oldest first.
    pub const ALL: [Self; 4] = [Self::V1_28, Self::V1_29, Self::V1_30, Self::V1_31];

    /// The release whose sources were read. It is what `proxyVersion` of an EnvoyFilter is matched with.
    #[must_use]
    pub fn release(self) -> &'static str {
        match self {
            Self::V1_28 => "1.28.10",
            Self::V1_29 => "1.29.6",
            Self::V1_30 => "1.30.3",
            Self::V1_31 => "1.31.0-rc.0",
        }
    }

    /// The line of Envoy that its proxies are built from.
    #[must_use]
    pub fn envoy_line(self) -> &'static str {
        match self {
            Self::V1_28 => "1.36",
            Self::V1_29 => "1.37",
            Self::V1_30 => "1.38",
            Self::V1_31 => "1.39",
        }
    }

    /// The line that a line of Envoy belongs to. Envoy 1.40 is ahead of every release of Istio and counts as the newest.
    #[must_use]
    pub fn of_envoy(line: &str) -> Self {
        Self::ALL.into_iter().find(|known| known.envoy_line() == line).unwrap_or(Self::V1_31)
    }

    /// Whether the kind TrafficExtension exists. Where it does, a WasmPlugin is turned into one, with other names.
    #[must_use]
    pub fn has_traffic_extension(self) -> bool {
        self >= Self::V1_30
    }

    /// Whether a waypoint is served plugins from the namespaces of its services. Before that its listener names a plugin
    /// that it is never served.
    #[must_use]
    pub fn serves_waypoints_across_namespaces(self) -> bool {
        self >= Self::V1_30
    }

    /// Whether `MERGE_AND_REPLACE_LIST` exists.
    #[must_use]
    pub fn has_replace_list(self) -> bool {
        self >= Self::V1_31
    }

    /// Whether the context `WAYPOINT` exists in the API. No line has code that applies it.
    #[must_use]
    pub fn has_waypoint_context(self) -> bool {
        self >= Self::V1_29
    }
}

impl fmt::Display for IstioLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_28 => "1.28",
            Self::V1_29 => "1.29",
            Self::V1_30 => "1.30",
            Self::V1_31 => "1.31",
        })
    }
}
