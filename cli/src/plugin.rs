//! A Wasm plugin as Envoy or Istio has it, but for its configuration: which module, as which kind of filter, and what
//! happens when it fails.

mod discovery;
mod fields;

pub(crate) use discovery::{Discovery, Until};

use crate::compile::Module;
use crate::field::{field, spelling};
use crate::{capabilities, input, node};
use serde_json::Value;
use weir_model::Node;

/// What is known of a place in a file from the objects that it is in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Around {
    /// The type of the Wasm extension.
    extension: Option<String>,
    /// The name of the extension.
    name: Option<String>,
    /// Path of the HTTP connection manager.
    pub(crate) manager: Option<String>,
    /// The node of the bootstrap.
    pub(crate) node: Option<Node>,
    /// The listeners that the plugin is loaded for.
    listeners: Option<Listeners>,
    /// In a Kubernetes object, which shows patches and not the whole.
    is_object: bool,
}

impl Around {
    /// The same for what is in the object `value`.
    pub(crate) fn inside(&self, value: &Value, path: &str) -> Self {
        let mut inner = self.clone();
        let text = |name| value.get(name).and_then(Value::as_str);
        // In a TypedStruct the type of the extension is its `type_url`.
        let types = [text("@type"), field(value, "type_url").and_then(Value::as_str)];
        for name in types.into_iter().flatten() {
            let name = name.rsplit('/').next().unwrap_or(name);
            if name.contains(".wasm.") {
                inner.extension = Some(name.to_owned());
            }
        }
        if field(value, "typed_config").is_some() {
            inner.name = text("name").map(str::to_owned);
        }
        if field(value, "http_filters").is_some() {
            inner.manager = Some(path.to_owned());
        }
        inner.listeners = Listeners::around(value, path).or(inner.listeners);
        inner.is_object |= value.get("kind").is_some_and(Value::is_string);
        if field(value, "static_resources").is_some() {
            inner.node = Some(node::of(value.get("node")));
        }
        inner
    }
}

/// Which listeners a plugin is loaded for, and where that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listeners {
    pub(crate) path: String,
    /// What is written there.
    pub(crate) shown: String,
    pub(crate) inbound: bool,
    pub(crate) outbound: bool,
}

impl Listeners {
    fn new(path: String, name: &str, value: &str, [inbound, outbound]: [bool; 2]) -> Self {
        Self { path, shown: format!("`{name}: {value}`"), inbound, outbound }
    }

    /// What a listener of a bootstrap, a patch of an EnvoyFilter or a TrafficExtension says of what is in it.
    fn around(value: &Value, path: &str) -> Option<Self> {
        if let Some(direction) = field(value, "traffic_direction").and_then(Value::as_str) {
            let both = [direction == "INBOUND", direction == "OUTBOUND"];
            let of = || Self::new(field_path(value, path, "traffic_direction"), "traffic_direction", direction, both);
            return both.contains(&true).then(of);
        }
        if value.get("wasm").is_some_and(|wasm| wasm.get("pluginConfig").is_some()) {
            return Some(Self::selected(value, path));
        }
        if value.get("patch").is_none() || field(value, "apply_to").is_none() {
            return None;
        }
        let context = value.pointer("/match/context").and_then(Value::as_str).unwrap_or("ANY");
        let both = match context {
            "SIDECAR_INBOUND" => [true, false],
            "SIDECAR_OUTBOUND" | "GATEWAY" => [false, true],
            _ => [true, true],
        };
        Some(Self::new(format!("{path}.match.context"), "context", context, both))
    }

    /// What the `match` of a WasmPlugin or TrafficExtension says.
    fn selected(spec: &Value, path: &str) -> Self {
        let modes: Vec<&str> = spec
            .get("match")
            .and_then(Value::as_array)
            .map(|list| list.iter().map(|one| one.get("mode").and_then(Value::as_str).unwrap_or_default()).collect())
            .unwrap_or_default();
        let takes = |mode: &str| {
            modes.is_empty() || modes.iter().any(|one| *one == mode || !["CLIENT", "SERVER"].contains(one))
        };
        let shown = if modes.is_empty() { "CLIENT_AND_SERVER".to_owned() } else { modes.join(", ") };
        Self::new(format!("{path}.match"), "mode", &shown, [takes("SERVER"), takes("CLIENT")])
    }
}

