//! One stream's labels as a few integers: equal keys have equal labels, and comparing them is cheap.

use super::interner::{OTHER_ID, UNKNOWN};
use crate::config::side::Side;

/// What distinguishes one set of label values from another within a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Which side reports.
    pub(crate) side: Side,
    /// Number of the peer.
    pub(crate) peer: u32,
    /// Number of the service.
    pub(crate) service: u32,
    /// HTTP status; 0 for none.
    pub(crate) code: u16,
    /// Whether the request was gRPC.
    pub(crate) grpc_request: bool,
    /// gRPC status of a gRPC request.
    pub(crate) grpc: Option<i64>,
    /// Envoy's response flags.
    pub(crate) flags: u64,
    /// Number of the peer's principal.
    pub(crate) peer_principal: u32,
    /// Number of the local workload's principal.
    pub(crate) local_principal: u32,
    /// Whether both ends showed a certificate with a URI SAN to each other; known on the destination's side only.
    pub(crate) mutual_tls: bool,
    /// The peer is what it says of itself, and no certificate vouches for that.
    pub(crate) client_peer: bool,
    /// Number of what is left of the service without a client's `Host`.
    pub(crate) sure_service: u32,
}

/// Which of several rows is made first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// The row that counts what has no other.
    Overflow,
    /// A certificate vouches for the peer, and no client chose a label.
    Vouched,
    /// No client chose a label.
    Plain,
    /// A client may have made up a label.
    Invented,
}

impl Key {
    /// Whether a client may have made up what distinguishes this row.
    pub(crate) fn is_invented(&self) -> bool {
        (self.client_peer && self.peer != OTHER_ID) || self.service != self.sure_service
    }

    /// Whether a certificate vouches for this row.
    pub(crate) fn is_vouched(&self) -> bool {
        self.peer_principal != UNKNOWN && !self.is_invented()
    }

    /// The same as a key whose peer no certificate vouches for.
    pub(crate) fn unvouched(mut self) -> Self {
        self.client_peer = true;
        self.folded()
    }

    /// When its row is made, compared with others.
    pub(crate) fn rank(&self) -> Rank {
        match (self.is_invented(), self.is_vouched()) {
            (true, _) => Rank::Invented,
            (false, true) => Rank::Vouched,
            (false, false) => Rank::Plain,
        }
    }

    /// Who pays for the time that its series take: the peer's principal, if a certificate proves it.
    pub(crate) fn account(&self) -> u32 {
        if self.rank() == Rank::Vouched { self.peer_principal } else { UNKNOWN }
    }

    /// The same with `other` in place of everything that a client can make up.
    pub(crate) fn folded(mut self) -> Self {
        if self.client_peer {
            self.peer = OTHER_ID;
        }
        self.service = self.sure_service;
        self
    }
}
