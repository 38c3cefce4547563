//! Who the proxy is: the static facts of its bootstrap node, given once per configuration.

/// Fields of a `google.protobuf.Struct`, in the order in which they came: sorting what a client sent would cost it little and
/// us much.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Struct(pub Vec<(String, StructValue)>);

impl Struct {
    /// The field of that name; of several the last, as protobuf has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&StructValue> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl<const N: usize> From<[(String, StructValue); N]> for Struct {
    fn from(fields: [(String, StructValue); N]) -> Self {
        Self(fields.into())
    }
}

impl FromIterator<(String, StructValue)> for Struct {
    fn from_iter<I: IntoIterator<Item = (String, StructValue)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

/// A value of a `google.protobuf.Struct`.
#[derive(Clone, Debug, PartialEq)]
pub enum StructValue {
    /// JSON null.
    Null,
    /// JSON number.
    Number(f64),
    /// JSON string.
    Text(String),
    /// JSON boolean.
    Bool(bool),
    /// JSON array.
    List(Vec<StructValue>),
    /// JSON object.
    Map(Struct),
}

impl StructValue {
    /// The string, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if this is one.
    pub fn as_map(&self) -> Option<&Struct> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }
}

/// A version of Envoy, from `user_agent_build_version` of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvoyVersion {
    /// 1.
    pub major: u32,
    /// The line, such as 40.
    pub minor: u32,
    /// The release in its line.
    pub patch: u32,
    /// It is that release, and not a state of the code on the way to it.
    pub is_release: bool,
}

/// The proxy's own identity, from `xds.node` (`envoy.config.core.v3.Node`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// `node.id`.
    pub id: String,
    /// `node.cluster`, the `--service-cluster`.
    pub cluster: String,
    /// Which Envoy it is; `None` if that is not known.
    pub envoy: Option<EnvoyVersion>,
    /// `node.metadata`; Istio puts `NAMESPACE`, `WORKLOAD_NAME`, `LABELS`, `CLUSTER_ID` and more here.
    pub metadata: Struct,
}

/// What a proxy is for, by the first part of an Istio node's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// `sidecar~`: beside one workload.
    Sidecar,
    /// `router~`: an ingress or egress gateway.
    Gateway,
    /// `waypoint~`: in front of the services of a namespace.
    Waypoint,
}

impl Node {
    /// The kind of proxy; `None` outside Istio.
    #[must_use]
    pub fn proxy(&self) -> Option<ProxyKind> {
        match self.id.split_once('~') {
            Some(("sidecar", _)) => Some(ProxyKind::Sidecar),
            Some(("router", _)) => Some(ProxyKind::Gateway),
            Some(("waypoint", _)) => Some(ProxyKind::Waypoint),
            _ => None,
        }
    }

    /// A metadata field that is a string.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).and_then(StructValue::as_text)
    }

    /// The string-valued entries of the `LABELS` map.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.metadata.get("LABELS").and_then(StructValue::as_map);
        let fields = labels.map(|labels| labels.0.as_slice()).unwrap_or_default();
        fields.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_text()?)))
    }

    /// One label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata.get("LABELS")?.as_map()?.get(key)?.as_text()
    }
}
