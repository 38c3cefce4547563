//! Formats of lines, and reading a line by its format.

use super::json::{Fields, Json, parse};
use super::names::{self, Group};
use super::operator::{Operator, Says};
use super::record::{Given, Record};
use super::text::TextFormat;
use std::borrow::Cow;
use std::collections::HashMap;

/// Istio's default text (`pilot/pkg/model/telemetry_logging.go`).
const ISTIO: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% \
    %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" \
    %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \
    \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% \
    %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%";

/// What writes audit records into Envoy's log writes this before each.
const AUDIT_MARK: &[u8] = b"weir audit: ";

/// How lines are written.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    known: Known,
    istio: Option<TextFormat>,
}

#[derive(Clone, Debug)]
enum Known {
    /// Istio's text, or JSON with the names of [`names`].
    Usual,
    Text(TextFormat),
    Json(HashMap<Vec<u8>, Node>),
}

/// A field of a format of JSON.
#[derive(Clone, Debug)]
enum Node {
    Says(Operator),
    Text(TextFormat),
    Map(HashMap<Vec<u8>, Node>),
}

impl Default for Format {
    fn default() -> Self {
        Self { known: Known::Usual, istio: TextFormat::read(ISTIO).ok() }
    }
}

impl Format {
    /// Reads a format as it is configured: the text, or the JSON object.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn read(format: &str) -> Result<Self, String> {
        let known = match format.trim_start().starts_with('{') {
            false => Known::Text(TextFormat::read(format)?),
            true => match parse(format.as_bytes())? {
                Json::Map(fields) => Known::Json(nodes(&fields)?),
                _ => return Err("expected an object".to_owned()),
            },
        };
        Ok(Self { known, istio: None })
    }

    /// Reads a line.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn record<'l>(&self, line: &'l [u8]) -> Result<Record<'l>, String> {
        let mut record = Record::default();
        match (&self.known, &self.istio) {
            (Known::Text(format), _) => take_text(format, line, &mut record)?,
            (Known::Json(nodes), _) => take_map(nodes, fields(parse(begin_of_json(line))?)?, &mut record)?,
            (Known::Usual, istio) => match (begin_of_json(line), istio) {
                (json, _) if json.first() == Some(&b'{') => take_usual(fields(parse(json)?)?, &mut record)?,
                (_, Some(istio)) => {
                    let line = begin_of_text(line).ok_or("not a line of Istio's access log: it has no time")?;
                    let read = take_text(istio, line, &mut record);
                    read.map_err(|problem| match problem.starts_with("not a line") {
                        true => format!("{problem} that Istio has by default, which is read"),
                        false => problem,
                    })?;
                }
                (_, None) => return Err("not a line of JSON".to_owned()),
            },
        }
        record.finish()?;
        Ok(record)
    }
}

/// Whether a JSON text is a line of an access log or an audit record.
pub(crate) fn is_recorded(text: &[u8]) -> bool {
    match parse(begin_of_json(text)) {
        Ok(Json::Map(fields)) => is_line(&fields) || super::audit::is_record(&fields),
        _ => false,
    }
}

fn is_line(fields: &[(Cow<'_, [u8]>, Json<'_>)]) -> bool {
    fields.iter().any(|(name, _)| matches!(&**name, b"response_code" | b"start_time" | b"response_flags"))
}

/// The fields of a format of JSON.
fn nodes(fields: &[(Cow<'_, [u8]>, Json<'_>)]) -> Result<HashMap<Vec<u8>, Node>, String> {
    let node = |value: &Json<'_>| -> Result<Option<Node>, String> {
        Ok(match value {
            Json::Map(fields) => Some(Node::Map(nodes(fields)?)),
            Json::Text(text) => {
                let text = String::from_utf8_lossy(text);
                // A label of a fixed text says nothing.
                let format = text.contains('%').then(|| TextFormat::read(&text)).transpose()?;
                format.map(|format| match format.only() {
                    Some(operator) => Node::Says(operator.clone()),
                    None => Node::Text(format),
                })
            }
            _ => None,
        })
    };
    let named = fields.iter().map(|(name, value)| Ok(node(value)?.map(|node| (name.to_vec(), node))));
    named.filter_map(Result::transpose).collect()
}

