//! What each phase must read. Every attribute at the end costs each request, so none is asked for that the configuration
//! cannot use.

use crate::config::{Settings, Side, Trust};
use crate::peers::peer::PEER_HEADER;
use weir_config::Mode;
use weir_model::{Attribute, Demand, Direction, Phase, SortedSet};

/// One demand per phase.
#[derive(Clone, Debug)]
pub(crate) struct Demands {
    request: Demand,
    response: Demand,
    end: Demand,
    end_unseen: Demand,
}

impl Demands {
    #[inline(never)]
    pub(crate) fn new(settings: &Settings) -> Self {
        if settings.mode == Mode::Off {
            let [request, response, end, end_unseen] = Phase::ALL.map(|_| Demand::idle());
            return Self { request, response, end, end_unseen };
        }
        let reads_peer_metadata = settings.reads_peer_metadata(Side::Destination);
        let peer = || {
            let mut headers = SortedSet::new();
            if reads_peer_metadata {
                headers.insert(PEER_HEADER);
            }
            headers
        };
        Self {
            request: Demand { idle: !reads_peer_metadata, request_first: peer(), ..Demand::default() },
            response: response(settings),
            end_unseen: Demand { request_first: peer(), ..end(settings) },
            end: end(settings),
        }
    }

    pub(crate) fn of(&self, phase: Phase) -> &Demand {
        match phase {
            Phase::Request => &self.request,
            Phase::Response => &self.response,
            Phase::End => &self.end,
            Phase::EndUnseen => &self.end_unseen,
        }
    }
}

/// The header is read on every listener: to ask for the direction first would cost as much as the header does.
fn response(settings: &Settings) -> Demand {
    if !settings.reads_response() {
        return Demand::idle();
    }
    Demand { attributes: [Attribute::UpstreamPeerMetadata].into(), ..Demand::default() }
}

fn end(settings: &Settings) -> Demand {
    let mut attributes = vec![
        Attribute::ResponseCode,
        Attribute::ResponseFlags,
        Attribute::RequestDuration,
        Attribute::RequestTotalSize,
        Attribute::ResponseTotalSize,
        Attribute::ClusterMetadata,
    ];
    if settings.istio {
        attributes.push(Attribute::ClusterName);
    }
    // What is the same for all streams of a connection, where it is inbound.
    let mut connection = vec![Attribute::PeerUriSan, Attribute::LocalUriSan];
    if settings.istio {
        connection.extend([Attribute::PeerPrincipal, Attribute::LocalPrincipal]);
    }
    if settings.trust == Trust::Mtls {
        connection.push(Attribute::ConnectionMtls);
    }
    let mut inbound = Vec::new();
    if settings.exchanges(Side::Destination) {
        inbound.push(Attribute::DownstreamPeer);
    }
    let mut outbound =
        vec![Attribute::UpstreamPeerUriSan, Attribute::UpstreamLocalUriSan, Attribute::UpstreamHostMetadata];
    if settings.istio {
        // The routes that mean something are those of outbound listeners.
        outbound.push(Attribute::RouteName);
    }
    if settings.reads_peer_metadata(Side::Source) && !settings.reads_response() {
        outbound.push(Attribute::UpstreamPeerMetadata);
    }
    if settings.exchanges(Side::Source) {
        outbound.push(Attribute::UpstreamPeer);
    }
    if settings.host_names(Side::Source) {
        match settings.listener {
            Some(Direction::Outbound) => outbound.push(Attribute::RequestHost),
            Some(Direction::Inbound | Direction::Unspecified) => {}
            // An outbound listener must be distinguished from one without a direction.
            None => outbound.extend([Attribute::RequestHost, Attribute::ListenerDirection]),
        }
    }
    // The headers of a gRPC request never end it.
    let mut demand = Demand::default();
    demand.with_body.extend([Attribute::RequestContentType, Attribute::ResponseGrpcStatus]);
    match settings.reporter {
        None => {
            demand.inbound.extend(inbound.into_iter().chain(connection));
            demand.outbound.extend(outbound);
        }
        Some(Side::Destination) => {
            attributes.extend(inbound);
            demand.of_connection.extend(connection);
        }
        Some(Side::Source) => attributes.extend(outbound),
    }
    demand.attributes.extend(attributes);
    demand
}
