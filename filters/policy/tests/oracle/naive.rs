//! The obvious evaluator: walks the policies as written, rule by rule, and shares no code with the filter.

use super::claims::{self, Metadata};
use serde_json::Value;
use std::net::IpAddr;

/// What a request is made of; absent is `None`.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) san: Option<Vec<u8>>,
    pub(crate) remote: Option<Vec<u8>>,
    pub(crate) destination: Option<Vec<u8>>,
    pub(crate) direct: Option<Vec<u8>>,
    pub(crate) server_name: Option<Vec<u8>>,
    pub(crate) metadata: Metadata,
}

/// A decision, the Envoy id of the rule that made it, and whether that rule only may match.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) allow: bool,
    pub(crate) rule: Option<String>,
    pub(crate) unknown: bool,
}

/// The decision of the enforced policies, and of those under dry run if there are any.
pub(crate) fn decide(policies: &[Value], request: &Request) -> (Answer, Option<Answer>) {
    let of = |trial: bool| {
        policies.iter().filter(move |policy| (policy["metadata"]["annotations"]["istio.io/dry-run"] == "true") == trial)
    };
    let shadow = of(true).next().map(|_| answer(&of(true).collect::<Vec<_>>(), request));
    (answer(&of(false).collect::<Vec<_>>(), request), shadow)
}

/// Each policy under dry run as if it were the only one, by name.
pub(crate) fn alone(policies: &[Value], request: &Request) -> Vec<(String, Answer)> {
    let trials = policies.iter().filter(|policy| policy["metadata"]["annotations"]["istio.io/dry-run"] == "true");
    trials.map(|policy| (policy["metadata"]["name"].as_str().unwrap().to_owned(), answer(&[policy], request))).collect()
}

/// What the AUDIT policies say, if there are any: never to refuse.
pub(crate) fn audit(policies: &[Value], request: &Request) -> Option<Answer> {
    let audits: Vec<&Value> = policies.iter().filter(|policy| policy["spec"]["action"] == "AUDIT").collect();
    audits.first()?;
    let matched = first(&audits, "AUDIT", request, Some(true));
    let unknown = first(&audits, "AUDIT", request, None).filter(|_| matched.is_none());
    Some(Answer { allow: true, unknown: unknown.is_some(), rule: matched.or(unknown) })
}

fn answer(policies: &[&Value], request: &Request) -> Answer {
    let lowest = |action: &str, outcome: Option<bool>| first(policies, action, request, outcome);
    if let Some(rule) = lowest("DENY", Some(true)) {
        return Answer { allow: false, rule: Some(rule), unknown: false };
    }
    if let Some(rule) = lowest("DENY", None) {
        return Answer { allow: false, rule: Some(rule), unknown: true };
    }
    if let Some(rule) = lowest("ALLOW", Some(true)) {
        return Answer { allow: true, rule: Some(rule), unknown: false };
    }
    let rule = lowest("ALLOW", None);
    let default = !policies.iter().any(|policy| policy["spec"]["action"] == "ALLOW");
    Answer { allow: default, unknown: rule.is_some(), rule }
}

/// The lowest id of a rule with that outcome.
fn first(policies: &[&Value], action: &str, request: &Request, outcome: Option<bool>) -> Option<String> {
    let mut ids = Vec::new();
    for policy in policies.iter().filter(|policy| policy["spec"]["action"] == action) {
        for (index, rule) in policy["spec"]["rules"].as_array().unwrap().iter().enumerate() {
            if rule_matches(rule, request) == outcome {
                ids.push(format!("ns[ns]-policy[{}]-rule[{index}]", policy["metadata"]["name"].as_str().unwrap()));
            }
        }
    }
    ids.into_iter().min()
}

/// The conjunction of what is known, `None` if it hangs on what is not.
fn all(outcomes: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let outcomes: Vec<_> = outcomes.into_iter().collect();
    match outcomes.contains(&Some(false)) {
        true => Some(false),
        false => (!outcomes.contains(&None)).then_some(true),
    }
}