fn fields(value: Json<'_>) -> Result<Fields<'_>, String> {
    match value {
        Json::Map(fields) => Ok(fields),
        _ => Err("not JSON: expected an object".to_owned()),
    }
}

/// Where the text of a line begins: `kubectl logs --prefix` puts the pod before it.
fn begin_of_text(line: &[u8]) -> Option<&[u8]> {
    let at = line.windows(2).position(|window| window == b"[2")?;
    line.get(at..)
}

/// Where the JSON of a line begins, behind the pod, or what Envoy's own log has before an audit record.
fn begin_of_json(line: &[u8]) -> &[u8] {
    if line.first() == Some(&b'{') {
        return line;
    }
    if let Some(record) = marked(line) {
        return record;
    }
    let end = line.starts_with(b"[pod/").then(|| line.windows(3).position(|window| window == b"] {")).flatten();
    end.and_then(|end| line.get(end + 2..)).unwrap_or(line)
}

/// The audit record in a line of Envoy's own log, behind which Istio's proxies write the thread. In a line of an access log
/// a client may have written the same, in quotation marks.
fn marked(line: &[u8]) -> Option<&[u8]> {
    let at = line.windows(AUDIT_MARK.len()).position(|window| window == AUDIT_MARK)?;
    let (before, record) = line.split_at_checked(at)?;
    let record = record.get(AUDIT_MARK.len()..)?;
    let end = record.iter().rposition(|byte| *byte == b'}')?;
    record.get(..=end).filter(|_| !before.contains(&b'"'))
}

/// Whether a line of Envoy's own log has an audit record.
pub(crate) fn has_record(line: &[u8]) -> bool {
    line.first() != Some(&b'{') && marked(line).is_some()
}

fn take_text<'l>(format: &TextFormat, line: &'l [u8], record: &mut Record<'l>) -> Result<(), String> {
    for (operator, value) in format.take_apart(line)? {
        record.take(operator, Given::of_text(value));
    }
    Ok(())
}

fn take_map<'l>(nodes: &HashMap<Vec<u8>, Node>, fields: Fields<'l>, record: &mut Record<'l>) -> Result<(), String> {
    for (name, value) in fields {
        match (nodes.get(&*name), value) {
            (Some(Node::Says(operator)), value) => record.take(operator, Given::Json(value)),
            (Some(Node::Text(format)), Json::Text(Cow::Borrowed(text))) => take_text(format, text, record)?,
            (Some(Node::Map(nodes)), Json::Map(fields)) => take_map(nodes, fields, record)?,
            _ => {}
        }
    }
    Ok(())
}

/// Takes the fields of a line whose format is not given.
fn take_usual<'l>(fields: Fields<'l>, record: &mut Record<'l>) -> Result<(), String> {
    if super::audit::is_record(&fields) {
        super::audit::take(fields, record);
        return Ok(());
    }
    if !is_line(&fields) {
        return Err("not a line of an access log, nor an audit record".to_owned());
    }
    for (name, value) in fields {
        match (names::of(&name), value) {
            (Some(Ok(says)), value) => record.take(&Operator::of(says), Given::Json(value)),
            (Some(Err(group)), Json::Map(fields)) => take_group(group, fields, record),
            _ => {}
        }
    }
    Ok(())
}

/// Takes an object whose fields are named after what they hold.
pub(super) fn take_group<'l>(group: Group, fields: Fields<'l>, record: &mut Record<'l>) {
    for (name, value) in fields {
        let text = String::from_utf8_lossy(&name);
        let says = match (group, value) {
            (Group::Headers, value) => (Says::Header(text.to_ascii_lowercase().into()), value),
            (Group::JoinedHeaders, value) => (Says::JoinedHeader(text.to_ascii_lowercase().into()), value),
            (Group::Claims, value) => {
                take_claims(&mut vec![text.into_owned()], value, record);
                continue;
            }
            (Group::Metadata, Json::Map(values)) => {
                for (key, value) in values {
                    let path: Box<[Box<str>]> = [String::from_utf8_lossy(&key).into()].into();
                    record.take(&Operator::of(Says::Metadata(text.as_ref().into(), path)), Given::Json(value));
                }
                continue;
            }
            (Group::Metadata, _) => continue,
        };
        record.take(&Operator::of(says.0), Given::Json(says.1));
    }
}

/// Takes claims of which a line has some: what is not inside of an object is not known.
fn take_claims<'l>(path: &mut Vec<String>, value: Json<'l>, record: &mut Record<'l>) {
    let Json::Map(fields) = value else {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        return record.take_claim(&names, value);
    };
    for (name, value) in fields {
        path.push(String::from_utf8_lossy(&name).into_owned());
        take_claims(path, value, record);
        path.pop();
    }
}

#[cfg(test)]
mod tests;
