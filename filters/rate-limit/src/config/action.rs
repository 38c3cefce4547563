//! Reading `rate_limits`.

use super::matcher::{header_match, query_match};
use crate::compiled::action::{Action, Item, Source};
use weir_config::proto_json::{bytes, flag, header_name, refuse, required, snake_or_camel};
use weir_config::{Cursor, Fields};
use weir_matching::Cidr;
use weir_model::Node;

/// The most a request may count, as Envoy allows it.
const MOST_HITS: u64 = 1_000_000_000;

/// Reads a list of `envoy.config.route.v3.RateLimit`.
pub(crate) fn items(at: &Cursor<'_>, node: &Node) -> Vec<Item> {
    at.each(|at| item(&at, node))
}

#[inline(never)]
fn item(at: &Cursor<'_>, node: &Node) -> Option<Item> {
    let mut fields = at.object()?;
    let actions = fields.require("actions").map(|at| {
        let problems = at.problems();
        let actions = at.each(|at| action(&at, node));
        if actions.is_empty() && at.problems() == problems {
            at.problem::<()>("must not be empty");
        }
        actions
    });
    if let Some(at) = fields.take("stage")
        && at.integer(0, 10).is_some_and(|stage| stage > 0)
    {
        at.problem::<()>("only stage 0 is handled");
    }
    refuse(&mut fields, "disable_key", "disableKey", "runtime keys cannot be read by a Wasm filter");
    refuse(&mut fields, "limit", "limit", "overriding a limit is not supported; configure it under `local`");
    refuse(&mut fields, "x_ratelimit_option", "xRatelimitOption", "not supported; headers are set for all limits");
    if let Some(at) = snake_or_camel(&mut fields, "apply_on_stream_done", "applyOnStreamDone")
        && at.bool() == Some(true)
    {
        at.problem::<()>("counting at the end of the stream is not supported");
    }
    let hits = match snake_or_camel(&mut fields, "hits_addend", "hitsAddend") {
        Some(at) => hits(&at),
        None => Some(1),
    };
    fields.finish();
    Some(Item { actions: actions?, hits: hits? })
}

fn hits(at: &Cursor<'_>) -> Option<u64> {
    let mut fields = at.object()?;
    let number = fields.take("number").map(|at| at.integer(0, MOST_HITS));
    refuse(&mut fields, "format", "format", "a format is not supported here; use `number`");
    fields.finish();
    number.unwrap_or(Some(1))
}

#[inline(never)]
fn action(at: &Cursor<'_>, node: &Node) -> Option<Action> {
    let mut fields = at.object()?;
    let before = at.problems();
    let mut found = Vec::new();
    for (snake, camel, read) in READERS {
        if let Some(at) = snake_or_camel(&mut fields, snake, camel) {
            found.push(at.object().and_then(|mut fields| {
                let action = read(&mut fields, node);
                fields.finish();
                action
            }));
        }
    }
    for (snake, camel) in [("metadata", "metadata"), ("dynamic_metadata", "dynamicMetadata")] {
        refuse(&mut fields, snake, camel, "metadata is not supported as a source of descriptors");
    }
    refuse(&mut fields, "extension", "extension", "extensions are not supported as a source of descriptors");
    fields.finish();
    match found.len() {
        1 => found.pop()?,
        _ if at.problems() > before => None,
        _ => at.problem("expected exactly one action"),
    }
}