fn any(outcomes: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    all(outcomes.into_iter().map(|outcome| outcome.map(|holds| !holds))).map(|none| !none)
}

/// Whether a rule matches.
pub(crate) fn rule_matches(rule: &Value, request: &Request) -> Option<bool> {
    let part = |part: &Value| {
        all(part.as_object().unwrap().iter().map(|(name, values)| match name.strip_prefix("not") {
            Some(name) => {
                test(&name.replacen(&name[..1], &name[..1].to_lowercase(), 1), values, request).map(|found| !found)
            }
            None => test(name, values, request),
        }))
    };
    let parts = |list: &str, inner: &str| match rule[list].as_array() {
        None => Some(true),
        Some(parts) => any(parts.iter().map(|outer| part(&outer[inner]))),
    };
    let when = rule["when"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|condition| {
        let key = condition["key"].as_str().unwrap();
        let holds = |values: &str, negated: bool| match &condition[values] {
            Value::Null => Some(true),
            list => test(key, list, request).map(|found| found != negated),
        };
        all([holds("values", false), holds("notValues", true)])
    });
    all([parts("from", "source"), parts("to", "operation"), all(when)])
}

/// Whether one of the values matches; `None` if an address, port or identity cannot be known.
pub(crate) fn test(name: &str, values: &Value, request: &Request) -> Option<bool> {
    let values: Vec<&str> = values.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
    if claims::knows(name) {
        return claims::test(name, &values, &request.metadata);
    }
    let any = |matches: &dyn Fn(&str) -> bool| values.iter().any(|value| matches(value));
    let header = |name: &str| -> Vec<&[u8]> {
        request.headers.iter().filter(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice()).collect()
    };
    let identities = ["principal", "namespace", "serviceAccount", "trustDomain"];
    let is_damaged =
        request.san.as_ref().is_some_and(|san| san.len() > 2048 || san.iter().any(|b| *b < 32 || *b > 126));
    if is_damaged && identities.iter().any(|identity| name.trim_start_matches("source.").starts_with(identity)) {
        return None;
    }
    let id = request.san.as_deref().and_then(|san| san.strip_prefix(b"spiffe://"));
    let id_text = || id.map(|id| String::from_utf8_lossy(id).into_owned());
    Some(match name {
        "paths" => header(":path").iter().any(|path| {
            let path = path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap();
            any(&|value| if value.contains("{*") { template(value, path) } else { simple(value, path, false) })
        }),
        "hosts" => header(":authority")
            .first()
            .is_some_and(|host| any(&|value| simple(&value.to_ascii_lowercase(), &host.to_ascii_lowercase(), true))),
        // What an expression comes to stands in a header that no request has.
        "cel" => match header("cel").first().copied() {
            Some(b"error") => return None,
            outcome => outcome == Some(b"true"),
        },
        "methods" => header(":method").iter().any(|method| any(&|value| simple(value, method, true))),
        "connection.sni" => request.server_name.iter().any(|name| any(&|value| simple(value, name, false))),
        "principals" | "source.principal" => any(&|value| match value {
            "*" => request.san.as_ref().is_some_and(|san| !san.is_empty()),
            value => id.is_some_and(|id| simple(value, id, false)),
        }),
        "namespaces" => request.san.as_ref().is_some_and(|san| any(&|value| namespace(value, san))),
        "source.serviceAccount" => id_text().is_some_and(|id| any(&|value| account(value, &id))),
        "trustDomains" => id.is_some_and(|id| {
            let end = id.iter().position(|byte| *byte == b'/');
            any(&|value| value == "*" || end.is_some_and(|end| simple(value, &id[..end], true)))
        }),
        "ipBlocks" | "source.ip" => blocks(&values, request.direct.as_deref())?,
        "remoteIpBlocks" | "remote.ip" => blocks(&values, request.remote.as_deref())?,
        "destination.ip" => blocks(&values, request.destination.as_deref())?,
        "ports" | "destination.port" => {
            let text = std::str::from_utf8(request.destination.as_deref()?).ok()?;
            address(text)?;
            let (_, port) = text.rsplit_once(':')?;
            values.contains(&port)
        }
        key => {
            let name = key.strip_prefix("request.headers[").unwrap().strip_suffix(']').unwrap().to_lowercase();
            header(&name).iter().any(|found| any(&|value| simple(value, found, true)))
        }
    })
}

