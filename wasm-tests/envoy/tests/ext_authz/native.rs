//! What Istio makes of CUSTOM policies and the providers of its MeshConfig: RBAC in shadow, and ext_authz that asks where
//! that has matched (`pilot/pkg/security/authz/builder/extauthz.go`), then the other policies.

use serde_json::{Map, Value, json};

use crate::istio::{self, Bundle, Options};

/// The filters for policies of which the CUSTOM ones name the provider `name`.
pub(crate) fn filters(policies: &[Value], name: &str, provider: &Value) -> Vec<Value> {
    let options = Options { bundle: Bundle(vec!["cluster.local".to_owned()]), filter_state: false, tcp: false };
    let mut filters = asked(policies, name, &options);
    filters.push(json!({"name": "envoy.filters.http.ext_authz", "typedConfig": ext_authz(name, provider)}));
    filters.extend(istio::filters(policies, &options));
    filters
}

/// The rules of CUSTOM policies are those of DENY policies by another name, and enforced by nothing.
fn asked(policies: &[Value], name: &str, options: &Options) -> Vec<Value> {
    let mut custom: Vec<Value> =
        policies.iter().filter(|policy| policy["spec"]["action"] == "CUSTOM").cloned().collect();
    custom.iter_mut().for_each(|policy| policy["spec"]["action"] = "DENY".into());
    let mut filters = istio::filters(&custom, options);
    for filter in &mut filters {
        let config = filter["typedConfig"].as_object_mut().unwrap();
        let mut rules = config.remove("rules").unwrap();
        let named = |(id, rule): (&String, &Value)| (format!("istio-ext-authz-{name}-{id}"), rule.clone());
        let policies: Map<String, Value> = rules["policies"].as_object().unwrap().iter().map(named).collect();
        rules["policies"] = policies.into();
        config.insert("shadowRules".to_owned(), rules);
        config.insert("shadowRulesStatPrefix".to_owned(), "istio_ext_authz_".into());
    }
    filters
}

/// `generateHTTPConfig`, `generateGRPCConfig`
fn ext_authz(name: &str, provider: &Value) -> Value {
    let (http, grpc) = (&provider["envoyExtAuthzHttp"], &provider["envoyExtAuthzGrpc"]);
    let fields = if http.is_object() { http } else { grpc };
    let host = fields["service"].as_str().unwrap().rsplit('/').next().unwrap();
    let cluster = format!("outbound|{}||{host}", fields["port"]);
    let timeout = fields["timeout"].as_str().unwrap_or("600s");
    let mut config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "transportApiVersion": "V3",
        "failureModeAllow": fields["failOpen"].as_bool().unwrap_or(false),
        "filterEnabledMetadata": {
            "filter": "envoy.filters.http.rbac",
            "path": [{"key": "istio_ext_authz_shadow_effective_policy_id"}],
            "value": {"stringMatch": {"prefix": format!("istio-ext-authz-{name}")}},
        },
    });
    if let Some(status) = fields["statusOnError"].as_str() {
        config["statusOnError"] = json!({"code": status.parse::<u16>().unwrap()});
    }
    if !http.is_object() {
        config["grpcService"] = json!({"envoyGrpc": {"clusterName": cluster, "authority": host}, "timeout": timeout});
        return config;
    }
    let mut service = json!({
        "pathPrefix": http["pathPrefix"].as_str().unwrap_or_default(),
        "serverUri": {"uri": format!("http://{host}"), "cluster": cluster, "timeout": timeout},
        "authorizationResponse": {
            "allowedUpstreamHeaders": patterns(&http["headersToUpstreamOnAllow"]),
            "allowedClientHeaders": patterns(&http["headersToDownstreamOnDeny"]),
            "allowedClientHeadersOnSuccess": patterns(&http["headersToDownstreamOnAllow"]),
        },
    });
    if let Some(headers) = http["includeAdditionalHeadersInCheck"].as_object() {
        let added: Vec<Value> = headers.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        service["authorizationRequest"] = json!({"headersToAdd": added});
    }
    config["httpService"] = service;
    let included = patterns(&http["includeRequestHeadersInCheck"]);
    if !included.is_null() {
        config["allowedHeaders"] = included;
    }
    config
}

/// `generateHeaders`
fn patterns(names: &Value) -> Value {
    let pattern = |name: &Value| {
        let name = name.as_str().unwrap();
        match (name.strip_prefix('*'), name.strip_suffix('*')) {
            (Some(suffix), _) => json!({"suffix": suffix, "ignoreCase": true}),
            (None, Some(prefix)) => json!({"prefix": prefix, "ignoreCase": true}),
            (None, None) => json!({"exact": name, "ignoreCase": true}),
        }
    };
    let patterns: Vec<Value> = istio::list(names).iter().map(pattern).collect();
    if patterns.is_empty() { Value::Null } else { json!({"patterns": patterns}) }
}