type Reader = fn(&mut Fields<'_>, &Node) -> Option<Action>;

const READERS: [(&str, &str, Reader); 10] = [
    ("source_cluster", "sourceCluster", |_, node| {
        Some(Action { key: key("source_cluster"), source: Source::Constant(node.cluster.as_bytes().into()) })
    }),
    ("destination_cluster", "destinationCluster", |_, _| {
        Some(Action { key: key("destination_cluster"), source: Source::DestinationCluster })
    }),
    ("request_headers", "requestHeaders", |fields, _| {
        let name = required(fields, "header_name", "headerName").and_then(|at| header_name(&at));
        let key = required(fields, "descriptor_key", "descriptorKey").and_then(|at| bytes(&at));
        let skip = flag(snake_or_camel(fields, "skip_if_absent", "skipIfAbsent"), false);
        Some(Action { key: key?, source: Source::Header { name: name?.into_bytes().into(), skip } })
    }),
    ("query_parameters", "queryParameters", |fields, _| {
        let name = required(fields, "query_parameter_name", "queryParameterName").and_then(|at| bytes(&at));
        let key = required(fields, "descriptor_key", "descriptorKey").and_then(|at| bytes(&at));
        let skip = flag(snake_or_camel(fields, "skip_if_absent", "skipIfAbsent"), false);
        Some(Action { key: key?, source: Source::Query { name: name?, skip } })
    }),
    ("remote_address", "remoteAddress", |_, _| {
        Some(Action { key: key("remote_address"), source: Source::RemoteAddress })
    }),
    ("masked_remote_address", "maskedRemoteAddress", |fields, _| {
        let v4 = bits(snake_or_camel(fields, "v4_prefix_mask_len", "v4PrefixMaskLen"), 32);
        let v6 = bits(snake_or_camel(fields, "v6_prefix_mask_len", "v6PrefixMaskLen"), 128);
        Some(Action { key: key("masked_remote_address"), source: Source::MaskedRemoteAddress { v4: v4?, v6: v6? } })
    }),
    ("generic_key", "genericKey", |fields, _| {
        let value = value(fields);
        let key = own_key(fields, "generic_key");
        refuse(fields, "default_value", "defaultValue", "values are not formatted, so there is no default");
        Some(Action { key: key?, source: Source::Constant(value?) })
    }),
    ("header_value_match", "headerValueMatch", |fields, _| {
        let value = value(fields);
        let key = own_key(fields, "header_match");
        let expect = flag(snake_or_camel(fields, "expect_match", "expectMatch"), true);
        let matchers = fields.require("headers").map(|at| non_empty(&at, header_match));
        Some(Action { key: key?, source: Source::HeadersMatch { value: value?, expect, matchers: matchers? } })
    }),
    ("query_parameter_value_match", "queryParameterValueMatch", |fields, _| {
        let value = value(fields);
        let key = own_key(fields, "query_match");
        let expect = flag(snake_or_camel(fields, "expect_match", "expectMatch"), true);
        let matchers = required(fields, "query_parameters", "queryParameters").map(|at| non_empty(&at, query_match));
        Some(Action { key: key?, source: Source::QueryMatch { value: value?, expect, matchers: matchers? } })
    }),
    ("remote_address_match", "remoteAddressMatch", |fields, _| {
        let value = value(fields);
        let key = own_key(fields, "remote_address_match");
        let ranges = required(fields, "address_matcher", "addressMatcher").and_then(|at| ranges(&at));
        let (ranges, invert) = ranges?;
        Some(Action { key: key?, source: Source::RemoteAddressMatch { value: value?, invert, ranges } })
    }),
];

fn key(name: &str) -> Box<[u8]> {
    name.as_bytes().into()
}

fn value(fields: &mut Fields<'_>) -> Option<Box<[u8]>> {
    required(fields, "descriptor_value", "descriptorValue").and_then(|at| bytes(&at))
}

/// `descriptor_key`, which has a default and may be empty to mean it.
fn own_key(fields: &mut Fields<'_>, default: &str) -> Option<Box<[u8]>> {
    let text = match snake_or_camel(fields, "descriptor_key", "descriptorKey") {
        Some(at) => at.string()?,
        None => "",
    };
    Some(key(if text.is_empty() { default } else { text }))
}

fn non_empty<T>(at: &Cursor<'_>, read: fn(&Cursor<'_>) -> Option<T>) -> Vec<T> {
    let problems = at.problems();
    let list = at.each(|at| read(&at));
    if list.is_empty() && at.problems() == problems {
        at.problem::<()>("must not be empty");
    }
    list
}

fn bits(at: Option<Cursor<'_>>, most: u8) -> Option<u8> {
    match at {
        Some(at) => u8::try_from(at.integer(0, u64::from(most))?).ok(),
        None => Some(most),
    }
}

/// The ranges of an address matcher, and whether it is inverted.
fn ranges(at: &Cursor<'_>) -> Option<(Vec<Cidr>, bool)> {
    let mut fields = at.object()?;
    let ranges = required(&mut fields, "ranges", "ranges").map(|at| non_empty(&at, range));
    let invert = flag(snake_or_camel(&mut fields, "invert_match", "invertMatch"), false);
    fields.finish();
    Some((ranges?, invert))
}

#[inline(never)]
fn range(at: &Cursor<'_>) -> Option<Cidr> {
    let mut fields = at.object()?;
    let prefix = required(&mut fields, "address_prefix", "addressPrefix").and_then(|at| at.text());
    let bits = match snake_or_camel(&mut fields, "prefix_len", "prefixLen") {
        Some(at) => at.integer(0, 128),
        None => Some(0),
    };
    fields.finish();
    let (prefix, bits) = (prefix?, bits?);
    match Cidr::parse(&format!("{prefix}/{bits}")) {
        Some(range) => Some(range),
        None => at.problem(format!("`{prefix}/{bits}` is not a range of addresses")),
    }
}

#[cfg(test)]
mod tests;