/// Exact, prefix, suffix, presence.
pub(crate) fn simple(pattern: &str, value: &[u8], empty_is_present: bool) -> bool {
    let pattern = pattern.as_bytes();
    match pattern {
        b"*" => empty_is_present || !value.is_empty(),
        [b'*', suffix @ ..] => value.len() >= suffix.len() && value[value.len() - suffix.len()..] == *suffix,
        [prefix @ .., b'*'] => value.len() >= prefix.len() && value[..prefix.len()] == *prefix,
        exact => value == exact,
    }
}

/// Tries every way to divide the path among the segments.
fn template(template: &str, path: &[u8]) -> bool {
    fn fits(template: &[&str], path: &[&[u8]]) -> bool {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;:@=*".contains(byte);
        match (template, path) {
            ([], []) => true,
            (["{**}", rest @ ..], _) => {
                (1..=path.len()).any(|n| path[..n].iter().all(|part| part.iter().all(plain)) && fits(rest, &path[n..]))
            }
            (["{*}", rest @ ..], [part, more @ ..]) => !part.is_empty() && part.iter().all(plain) && fits(rest, more),
            ([literal, rest @ ..], [part, more @ ..]) => literal.as_bytes() == *part && fits(rest, more),
            _ => false,
        }
    }
    let template: Vec<&str> = template[1..].split('/').collect();
    path.first() == Some(&b'/') && fits(&template, &path[1..].split(|byte| *byte == b'/').collect::<Vec<_>>())
}

/// `.*/ns/VALUE/.*`, each `*` of the value standing for anything.
fn namespace(value: &str, id: &[u8]) -> bool {
    fn glob(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|n| glob(rest, &text[n..])),
            ([a, rest @ ..], [b, more @ ..]) => a == b && glob(rest, more),
            _ => false,
        }
    }
    glob(format!("*/ns/{value}/*").as_bytes(), id)
}

/// `.+/ns/NS/(.+/)?sa/SA(/.+)?`, tried at every place.
fn account(value: &str, id: &str) -> bool {
    let (space, name) = value.split_once('/').unwrap_or(("ns", value));
    let (head, tail) = (format!("/ns/{space}/"), format!("sa/{name}"));
    id.match_indices(&head).filter(|(at, _)| *at > 0).any(|(at, _)| {
        let rest = &id[at + head.len()..];
        rest.match_indices(&tail).any(|(at, _)| {
            let (before, after) = (&rest[..at], &rest[at + tail.len()..]);
            let starts = before.is_empty() || (before.len() > 1 && before.ends_with('/'));
            starts && (after.is_empty() || (after.len() > 1 && after.starts_with('/')))
        })
    })
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(inner) => inner.split(']').next()?,
        None if text.matches(':').count() == 1 => text.split(':').next()?,
        None => text,
    };
    bare.parse().ok()
}

fn blocks(values: &[&str], text: Option<&[u8]>) -> Option<bool> {
    let address = address(std::str::from_utf8(text?).ok()?)?;
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (0..32).rev().map(|n| v4.to_bits() >> n & 1 == 1).collect::<Vec<bool>>(),
        IpAddr::V6(v6) => (0..128).rev().map(|n| v6.to_bits() >> n & 1 == 1).collect(),
    };
    Some(values.iter().any(|value| {
        let (base, length) = value.split_once('/').unwrap_or((value, "128"));
        let base: IpAddr = base.parse().unwrap();
        let (base_bits, own) = (bits(base), bits(address));
        let length = length.parse::<usize>().unwrap().min(base_bits.len());
        base.is_ipv4() == address.is_ipv4() && base_bits[..length] == own[..length]
    }))
}
