//! The names of the labels.

use crate::config::side::Side;

/// How many labels there are.
pub(crate) const COUNT: usize = 25;

/// The labels in the order in which they are emitted.
pub const LABELS: [&str; COUNT] = [
    "reporter",
    "source_workload",
    "source_canonical_service",
    "source_canonical_revision",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_service",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_service_name",
    "destination_service_namespace",
    "destination_cluster",
    "request_protocol",
    "response_code",
    "grpc_response_status",
    "response_flags",
    "connection_security_policy",
];

/// The labels of one end of a stream whose distinct values can be limited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndLabels {
    pub(crate) workload: &'static str,
    pub(crate) service: &'static str,
    pub(crate) revision: &'static str,
    pub(crate) app: &'static str,
    pub(crate) version: &'static str,
    pub(crate) cluster: &'static str,
    pub(crate) principal: &'static str,
}

impl EndLabels {
    const SOURCE: Self = Self {
        workload: "source_workload",
        service: "source_canonical_service",
        revision: "source_canonical_revision",
        app: "source_app",
        version: "source_version",
        cluster: "source_cluster",
        principal: "source_principal",
    };
    const DESTINATION: Self = Self {
        workload: "destination_workload",
        service: "destination_canonical_service",
        revision: "destination_canonical_revision",
        app: "destination_app",
        version: "destination_version",
        cluster: "destination_cluster",
        principal: "destination_principal",
    };

    /// Those of the peer, if `side` reports.
    pub(crate) fn of_peer(side: Side) -> Self {
        match side {
            Side::Source => Self::DESTINATION,
            Side::Destination => Self::SOURCE,
        }
    }

    /// Those of the local workload, if `side` reports.
    pub(crate) fn of_local(side: Side) -> Self {
        match side {
            Side::Source => Self::SOURCE,
            Side::Destination => Self::DESTINATION,
        }
    }

    fn of_workload(self) -> [&'static str; 6] {
        let Self { workload, service, revision, app, version, cluster, principal: _ } = self;
        [workload, service, revision, app, version, cluster]
    }
}

/// The host of the service that a request was for.
pub(crate) const SERVICE_HOST: &str = "destination_service";
/// The short name of that service.
pub(crate) const SERVICE_NAME: &str = "destination_service_name";

/// The labels whose distinct values can be limited: those that name a peer, a principal or a service.
pub(crate) fn foldable() -> impl Iterator<Item = &'static str> {
    let [source, destination] = [EndLabels::SOURCE, EndLabels::DESTINATION];
    let others = [source.principal, destination.principal, SERVICE_HOST, SERVICE_NAME];
    source.of_workload().into_iter().chain(destination.of_workload()).chain(others)
}
