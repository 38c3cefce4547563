//! `match` of a patch: what of a listener, a route configuration or a cluster it is about.

use serde_json::Value;

use super::patch::{ApplyTo, Context};
use crate::error::ApplyError;
use crate::object::Object;

/// The part of `match` that names an object; [`Any`](Self::Any) where there is none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ObjectMatch {
    Any,
    Listener(Value),
    Route(Value),
    Cluster(Value),
}

/// The listeners of a sidecar that hold the chains of many ports.
const VIRTUAL: [&str; 2] = ["virtualInbound", "virtualOutbound"];
const MANAGER: &str = "envoy.filters.network.http_connection_manager";
/// Its name before 2020. Istio's admission takes it, and no filter has it any more.
const OLD_MANAGER: &str = "envoy.http_connection_manager";

impl ObjectMatch {
    /// Reads the match, and refuses what Istio's admission refuses: a match of another kind of object, and filters
    /// without a name.
    pub(crate) fn read(object: &Object, at: &str, apply_to: ApplyTo, given: &Value) -> Result<Self, ApplyError> {
        let of = |field: &str| given.get(field).filter(|value| value.is_object()).cloned();
        if given.get("waypoint").is_some_and(Value::is_object) {
            let what =
                "no Istio up to 1.31 applies a match of waypoints: patch the context SIDECAR_INBOUND with targetRefs";
            return Err(object.unsupported(&format!("{at}.waypoint"), what));
        }
        let found = match (of("listener"), of("routeConfiguration"), of("cluster")) {
            (None, None, None) => return Ok(Self::Any),
            (Some(listener), None, None) => Self::Listener(listener),
            (None, Some(route), None) => Self::Route(route),
            (None, None, Some(cluster)) => Self::Cluster(cluster),
            _ => return Err(object.shape(at, "a match of one kind of object")),
        };
        let fits = match &found {
            Self::Any => true,
            Self::Listener(listener) => {
                check_filters(object, at, apply_to, listener)?;
                matches!(
                    apply_to,
                    ApplyTo::Listener
                        | ApplyTo::ListenerFilter
                        | ApplyTo::FilterChain
                        | ApplyTo::NetworkFilter
                        | ApplyTo::HttpFilter
                )
            }
            Self::Route(_) => {
                matches!(apply_to, ApplyTo::RouteConfiguration | ApplyTo::VirtualHost | ApplyTo::HttpRoute)
            }
            Self::Cluster(_) => apply_to == ApplyTo::Cluster,
        };
        if fits { Ok(found) } else { Err(object.shape(at, format!("a match of the object that {apply_to:?} names"))) }
    }

    /// Whether it names a filter of the network filters.
    pub(crate) fn names_filter(&self) -> bool {
        self.listener().is_some_and(|listener| listener.pointer("/filterChain/filter").is_some_and(Value::is_object))
    }

    /// Whether it names a filter of the HTTP filters.
    pub(crate) fn names_sub_filter(&self) -> bool {
        let sub = |listener: &Value| listener.pointer("/filterChain/filter/subFilter").is_some_and(Value::is_object);
        self.listener().is_some_and(sub)
    }

    /// Whether it names a listener filter.
    pub(crate) fn names_listener_filter(&self) -> bool {
        self.listener().is_some_and(|listener| !text(listener, "/listenerFilter").is_empty())
    }

    /// Whether it names a route.
    pub(crate) fn names_route(&self) -> bool {
        matches!(self, Self::Route(route) if route.pointer("/vhost/route").is_some_and(Value::is_object))
    }

    /// Whether a listener is meant. The port of a listener that holds the chains of many ports is left to the chains,
    /// unless the listener itself is patched.
    pub(crate) fn takes_listener(&self, apply_to: ApplyTo, listener: &Value) -> bool {
        let Some(wanted) = self.listener() else { return true };
        let name = text(listener, "/name");
        if !is_or_empty(text(wanted, "/name"), name) {
            return false;
        }
        if apply_to != ApplyTo::Listener && VIRTUAL.contains(&name) {
            return true;
        }
        let port = number(wanted, "/portNumber");
        port == 0 || number(listener, "/address/socket_address/port_value") == port
    }

