//! Limits on the distinct values of single labels. Beyond its limit, a new value of a label is folded to `other`.

use super::peer::Peer;
use super::service::Service;
use crate::config::cardinality::Cardinality;
use crate::config::side::Side;
use crate::labels::names::{EndLabels, SERVICE_HOST, SERVICE_NAME};
use weir_metrics::{Fold, VALUE_BYTES};
use weir_model::SortedMap;

/// The limits of one VM, by label.
#[derive(Debug)]
pub(crate) struct Folds(SortedMap<&'static str, Fold>);

impl Folds {
    pub(crate) fn new(cardinality: &Cardinality) -> Self {
        Self(cardinality.fold.iter().map(|(label, limit)| (*label, Fold::new(*limit))).collect())
    }

    /// Folds the labels of a peer, if `side` reports.
    pub(crate) fn peer(&mut self, side: Side, peer: &mut Peer) {
        let labels = EndLabels::of_peer(side);
        let Peer { workload, namespace, service, revision, app, version, cluster, identity } = peer;
        let values = [
            (labels.workload, workload),
            (labels.service, service),
            (labels.revision, revision),
            (labels.app, app),
            (labels.version, version),
            (labels.cluster, cluster),
        ];
        for (label, value) in values {
            self.fold(label, value);
        }
        namespace.truncate(VALUE_BYTES);
        identity.truncate(VALUE_BYTES);
    }

    /// Folds the labels of a service.
    pub(crate) fn service(&mut self, service: &mut Service) {
        self.fold(SERVICE_HOST, &mut service.host);
        self.fold(SERVICE_NAME, &mut service.name);
        service.namespace.truncate(VALUE_BYTES);
    }

    /// Folds a principal, the value of `label`, that is not empty.
    pub(crate) fn principal<'v>(&mut self, label: &'static str, principal: &'v [u8]) -> &'v [u8] {
        match self.0.get_mut(label) {
            Some(fold) => fold.admit(principal),
            None => principal,
        }
    }

    fn fold(&mut self, label: &'static str, value: &mut Vec<u8>) {
        value.truncate(VALUE_BYTES);
        if let Some(fold) = self.0.get_mut(label).filter(|_| !value.is_empty()) {
            *value = fold.admit(value).to_vec();
        }
    }
}
