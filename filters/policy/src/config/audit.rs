//! The section `audit` of the document.

use crate::audit::{Outcome, Selection};
use crate::config::workload::Workload;
use std::time::Duration;
use weir_config::{Cursor, units};
use weir_matching::Glob;
use weir_model::{Attribute, GrpcTarget, Node};
use weir_records::{Limits, Share};

/// The most headers, and the most claims, that a record can have by name.
const INCLUDED: usize = 16;
/// Headers and claims that let who has them in; recording one in clear is rarely meant.
const CREDENTIALS: [&str; 5] = ["authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key"];

/// The section, checked.
#[derive(Debug)]
pub(crate) struct AuditSettings {
    pub(crate) selection: Selection,
    /// The collector.
    pub(crate) target: Option<GrpcTarget>,
    /// Whether records go to Envoy's log.
    pub(crate) log: bool,
    pub(crate) limits: Limits,
    pub(crate) included: Included,
    pub(crate) origin: Origin,
    pub(crate) places: Places,
}

/// Where filter state is that tells who the peer is.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// The address of the direct peer.
    pub(crate) direct_address: Option<Attribute>,
    /// All URI SANs of its certificate.
    pub(crate) peer_uri_sans: Option<Attribute>,
}

/// Headers and claims that records have.
#[derive(Debug, Default)]
pub(crate) struct Included {
    pub(crate) headers: Vec<Named>,
    pub(crate) claims: Vec<Named>,
}

/// A header, or a claim by its path.
#[derive(Debug)]
pub(crate) struct Named {
    /// As the document has it; a header in lower case.
    pub(crate) name: Box<str>,
    /// The names inside of each other; of a header one.
    pub(crate) path: Box<[Box<str>]>,
    /// Only that it is there is recorded.
    pub(crate) is_masked: bool,
}

/// Where records are from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The id of the node.
    pub(crate) proxy: String,
    /// Namespace and name of the workload, as far as the node or the document says them.
    pub(crate) namespace: Option<String>,
    pub(crate) workload: Option<String>,
    /// The hash of the document.
    pub(crate) config: u64,
}

impl Origin {
    /// What OTLP's resource says of the origin.
    pub(crate) fn resource(&self, plugin: &str) -> Vec<(&'static str, String)> {
        let Self { proxy, namespace, workload, .. } = self;
        let mut resource = vec![("service.name", workload.as_deref().unwrap_or(plugin).to_owned())];
        resource.extend(namespace.clone().map(|namespace| ("service.namespace", namespace)));
        if !proxy.is_empty() {
            resource.push(("service.instance.id", proxy.clone()));
        }
        resource
    }
}

impl AuditSettings {
    /// Reads the section.
    #[inline(never)]
    pub(crate) fn read(at: &Cursor<'_>, node: &Node, workload: &Workload) -> Option<Self> {
        let mut fields = at.object()?;
        let outcomes = match fields.take("record") {
            Some(at) => {
                if at.list().is_some_and(|items| items.is_empty()) {
                    at.problem::<()>("nothing is recorded: leave `audit` out instead");
                }
                at.each(|item| item.word(&Outcome::WORDS))
            }
            None => Outcome::DEFAULT.to_vec(),
        };
        let mut outcomes: Vec<(Outcome, Share)> = outcomes.into_iter().map(|outcome| (outcome, Share::ALL)).collect();
        if let Some(sample) = fields.take("sample") {
            read_sample(&sample, &mut outcomes);
        }
        let policies = fields.take("policies").map(|at| at.each(|item| glob(&item)));
        let (target, log) = fields.require("to").map(|at| read_to(&at)).unwrap_or_default();
        let mut limits = Limits { records: 4096, bytes: 4 << 20, batch: 512, interval: Duration::from_secs(1) };
        if let Some(mut queue) = fields.take("queue").and_then(|at| at.object()) {
            set(&mut limits.records, queue.take("records").and_then(|at| at.integer(16, 1 << 16)));
            set(&mut limits.bytes, queue.take("bytes").and_then(|at| units::bytes(&at, 64 << 10, 64 << 20)));
            queue.finish();
        }
        if let Some(mut batch) = fields.take("batch").and_then(|at| at.object()) {
            set(&mut limits.batch, batch.take("records").and_then(|at| at.integer(1, 1 << 16)));
            let bounds = Duration::from_millis(100)..=Duration::from_secs(60);
            limits.interval =
                batch.take("interval").and_then(|at| units::duration(&at, bounds)).unwrap_or(limits.interval);
            batch.finish();
        }
        if limits.batch > limits.records {
            at.problem::<()>(
                "a batch has more records than the queue: `batch.records` must not be above `queue.records`",
            );
        }
        let included = Included::read(fields.take("include"), fields.take("mask"));
        included.warn(at);
        fields.finish();
        let origin = Origin {
            proxy: node.id.clone(),
            namespace: workload.namespace().map(str::to_owned),
            workload: node.text("WORKLOAD_NAME").map(str::to_owned),
            config: at.document_hash(),
        };
        let selection = Selection { outcomes, policies: policies.map(Vec::into_boxed_slice) };
        let state = |key: &Option<Box<str>>| key.clone().map(Attribute::FilterState);
        let places =
            Places { direct_address: state(&workload.direct_address), peer_uri_sans: state(&workload.peer_uri_sans) };
        Some(Self { selection, target, log, limits, included, origin, places })
    }
}

fn set(limit: &mut usize, found: Option<u64>) {
    if let Some(found) = found.and_then(|found| usize::try_from(found).ok()) {
        *limit = found;
    }
}

