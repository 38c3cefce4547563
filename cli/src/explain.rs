//! `weir explain`: what the policies of a workload decide about a request, and why.
//!
//! The policy core decides, as it does in the proxy; this reads files and requests, and prints.

mod log;
mod many;
mod options;
mod policies;
mod print;
mod request;

pub(crate) use options::{Explain, Whose};
pub(crate) use policies::{Policies, read as read_policies, read_sources};

use crate::{Failure, input};
use options::Output;
use request::Request;
use std::path::Path;

/// Explains what the options ask for.
pub(crate) fn explain(options: &Explain) -> Result<(), Failure> {
    let of_stdin =
        [options.request.as_deref(), options.log_line.as_deref(), options.requests.as_deref().and_then(Path::to_str)];
    let is_stdin = |path: &Path| path.as_os_str() == "-";
    if of_stdin.contains(&Some("-")) && options.paths().iter().any(|path| is_stdin(path)) {
        return Err(Failure::Use("standard input is the files or the request, and not both".to_owned()));
    }
    let mut policies = policies::read(&options.paths(), &options.whose)?;
    if let Some(path) = &options.requests {
        return many::explain(&mut policies, options, path);
    }
    let request = asked(options)?;
    policies.warn_of(&request);
    let context = print::Context { mode: policies.mode, name: policies.name.clone(), of: policies.of.clone() };
    let explainer = policies.explainer(request.protocol)?;
    let facts = request.facts(explainer);
    let missing = facts.missing(explainer);
    let explanation = facts.with(|facts| explainer.explain(facts, &missing));
    let decision = context.decision(&explanation.answers.enforced);
    match options.output {
        Output::Text => {
            let text = print::text(&context, &explanation, &request, options.all_rules);
            let lines: Vec<String> = text.trim_end().lines().map(crate::print::plain).collect();
            crate::print::whole(&lines.join("\n"))?;
        }
        Output::Json => crate::print::json(&format!("{:#}", print::json(&context, &explanation)))?,
    }
    match options.expect {
        Some(expected) if expected.word() != decision => {
            Err(Failure::No(format!("expected {}, and the answer is {decision}", expected.word())))
        }
        _ => Ok(()),
    }
}

/// The one request that the options have.
fn asked(options: &Explain) -> Result<Request, Failure> {
    let mut request = match (&options.request, &options.log_line) {
        (Some(text), _) => {
            let (name, text) = inline_or_file(text)?;
            request::read(&name, text)?
        }
        (_, Some(line)) => {
            let line = if line == "-" { input::read_text(Path::new("-"))? } else { line.clone() };
            log::read(line.trim()).map_err(|problem| Failure::Use(format!("--log-line: {problem}")))?
        }
        (None, None) if options.flags.is_empty() => {
            return Err(Failure::Use(
                "what is asked about is missing: --request, --requests, --log-line, or --method, --path and so on"
                    .to_owned(),
            ));
        }
        (None, None) => Request::default(),
    };
    options.flags.apply(&mut request).map_err(Failure::Use)?;
    if let Some(field) = request.of_requests_alone() {
        return Err(Failure::Use(format!("a connection (protocol tcp) has no {field}: leave it out")));
    }
    if options.request.is_none() && options.log_line.is_none() && request.protocol != request::Protocol::Tcp {
        // As curl would send it.
        request.method.get_or_insert_with(|| "GET".to_owned());
    }
    Ok(request)
}

/// The text of a request that is given as a file, as `-`, or as itself, and a name for it.
fn inline_or_file(text: &str) -> Result<(String, String), Failure> {
    let path = Path::new(text);
    let is_inline = text.trim_start().starts_with('{') || text.contains('\n') || text.contains(": ");
    match text {
        "-" => Ok(("stdin".to_owned(), input::read_text(Path::new("-"))?)),
        _ if is_inline && !path.is_file() => Ok(("--request".to_owned(), text.to_owned())),
        _ => Ok((text.to_owned(), input::read_text(path)?)),
    }
}
