//! The local workload: the near end of every stream.

use weir_model::Node;

/// The workload that this proxy belongs to, from node metadata. What is missing there is empty, not `unknown`.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalWorkload {
    pub(crate) workload: Vec<u8>,
    pub(crate) namespace: Vec<u8>,
    pub(crate) service: Vec<u8>,
    pub(crate) revision: Vec<u8>,
    pub(crate) app: Vec<u8>,
    pub(crate) version: Vec<u8>,
    pub(crate) cluster: Vec<u8>,
}

impl LocalWorkload {
    #[inline(never)]
    pub(crate) fn new(node: &Node) -> Self {
        let field = |key: &str| node.text(key).unwrap_or_default().as_bytes().to_vec();
        let label = |key: &str| node.label(key).unwrap_or_default().as_bytes().to_vec();
        Self {
            workload: field("WORKLOAD_NAME"),
            namespace: field("NAMESPACE"),
            service: label("service.istio.io/canonical-name"),
            revision: label("service.istio.io/canonical-revision"),
            app: label("app"),
            version: label("version"),
            cluster: field("CLUSTER_ID"),
        }
    }
}