/// Reads which share of each outcome is recorded.
#[inline(never)]
fn read_sample(at: &Cursor<'_>, outcomes: &mut [(Outcome, Share)]) {
    for (word, at) in at.map().unwrap_or_default() {
        let Some(share) = units::millionths(&at) else { continue };
        let outcome = Outcome::WORDS.iter().find(|(known, _)| *known == word).map(|(_, outcome)| outcome);
        let Some(outcome) = outcome else {
            at.problem::<()>("not an outcome: see `record`");
            continue;
        };
        match outcomes.iter_mut().find(|(known, _)| known == outcome) {
            Some((_, sampled)) => *sampled = Share::of_millionths(share),
            None => {
                at.problem::<()>(format!("`record` does not have `{word}`: nothing of it is recorded"));
            }
        }
    }
}

/// A pattern of policies: `NS/NAME`, in which `*` stands for any text, or `-`.
fn glob(at: &Cursor<'_>) -> Option<Glob> {
    let text = at.text()?;
    if text == "-" || text == "*" || text.split('/').filter(|part| !part.is_empty()).count() == 2 {
        return Some(Glob::parse(text));
    }
    at.problem("a policy is written `NAMESPACE/NAME`; `*` in it stands for any text, and `-` for no policy")
}

/// Reads where records go: a collector, and whether to Envoy's log.
#[inline(never)]
fn read_to(at: &Cursor<'_>) -> (Option<GrpcTarget>, bool) {
    let Some(mut fields) = at.object() else { return Default::default() };
    let otlp = fields.take("otlp");
    let log = fields.take("log").and_then(|at| at.bool()).unwrap_or_default();
    fields.finish();
    if otlp.is_none() && !log {
        at.problem::<()>("records go nowhere: name a collector (`otlp: {cluster: NAME}`) or Envoy's log (`log: true`)");
    }
    let target = otlp.and_then(|at| {
        let mut fields = at.object()?;
        let cluster = fields.require("cluster").and_then(|at| Some(sendable(&at)?.to_owned()));
        let authority = fields.take("authority").and_then(|at| Some(sendable(&at)?.to_owned())).unwrap_or_default();
        let bounds = Duration::from_millis(1)..=Duration::from_secs(60);
        let timeout = fields.take("timeout").and_then(|at| units::duration(&at, bounds));
        let timeout = timeout.unwrap_or(Duration::from_secs(2)).as_millis();
        fields.finish();
        let timeout_millis = u32::try_from(timeout).unwrap_or(u32::MAX);
        Some(GrpcTarget { cluster: cluster?, authority, initial_metadata: Vec::new(), timeout_millis })
    });
    (target, log)
}

/// A text that can go into a header.
fn sendable<'v>(at: &Cursor<'v>) -> Option<&'v str> {
    let text = at.text()?;
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return at.problem("it has a control character");
    }
    Some(text)
}

impl Included {
    #[inline(never)]
    fn read(include: Option<Cursor<'_>>, mask: Option<Cursor<'_>>) -> Self {
        let mut included = Self::default();
        let lists = |at: Option<Cursor<'_>>, read: &mut dyn FnMut(&Cursor<'_>, bool)| {
            let Some(mut fields) = at.and_then(|at| at.object()) else { return };
            for (name, is_claim) in [("headers", false), ("claims", true)] {
                for item in fields.take(name).and_then(|at| at.list()).unwrap_or_default() {
                    read(&item, is_claim);
                }
            }
            fields.finish();
        };
        lists(include, &mut |at, is_claim| {
            let named = if is_claim { claim(at) } else { header(at) };
            let list = if is_claim { &mut included.claims } else { &mut included.headers };
            if list.len() == INCLUDED {
                at.problem::<()>(format!("a record has at most {INCLUDED} headers and {INCLUDED} claims"));
            } else {
                list.extend(named);
            }
        });
        lists(mask, &mut |at, is_claim| {
            let Some(masked) = (if is_claim { claim(at) } else { header(at) }) else { return };
            let list = if is_claim { &mut included.claims } else { &mut included.headers };
            match list.iter_mut().find(|named| named.path == masked.path) {
                Some(named) => named.is_masked = true,
                None => {
                    at.problem::<()>("it is not included: what `include` does not name is in no record");
                }
            }
        });
        included
    }

    /// Whether of a claim only that it is there is recorded.
    pub(crate) fn masks_claim(&self, name: &str) -> bool {
        self.claims.iter().any(|claim| claim.is_masked && matches!(&*claim.path, [only] if **only == *name))
    }

    /// Warns of credentials in clear.
    fn warn(&self, at: &Cursor<'_>) {
        let clear = self.headers.iter().filter(|named| !named.is_masked);
        for Named { name, .. } in clear.filter(|named| CREDENTIALS.contains(&&*named.name)) {
            let message =
                format!("records have the header `{name}` in clear, which lets in who reads it: add it to `mask`");
            at.warning("audit-credential", message);
        }
    }
}

fn header(at: &Cursor<'_>) -> Option<Named> {
    let name: Box<str> = at.text()?.to_ascii_lowercase().into();
    Some(Named { path: [name.clone()].into(), name, is_masked: false })
}

/// `sub`, or `[outer][inner]` as in a condition's `request.auth.claims[outer][inner]`.
fn claim(at: &Cursor<'_>) -> Option<Named> {
    let text = at.text()?;
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let path: Box<[Box<str>]> = match inner {
        Some(inner) => inner.split("][").map(Box::from).collect(),
        None => [text.into()].into(),
    };
    Some(Named { name: text.into(), path, is_masked: false })
}

#[cfg(test)]
mod tests;
