//! What each phase must read. Every attribute at the end costs each request, so none is asked for that the configuration
//! cannot use.

use crate::config::{Settings, Side, Trust};
use weir_config::Mode;
use weir_model::{Attribute, Demand, Phase};

/// One demand per phase.
#[derive(Clone, Debug)]
pub(crate) struct Demands {
    request: Demand,
    response: Demand,
    end: Demand,
    end_unseen: Demand,
}

impl Demands {
    pub(crate) fn new(settings: &Settings) -> Self {
        if settings.mode == Mode::Off {
            let idle = Demand::idle();
            return Self { request: idle.clone(), response: idle.clone(), end: idle.clone(), end_unseen: idle };
        }
        let end = end(settings);
        Self {
            request: Demand { timeless: true, request_headers: true, ..Demand::default() },
            response: Demand::idle(),
            end_unseen: Demand { request_headers: true, ..end.clone() },
            end,
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

fn end(settings: &Settings) -> Demand {
    let mut attributes = vec![
        Attribute::ResponseCode,
        Attribute::ResponseFlags,
        Attribute::ResponseGrpcStatus,
        Attribute::RequestDuration,
        Attribute::RequestTotalSize,
        Attribute::ResponseTotalSize,
        Attribute::ClusterMetadata,
    ];
    let source = settings.reporter != Some(Side::Destination);
    let destination = settings.reporter != Some(Side::Source);
    if settings.reporter.is_none() {
        attributes.push(Attribute::ListenerDirection);
    }
    if destination {
        attributes.extend([Attribute::PeerUriSan, Attribute::LocalUriSan]);
        if settings.trust == Trust::Mtls {
            attributes.push(Attribute::ConnectionMtls);
        }
    }
    if source {
        attributes.extend([
            Attribute::UpstreamPeerUriSan,
            Attribute::UpstreamLocalUriSan,
            Attribute::UpstreamHostMetadata,
        ]);
    }
    if settings.istio {
        attributes.extend([Attribute::ClusterName, Attribute::RouteName]);
    }
    Demand {
        timeless: true,
        response_headers: source && settings.trust != Trust::Never,
        attributes: attributes.into_iter().collect(),
        ..Demand::default()
    }
}
