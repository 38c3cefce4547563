//! What a registry's refusals mean to who asked.

use crate::Error;
use oci_client::errors::{OciDistributionError, OciErrorCode};

/// The error of a request, with what may be done about it.
pub(super) fn explain(place: &str, error: &OciDistributionError) -> Error {
    let host = place.split('/').next().unwrap_or_default();
    let login = format!("log in (`docker login {host}`), or give `--username` and `--password-stdin`");
    let reason = match error {
        OciDistributionError::UnauthorizedError { .. } => format!("the registry asks who you are: {login}"),
        OciDistributionError::AuthenticationFailure(reason) => {
            format!("the registry gives no token ({}): {login}", first_line(reason))
        }
        OciDistributionError::RegistryError { envelope, .. } => {
            let has = |code: &OciErrorCode| envelope.errors.iter().any(|error| error.code == *code);
            if has(&OciErrorCode::ManifestUnknown) || has(&OciErrorCode::NameUnknown) || has(&OciErrorCode::NotFound) {
                return Error::Missing(format!(
                    "`{place}`: the registry has no such image: check the name and the tag"
                ));
            }
            if has(&OciErrorCode::Denied) || has(&OciErrorCode::Unauthorized) {
                format!("the registry says that you may not: {login}")
            } else {
                let words: Vec<String> = envelope.errors.iter().map(|error| error.message.clone()).collect();
                format!("the registry refuses: {}", words.join("; "))
            }
        }
        OciDistributionError::ServerError { code: 404, .. } => {
            return Error::Missing(format!("`{place}`: the registry has no such image: check the name and the tag"));
        }
        OciDistributionError::ServerError { code, message, .. } => {
            format!("the registry answers {code} {}: try again later", first_line(message))
        }
        OciDistributionError::RequestError(error) => {
            let hint = if error.url().is_some_and(|url| url.scheme() == "https") {
                "an authority of your own is given with `--ca-file`, a registry without TLS needs `--plain-http`"
            } else {
                "without TLS; `--ca-file` gives it to a registry on a loopback address"
            };
            match error.status().map(|status| status.as_u16()) {
                Some(401) => format!("the registry asks who you are: {login}"),
                Some(403) => format!("the registry says that you may not: {login}"),
                // What a server with TLS answers to a request without.
                Some(400) => format!("the registry answers 400 Bad Request ({hint})"),
                Some(code) => format!("the registry answers {code}: try again later"),
                None => format!("the registry cannot be reached: {} ({hint})", chain(error)),
            }
        }
        other => chain(other),
    };
    Error::Registry { reference: place.to_owned(), reason }
}

/// An error with those that caused it, each once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        next = error.source();
    }
    words
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}