/// Whose plugin it is, by its root id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// Ours: empty or `weir`.
    Http,
    /// One that no module of this version takes, although it begins with `weir.` or the plugin is declared to be ours.
    Unknown(String),
    /// Somebody else's.
    Foreign,
}

impl Root {
    fn of(id: &str, is_ours: bool) -> Self {
        match id {
            "" | "weir" => Self::Http,
            _ if is_ours || id.starts_with("weir.") => Self::Unknown(id.to_owned()),
            _ => Self::Foreign,
        }
    }
}

/// What happens when a VM dies, or the module cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Requests pass.
    Open,
    /// Requests are refused.
    Closed,
    /// Requests are refused until there is a new VM.
    Reload,
}

/// How the strategy is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The strategy, if what is written is one.
    pub(crate) strategy: Option<Strategy>,
    /// Path of the field, or of the object that lacks it.
    pub(crate) path: String,
    /// The field that is or should be there.
    pub(crate) field: String,
    /// Its value; `None` for the default.
    pub(crate) value: Option<String>,
    /// The values it may have: open, closed, reload.
    pub(crate) words: [&'static str; 3],
}

impl Written {
    /// The strategy as a reader of the file knows it.
    pub(crate) fn shown(&self) -> String {
        let [_, closed, _] = self.words;
        match &self.value {
            Some(value) => format!("`{}: {value}`", self.field),
            None => format!("no `{}`, which means `{closed}`,", self.field),
        }
    }
}

/// One plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plugin {
    /// JSON path of the object with its fields.
    pub(crate) path: String,
    pub(crate) root: Root,
    /// It has the root id of our HTTP filter, which no other filter has.
    pub(crate) names_root: bool,
    /// Its module is called after one of ours, and comes from a place that is called after Weir.
    pub(crate) is_from_weir: bool,
    /// JSON path of the root id, or of the object that lacks it.
    pub(crate) root_path: String,
    /// The module, where its file or image is called so.
    pub(crate) module: Option<Module>,
    /// Its name is that of a module that is not called for response headers, or for the end of a configuration.
    pub(crate) misses_responses: bool,
    pub(crate) misses_end: bool,
    /// The module is a file in the proxy's container, so nothing has to be pulled.
    pub(crate) is_local: bool,
    /// The kind of extension it is loaded as, if that is none for HTTP, and the path of where that is said.
    pub(crate) not_http: Option<(String, String)>,
    pub(crate) strategy: Written,
    /// Both fields that say what happens on failure.
    pub(crate) two_strategies: bool,
    /// The name of its extension configuration.
    pub(crate) name: Option<String>,
    /// Path of the HTTP connection manager it is in.
    pub(crate) manager: Option<String>,
    /// Whether the file shows every filter before it.
    pub(crate) has_whole_chain: bool,
    /// The listeners it is loaded for, where that is known.
    pub(crate) listeners: Option<Listeners>,
    /// What it may ask of Envoy, if that is restricted.
    pub(crate) allowed: Option<Allowed>,
    /// Path of a digest beside an image that has another one in its address.
    pub(crate) other_digest: Option<String>,
    /// Paths of fields that Envoy does not know.
    pub(crate) unknown: Vec<String>,
    /// In a Kubernetes object.
    pub(crate) is_object: bool,
}

impl Plugin {
    /// The plugin that `value` is, and where its configuration is in it, with dots.
    pub(crate) fn of(value: &Value, path: &str, around: &Around) -> Option<(Self, &'static str)> {
        if value.get("pluginConfig").is_some() {
            return Some((Self::istio(value, path, around), "pluginConfig"));
        }
        if around.is_object && value.get("config").is_some() && value.pointer("/code/type").is_some() {
            return Some((Self::gateway(value, path), "config"));
        }
        let is_envoys = value.get("configuration").is_some() && field(value, "vm_config").is_some();
        is_envoys.then(|| (Self::envoy(value, path, around), "configuration.value"))
    }