    /// Whether a chain of a listener that is meant is meant.
    pub(crate) fn takes_chain(&self, listener: &Value, chain: &Value) -> bool {
        let Some(wanted) = self.listener() else { return true };
        let port = number(wanted, "/portNumber");
        let destination = number(chain, "/filter_chain_match/destination_port");
        if VIRTUAL.contains(&text(listener, "/name")) && port != 0 && destination != port {
            return false;
        }
        let Some(wanted) = wanted.get("filterChain") else { return true };
        let listed = |field: &str, value: &str| {
            let list = chain.pointer(&format!("/filter_chain_match/{field}")).and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|item| item.as_str() == Some(value)))
        };
        let sni = text(wanted, "/sni");
        let protocols = text(wanted, "/applicationProtocols");
        let port = number(wanted, "/destinationPort");
        is_or_empty(text(wanted, "/name"), text(chain, "/name"))
            && (sni.is_empty() || listed("server_names", sni))
            && is_or_empty(text(wanted, "/transportProtocol"), text(chain, "/filter_chain_match/transport_protocol"))
            && (protocols.is_empty() || protocols.split(',').all(|protocol| listed("application_protocols", protocol)))
            && (port == 0 || destination == port)
    }

    /// Whether a network filter of a chain that is meant is meant.
    pub(crate) fn takes_filter(&self, filter: &Value) -> bool {
        let wanted = self.listener().and_then(|listener| listener.pointer("/filterChain/filter"));
        wanted.is_none_or(|wanted| text(wanted, "/name") == text(filter, "/name"))
    }

    /// Whether an HTTP filter of a connection manager that is meant is meant.
    pub(crate) fn takes_sub_filter(&self, filter: &Value) -> bool {
        let wanted = self.listener().and_then(|listener| listener.pointer("/filterChain/filter/subFilter"));
        wanted.is_none_or(|wanted| text(wanted, "/name") == text(filter, "/name"))
    }

    /// Whether a listener filter of a listener that is meant is meant.
    pub(crate) fn takes_listener_filter(&self, filter: &Value) -> bool {
        let wanted = self.listener().map_or("", |listener| text(listener, "/listenerFilter"));
        is_or_empty(wanted, text(filter, "/name"))
    }

    /// Whether a cluster is meant. `hosts` are the services of an inbound cluster, whose name does not have them.
    pub(crate) fn takes_cluster(&self, cluster: &Value, hosts: &[String]) -> bool {
        let Self::Cluster(wanted) = self else { return true };
        let name = text(cluster, "/name");
        let exact = text(wanted, "/name");
        if !exact.is_empty() {
            return exact == name;
        }
        let key = SubsetKey::parse(name);
        let service = text(wanted, "/service");
        let served = if key.direction == "inbound" && !hosts.is_empty() {
            hosts.iter().any(|host| host == service)
        } else {
            key.host == service
        };
        let port = number(wanted, "/portNumber");
        is_or_empty(text(wanted, "/subset"), key.subset)
            && (service.is_empty() || served)
            && (port == 0 || key.port == port)
    }

    /// Whether a route configuration is meant. `ports` has the Service's ports of a gateway by those of its pods.
    pub(crate) fn takes_routes(
        &self,
        context: Context,
        routes: &Value,
        ports: impl Fn(u64) -> Option<Vec<u64>>,
    ) -> bool {
        let Self::Route(wanted) = self else { return true };
        let name = text(routes, "/name");
        let port = number(wanted, "/portNumber");
        if !is_or_empty(text(wanted, "/name"), name) {
            return false;
        }
        if context != Context::Gateway {
            let own = if name.starts_with("inbound") { SubsetKey::parse(name).port } else { name.parse().unwrap_or(0) };
            return port == 0 || own == port;
        }
        let own = GatewayRoutes::parse(name);
        let of_port = port == 0 || ports(own.port).map_or(own.port == port, |ports| ports.contains(&port));
        of_port
            && is_or_empty(text(wanted, "/portName"), own.port_name)
            && is_or_empty(text(wanted, "/gateway"), &own.gateway)
    }

    /// Whether a virtual host of routes that are meant is meant.
    pub(crate) fn takes_host(&self, host: &Value) -> bool {
        let Self::Route(wanted) = self else { return true };
        let Some(wanted) = wanted.get("vhost") else { return true };
        let domain = text(wanted, "/domainName");
        let domains = host.get("domains").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        is_or_empty(text(wanted, "/name"), text(host, "/name"))
            && (domain.is_empty() || domains.iter().any(|own| own.as_str() == Some(domain)))
    }

    /// Whether a route of a virtual host that is meant is meant.
    pub(crate) fn takes_route(&self, route: &Value) -> bool {
        let Self::Route(wanted) = self else { return true };
        let Some(wanted) = wanted.pointer("/vhost/route") else { return true };
        let action = match text(wanted, "/action") {
            "ROUTE" => Some("route"),
            "REDIRECT" => Some("redirect"),
            "DIRECT_RESPONSE" => Some("direct_response"),
            _ => None,
        };
        // A route that has none of the three actions is taken for any of them.
        let known = ["route", "redirect", "direct_response"].into_iter().find(|action| route.get(*action).is_some());
        is_or_empty(text(wanted, "/name"), text(route, "/name"))
            && action.is_none_or(|action| known.is_none_or(|known| known == action))
    }

    fn listener(&self) -> Option<&Value> {
        if let Self::Listener(listener) = self { Some(listener) } else { None }
    }
}

