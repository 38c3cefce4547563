//! `weir serve`: the page that explains and analyzes in a browser.
//!
//! The page is one file with the command line inside, so nothing is asked of the server once it is open.

use crate::{Failure, input, print};
use clap::Args;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use weir_launch::{Received, Reply, Upstream};

const PAGE: &str = include_str!(concat!(env!("OUT_DIR"), "/page.html"));

/// Where the page has what it shows at first.
const GIVEN: &str = r#"id="given">null<"#;

/// Options of `weir serve`.
#[derive(Args)]
#[command(after_help = "Examples:
  weir serve                                          the page with an example
  weir serve policies/ --workload shop/cart           the page with these policies
  weir serve --write page.html                        the page as a file, to open, to keep or to put on a server of yours

What is pasted into the page stays in the browser. The page can be reached from this machine alone.

Exit codes: 0 the page was written, 2 usage error, or a file that cannot be read.")]
pub(crate) struct Serve {
    /// Files and folders with the policies that the page shows at first, as `weir explain` takes them
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The workload that the page asks about at first
    #[arg(long, value_name = "NAMESPACE/NAME")]
    workload: Option<String>,
    /// Port to listen on, 0 for any free one
    #[arg(long, value_name = "PORT", default_value_t = 7700, conflicts_with = "write")]
    port: u16,
    /// Write the page into a file instead, `-` for standard output
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Serves the page until the process ends, or writes it.
pub(crate) fn serve(options: &Serve) -> Result<(), Failure> {
    let page = page(&given(options)?)?;
    match &options.write {
        Some(path) if path.as_os_str() == "-" => print::whole(page.trim_end()),
        Some(path) => std::fs::write(path, page).map_err(|error| {
            Failure::Use(format!("`{}` cannot be written: {error}", print::plain(&path.to_string_lossy())))
        }),
        None => {
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
            let server = Upstream::start(options.port, move |request| answer(&page, request))
                .map_err(|error| Failure::Use(format!("{at} cannot be listened on: {error}; choose another --port")))?;
            let said = print::whole(&format!("http://{}/ until ctrl-C", server.address()));
            // The page is served though the reader of this line has gone.
            said.or_else(|failure| if matches!(failure, Failure::Quiet(_)) { Ok(()) } else { Err(failure) })?;
            loop {
                std::thread::park();
            }
        }
    }
}

/// What the page shows at first: null, or its fields that are not those of its example.
fn given(options: &Serve) -> Result<Value, Failure> {
    if options.paths.is_empty() && options.workload.is_none() {
        return Ok(Value::Null);
    }
    let mut given = json!({});
    let mut set =
        |name: &str, text: String| given.as_object_mut().and_then(|given| given.insert(name.to_owned(), text.into()));
    if !options.paths.is_empty() {
        let texts: Vec<String> = input::read_all(&options.paths)?
            .into_iter()
            .map(|source| format!("# {}\n{}\n", print::plain(&source.name), source.text.trim_end()))
            .collect();
        set("policies", texts.join("---\n"));
        set("labels", String::new());
        set("workload", String::new());
    }
    if let Some(workload) = &options.workload {
        set("workload", workload.clone());
    }
    Ok(given)
}

/// The page with what it shows at first.
fn page(given: &Value) -> Result<String, Failure> {
    let Some((before, after)) = PAGE.split_once(GIVEN) else {
        return Err(Failure::Use("this binary was built without the page: `make page build`".to_owned()));
    };
    // In a script nothing ends it but `</`.
    let given = print::plain_json(&given.to_string()).replace('<', "\\u003c");
    Ok(format!("{before}id=\"given\">{given}<{after}"))
}

/// The page, for who asks this machine under its own name: a page from elsewhere could otherwise read what this one shows.
fn answer(page: &str, request: &Received) -> Reply {
    let host = request.authority.clone().or_else(|| request.header("host")).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    let (status, body) = match (name, request.method.as_str(), request.path.split('?').next()) {
        ("127.0.0.1" | "localhost", "GET" | "HEAD", Some("/")) => (200, page),
        ("127.0.0.1" | "localhost", "GET" | "HEAD", _) => (404, "the page is at /\n"),
        ("127.0.0.1" | "localhost", ..) => (405, "only GET\n"),
        _ => (403, "this page is for this machine alone: http://127.0.0.1\n"),
    };
    let content_type = if status == 200 { "text/html; charset=utf-8" } else { "text/plain; charset=utf-8" };
    let headers =
        [("content-type", content_type), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")];
    Reply {
        status,
        headers: headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec(),
        body: body.as_bytes().to_vec(),
        ..Reply::default()
    }
}