    /// `Wasm` of Envoy Gateway's EnvoyExtensionPolicy.
    fn gateway(value: &Value, path: &str) -> Self {
        let source = ["/code/image/url", "/code/http/url"].into_iter().find_map(|url| value.pointer(url)?.as_str());
        let open = value.get("failOpen").and_then(Value::as_bool);
        let strategy = Written {
            strategy: Some(if open == Some(true) { Strategy::Open } else { Strategy::Closed }),
            path: field_path(value, path, "failOpen"),
            field: "failOpen".to_owned(),
            value: open.map(|open| open.to_string()),
            words: ["true", "false", "false"],
        };
        let root = value.get("rootID").and_then(Value::as_str).unwrap_or_default();
        let digest = value.pointer("/code/image/sha256").and_then(Value::as_str);
        Self {
            other_digest: is_contradicted(source, digest).then(|| format!("{path}.code.image.sha256")),
            root_path: field_path(value, path, "rootID"),
            ..Self::new(path, root, source, value.get("config"), strategy)
        }
    }

    /// One with this root id, source of its module, configuration and strategy, and nothing else to say.
    fn new(path: &str, root: &str, source: Option<&str>, configuration: Option<&Value>, strategy: Written) -> Self {
        let module = source.and_then(Module::named);
        let is_ours = module.is_some() && is_document(configuration);
        Self {
            path: path.to_owned(),
            root: Root::of(root, is_ours),
            names_root: root == "weir",
            is_from_weir: module.is_some() && source.is_some_and(|source| source.contains("weir")),
            root_path: path.to_owned(),
            module,
            misses_responses: source.is_some_and(Module::misses_responses),
            misses_end: source.is_some_and(Module::misses_end),
            not_http: None,
            strategy,
            two_strategies: false,
            name: None,
            manager: None,
            has_whole_chain: false,
            listeners: None,
            is_local: false,
            allowed: None,
            other_digest: None,
            unknown: Vec::new(),
            is_object: false,
        }
    }

    /// `WasmPluginSpec`, or the `wasm` of a TrafficExtension.
    fn istio(value: &Value, path: &str, around: &Around) -> Self {
        let text = |name| value.get(name).and_then(Value::as_str);
        let network = text("type") == Some("NETWORK");
        let strategy = written(value, path, "failStrategy", ["FAIL_OPEN", "FAIL_CLOSE", "FAIL_RELOAD"]);
        let root = text("pluginName").unwrap_or_default();
        Self {
            other_digest: is_contradicted(text("url"), text("sha256")).then(|| format!("{path}.sha256")),
            root_path: field_path(value, path, "pluginName"),
            not_http: network.then(|| (format!("{path}.type"), "`type: NETWORK`".to_owned())),
            is_local: text("url").is_some_and(|url| url.starts_with("file://")),
            // A TrafficExtension says it around its `wasm`.
            listeners: Some(around.listeners.clone().unwrap_or_else(|| Listeners::selected(value, path))),
            ..Self::new(path, root, text("url"), value.get("pluginConfig"), strategy)
        }
    }

