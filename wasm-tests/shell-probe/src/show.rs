//! How facts and answers read in the log.

use weir_model::{Answer, Attribute, Attributes, CallFailure, Facts};

/// From how many bytes on a body is shown as its length.
const LONG: usize = 1000;

/// The filter state that the probe itself sets.
pub(crate) fn filter_state() -> Attribute {
    Attribute::FilterState("wasm.weir.policy".into())
}

/// How many entries each header map has.
pub(crate) fn maps(facts: &Facts<'_>) -> String {
    let Facts { request_headers, response_headers, response_trailers, attributes: _ } = facts;
    let count = |entries: usize| if entries > 0 { "some" } else { "none" };
    let status = response_headers.first(b":status").map(String::from_utf8_lossy);
    format!(
        "request headers {}, response headers {}, trailers {}, status {}",
        count(request_headers.len()),
        count(response_headers.len()),
        count(response_trailers.len()),
        status.as_deref().unwrap_or("none"),
    )
}

/// One line for each attribute: its path with its value, or that it is absent.
pub(crate) fn attributes(attributes: &Attributes) -> impl Iterator<Item = String> {
    Attribute::BUILTIN.into_iter().chain([filter_state()]).map(|attribute| {
        let path = attribute.path().join(".");
        match attributes.bytes(&attribute) {
            Some(bytes) => format!("{path} = {}", value(&attribute, attributes, bytes)),
            None => format!("{path} is absent"),
        }
    })
}

pub(crate) fn value(attribute: &Attribute, attributes: &Attributes, bytes: &[u8]) -> String {
    let number = matches!(
        attribute,
        Attribute::ListenerDirection
            | Attribute::RequestTotalSize
            | Attribute::RequestDuration
            | Attribute::ResponseCode
            | Attribute::ResponseFlags
            | Attribute::ResponseGrpcStatus
            | Attribute::ResponseTotalSize
    );
    let text = if number { attributes.int(attribute).map(|number| number.to_string()) } else { None };
    let truth = if attribute.is_bool() { attributes.bool(attribute).map(|truth| truth.to_string()) } else { None };
    text.or(truth).unwrap_or_else(|| String::from_utf8_lossy(bytes).escape_debug().to_string())
}

/// An answer in a line.
pub(crate) fn answer(answer: &Answer<'_>) -> String {
    match answer {
        Answer::Http { headers, body } => {
            let status = headers.first(b":status").map(String::from_utf8_lossy).unwrap_or_default();
            match body.len() {
                long @ LONG.. => format!("http {status} with {long} bytes"),
                _ => format!("http {status} with {}", String::from_utf8_lossy(body)),
            }
        }
        Answer::Grpc { message } => format!("grpc with {message:?}"),
        Answer::TooLarge { bytes, .. } => format!("too large with {bytes}"),
        Answer::Failed(CallFailure::Status(status)) => format!("failed with {status}"),
        Answer::Failed(CallFailure::NoCluster) => "failed without the cluster".to_owned(),
        Answer::Failed(CallFailure::NoHost) => "failed without a host".to_owned(),
        // No status.
        Answer::Failed(CallFailure::NotSent | CallFailure::Reset | CallFailure::Unreadable) => {
            "failed with 0".to_owned()
        }
    }
}