fn check_filters(object: &Object, at: &str, apply_to: ApplyTo, listener: &Value) -> Result<(), ApplyError> {
    let Some(filter) = listener.pointer("/filterChain/filter").filter(|filter| filter.is_object()) else {
        return Ok(());
    };
    let at = format!("{at}.listener.filterChain.filter");
    let name = text(filter, "/name");
    if name.is_empty() {
        return Err(object.shape(&format!("{at}.name"), "the name of a filter"));
    }
    let Some(sub) = filter.get("subFilter").filter(|sub| sub.is_object()) else { return Ok(()) };
    if apply_to != ApplyTo::HttpFilter || ![MANAGER, OLD_MANAGER].contains(&name) || text(sub, "/name").is_empty() {
        let expected = format!("a name, with applyTo HTTP_FILTER and the filter {MANAGER}");
        return Err(object.shape(&format!("{at}.subFilter"), expected));
    }
    Ok(())
}

/// `DIRECTION|PORT|SUBSET|HOST`, the name of a cluster.
struct SubsetKey<'a> {
    direction: &'a str,
    port: u64,
    subset: &'a str,
    host: &'a str,
}

impl<'a> SubsetKey<'a> {
    /// Parts that are absent are empty.
    fn parse(name: &'a str) -> Self {
        let srv = name.starts_with("outbound_.") || name.starts_with("inbound_.");
        let mut parts = name.split(if srv { "_." } else { "|" });
        let (direction, second) = (parts.next().unwrap_or_default(), parts.next());
        let direction = if second.is_some() { direction } else { "" };
        let (third, fourth, more) = (parts.next(), parts.next(), parts.next());
        let port = second.filter(|_| third.is_some()).and_then(|port| port.parse().ok()).unwrap_or(0);
        let subset = if fourth.is_some() { third.unwrap_or_default() } else { "" };
        Self { direction, port, subset, host: fourth.filter(|_| more.is_none()).unwrap_or_default() }
    }
}

/// `http.PORT` or `https.PORT.PORTNAME.GATEWAY.NAMESPACE`, the name of a gateway's route configuration.
struct GatewayRoutes<'a> {
    port: u64,
    port_name: &'a str,
    /// `NAMESPACE/GATEWAY`
    gateway: String,
}

impl<'a> GatewayRoutes<'a> {
    /// Parts that are absent are empty, and so are all if the name has another form.
    fn parse(name: &'a str) -> Self {
        let plain = name.strip_prefix("http.").and_then(|port| port.parse().ok());
        let parts: Vec<_> = name.strip_prefix("https.").unwrap_or_default().split('.').collect();
        match parts.as_slice() {
            [port, port_name, gateway, namespace] => {
                let port = port.parse().unwrap_or(0);
                Self { port, port_name, gateway: format!("{namespace}/{gateway}") }
            }
            _ => Self { port: plain.unwrap_or(0), port_name: "", gateway: String::new() },
        }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

fn is_or_empty(wanted: &str, found: &str) -> bool {
    wanted.is_empty() || wanted == found
}
