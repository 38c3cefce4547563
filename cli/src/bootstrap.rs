//! A bootstrap file with this run's ports, paths and configuration in place of its own. Everything else stays as it
//! was written, so that what runs is the file the operator reads.

use serde_json::{Value, json};

/// Where a bootstrap listens and sends to, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    /// The first listener.
    pub(crate) listener: u16,
    /// The admin interface.
    pub(crate) admin: u16,
}

/// A bootstrap as a tree.
#[derive(Clone, Debug)]
pub(crate) struct Bootstrap(Value);

impl Bootstrap {
    /// Parses YAML or JSON.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let tree: Value = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
        let bootstrap = Self(tree);
        bootstrap.ports().ok_or("it needs an admin address and a first listener, both with `port_value`")?;
        Ok(bootstrap)
    }

    /// The ports it names.
    pub(crate) fn ports(&self) -> Option<Ports> {
        let port = |place: &str| self.0.pointer(place)?.as_u64().and_then(|port| u16::try_from(port).ok());
        Some(Ports { listener: port(LISTENER)?, admin: port(ADMIN)? })
    }

    /// Changes the ports.
    pub(crate) fn set_ports(&mut self, ports: Ports) {
        self.set(LISTENER, json!(ports.listener));
        self.set(ADMIN, json!(ports.admin));
    }

    /// Sends everything that goes to a loopback endpoint of a cluster to `host:port` instead.
    pub(crate) fn set_upstream(&mut self, host: &str, port: u16) {
        let Some(clusters) = self.0.pointer_mut("/static_resources/clusters").and_then(Value::as_array_mut) else {
            return;
        };
        let named = host.parse::<std::net::IpAddr>().is_err();
        for cluster in clusters {
            walk(cluster, &mut |key, value| {
                if key == "socket_address" {
                    *value = json!({"address": host, "port_value": port});
                }
            });
            if let (true, Some(cluster)) = (named, cluster.as_object_mut()) {
                cluster.insert("type".to_owned(), json!("STRICT_DNS"));
            }
        }
    }

    /// Replaces the file name of every module by what `place` gives for it.
    ///
    /// # Errors
    /// The first error of `place`.
    pub(crate) fn set_modules(&mut self, mut place: impl FnMut(&str) -> Result<String, String>) -> Result<(), String> {
        let mut failure = None;
        walk(&mut self.0, &mut |key, value| {
            let Some(file) = (key == "code").then(|| value.pointer_mut("/local/filename")).flatten() else { return };
            match place(file.as_str().unwrap_or_default()) {
                Ok(path) => *file = json!(path),
                Err(error) => failure = Some(error),
            }
        });
        failure.map_or(Ok(()), Err)
    }

    /// Replaces the configuration of every Wasm plugin by `document`.
    pub(crate) fn set_configuration(&mut self, document: &Value) {
        walk(&mut self.0, &mut |key, value| {
            let is_plugin = key == "config" && value.get("vm_config").is_some();
            if let Some(plugin) = value.as_object_mut().filter(|_| is_plugin) {
                let text = document.to_string();
                let any = json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
                plugin.insert("configuration".to_owned(), any);
            }
        });
    }

    /// The bootstrap as JSON, which Envoy reads as well as YAML.
    pub(crate) fn to_json(&self) -> String {
        self.0.to_string()
    }

    fn set(&mut self, place: &str, value: Value) {
        if let Some(found) = self.0.pointer_mut(place) {
            *found = value;
        }
    }
}

const LISTENER: &str = "/static_resources/listeners/0/address/socket_address/port_value";
const ADMIN: &str = "/admin/address/socket_address/port_value";

/// Calls `visit` for every field of every object below `tree`, parents first.
fn walk(tree: &mut Value, visit: &mut impl FnMut(&str, &mut Value)) {
    match tree {
        Value::Object(fields) => {
            for (key, value) in fields {
                visit(key, value);
                walk(value, visit);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