    /// `envoy.extensions.wasm.v3.PluginConfig`.
    fn envoy(value: &Value, path: &str, around: &Around) -> Self {
        let text = |name| field(value, name).and_then(Value::as_str);
        let code = field(value, "vm_config").and_then(|vm| vm.get("code"));
        let local = code.and_then(|code| code.pointer("/local/filename"));
        let remote = code.and_then(|code| field(code.get("remote")?, "http_uri")?.get("uri"));
        let file = local.or(remote).and_then(Value::as_str);
        let extension = around.extension.as_ref().filter(|name| !name.contains(".filters.http."));
        let mut strategy = written(value, path, "failure_policy", ["FAIL_OPEN", "FAIL_CLOSED", "FAIL_RELOAD"]);
        let old = spelling(value, "fail_open");
        let two_strategies = old.is_some() && strategy.value.is_some();
        if let (Some(name), None) = (old, &strategy.value)
            && let Some(open) = value.get(&name).and_then(Value::as_bool)
        {
            strategy.strategy = Some(if open { Strategy::Open } else { Strategy::Closed });
            strategy.path = format!("{path}.{name}");
            strategy.field = name;
            strategy.value = Some(open.to_string());
        }
        let root = text("root_id").unwrap_or_default();
        let plugin = Self::new(path, root, file, value.pointer("/configuration/value"), strategy);
        let digest = code.and_then(|code| code.pointer("/remote/sha256")?.as_str());
        let vm = spelling(value, "vm_config").unwrap_or_default();
        Self {
            other_digest: is_contradicted(file, digest).then(|| format!("{path}.{vm}.code.remote.sha256")),
            root_path: field_path(value, path, "root_id"),
            is_local: local.is_some(),
            not_http: extension.map(|name| (path.to_owned(), format!("`{name}`"))),
            two_strategies,
            name: around.name.clone(),
            manager: around.manager.clone(),
            // A cluster has HTTP filters too, and requests come to them from any listener.
            has_whole_chain: around.manager.is_some() && !around.is_object && !path.contains(".clusters["),
            listeners: around.listeners.clone(),
            allowed: Allowed::of(value, path),
            unknown: fields::unknown(value, path),
            is_object: around.is_object,
            ..plugin
        }
    }
}

/// A list of capabilities that is not empty, and its path: what is not in it, Envoy does not let the module do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) path: String,
    names: Vec<String>,
}

impl Allowed {
    fn of(value: &Value, path: &str) -> Option<Self> {
        let vm = spelling(value, "vm_config");
        let inner = vm.as_ref().and_then(|vm| Some((value.get(vm)?, format!("{path}.{vm}"))));
        [Some((value, path.to_owned())), inner].into_iter().flatten().find_map(|(holder, path)| {
            let name = spelling(holder, "capability_restriction_config")?;
            let list =
                field(holder.get(&name)?, "allowed_capabilities")?.as_object().filter(|list| !list.is_empty())?;
            Some(Self { path: format!("{path}.{name}"), names: list.keys().cloned().collect() })
        })
    }

    /// What it lacks of what a module needs.
    pub(crate) fn missing(&self, module: Module) -> Vec<&'static str> {
        let mut missing = capabilities::essential(module);
        missing.retain(|needed| !self.names.iter().any(|name| name == needed));
        missing
    }
}

/// Whether an image has one digest in its address and another one beside it.
fn is_contradicted(address: Option<&str>, digest: Option<&str>) -> bool {
    let within = address.and_then(|address| address.split_once("@sha256:")).map(|(_, digest)| digest);
    // With `nil` an EnvoyFilter says that there is none.
    let beside = digest.filter(|digest| !["", "nil"].contains(digest));
    within.zip(beside).is_some_and(|(within, beside)| within != beside.strip_prefix("sha256:").unwrap_or(beside))
}

/// Whether a configuration has the field that every document of Weir has. Others call their modules `policy.wasm` too.
fn is_document(configuration: Option<&Value>) -> bool {
    match configuration {
        Some(Value::String(text)) => input::json(text).is_ok_and(|document| document.get("schema").is_some()),
        Some(document) => document.get("schema").is_some(),
        None => false,
    }
}

/// Path of the field of `value`, or of `value` itself if it lacks it.
fn field_path(value: &Value, path: &str, name: &str) -> String {
    spelling(value, name).map_or_else(|| path.to_owned(), |name| format!("{path}.{name}"))
}

fn written(value: &Value, path: &str, name: &str, words: [&'static str; 3]) -> Written {
    let found = spelling(value, name);
    let text = found.as_ref().and_then(|name| value.get(name));
    let text = text.map(|text| text.as_str().map_or_else(|| text.to_string(), str::to_owned));
    let [open, closed, reload] = words;
    let strategy = match text.as_deref() {
        None | Some("UNSPECIFIED") => Some(Strategy::Closed),
        Some(word) if word == open => Some(Strategy::Open),
        Some(word) if word == closed => Some(Strategy::Closed),
        Some(word) if word == reload => Some(Strategy::Reload),
        Some(_) => None,
    };
    Written {
        strategy,
        path: field_path(value, path, name),
        field: found.unwrap_or_else(|| name.to_owned()),
        value: text,
        words,
    }
}
