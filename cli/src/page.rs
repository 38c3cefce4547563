//! A command that a web page runs: on the files that the page has, and its output is the page's.
//!
//! It is the command line itself, so the page cannot answer differently. Nothing outside is read or written.

use crate::{Cli, Command, Failure};
use clap::Parser as _;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

thread_local! {
    /// The page whose command runs.
    static PAGE: RefCell<Option<Page>> = const { RefCell::new(None) };
}

/// What a command reads, and what it printed.
#[derive(Debug, Default)]
struct Page {
    files: BTreeMap<PathBuf, String>,
    answer: Answer,
}

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What it printed to standard output.
    pub output: String,
    /// What it printed to standard error.
    pub notes: String,
    /// Files that it wrote, by name.
    pub files: BTreeMap<String, String>,
    /// Its exit code.
    pub code: u8,
}

/// Runs a command on files that are given by name. `words` are those after `weir`. Only commands that ask of files are run:
/// `analyze`, `explain`, `replay` and `validate`; a name that is none of the files' is not found.
pub fn answer(files: impl IntoIterator<Item = (String, String)>, words: impl IntoIterator<Item = String>) -> Answer {
    let files = files.into_iter().map(|(name, text)| (PathBuf::from(name), text)).collect();
    PAGE.set(Some(Page { files, answer: Answer::default() }));
    let code = run(words);
    PAGE.take().map(|page| Answer { code, ..page.answer }).unwrap_or_default()
}

fn run(words: impl IntoIterator<Item = String>) -> u8 {
    let words = std::iter::once("weir".to_owned()).chain(words);
    let result = match Cli::try_parse_from(words) {
        Ok(Cli {
            command: command @ (Command::Analyze(_) | Command::Explain(_) | Command::Replay(_) | Command::Validate(_)),
        }) => crate::run_command(command),
        Ok(_) => Err(Failure::Use("a page runs analyze, explain, replay and validate".to_owned())),
        Err(error) => Err(Failure::Use(error.to_string())),
    };
    crate::code(result)
}

/// Writes a file.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let written = with(|page| page.answer.files.insert(path.to_string_lossy().into_owned(), text.to_owned()));
    if written.is_some() { Ok(()) } else { std::fs::write(path, text) }
}

/// Whether it is a page's command that prints: then this is its output.
pub(crate) fn prints(text: &str) -> bool {
    with(|page| add(&mut page.answer.output, text)).is_some()
}

/// The same of standard error.
pub(crate) fn notes(lines: &str) -> bool {
    with(|page| add(&mut page.answer.notes, lines)).is_some()
}

/// Where it is a page's command: what adds to its output.
pub(crate) fn writer() -> Option<Writer> {
    with(|_| Writer)
}

/// Adds to the output of the page's command.
pub(crate) struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        with(|page| page.answer.output.push_str(&String::from_utf8_lossy(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn add(to: &mut String, text: &str) {
    to.push_str(text);
    to.push('\n');
}

/// Where it is a page's command: its file of that name.
pub(crate) fn file(path: &Path) -> Option<io::Result<Cursor<String>>> {
    let text = with(|page| page.files.get(path).cloned())?;
    Some(text.map(Cursor::new).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)))
}

fn with<T>(of_page: impl FnOnce(&mut Page) -> T) -> Option<T> {
    PAGE.with_borrow_mut(|page| page.as_mut().map(of_page))
}

#[cfg(test)]
mod tests {
    use super::{Answer, answer};
    use std::collections::BTreeMap;
    use weir_testing::Rows;

    const POLICY: &str = "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reads, namespace: shop}
spec:
  rules:
  - to:
    - operation: {methods: [GET], paths: [/cart]}
";

    fn ask(words: &str) -> Answer {
        let files = [("a.yaml", POLICY), ("old.yaml", "{}"), ("r.jsonl", r#"{"method": "GET", "path": "/cart"}"#)];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
        answer(files, words.split(' ').map(str::to_owned))
    }

    #[test]
    fn a_page_asks_the_command_line() {
        let mut rows = Rows::default();
        for (words, code, output, notes) in [
            ("explain a.yaml --path /cart", 0, "allow: ", "weir: shop/workload with no labels"),
            ("explain a.yaml --path /cart --method POST", 0, "deny: ", ""),
            ("explain a.yaml --requests r.jsonl", 0, r#""allow""#, ""),
            ("explain a.yaml --path cart", 2, "", "--path cart: a path begins with `/`"),
            ("explain none.yaml --path /cart", 2, "", "`none.yaml` cannot be read"),
            ("explain a.yaml --request none.yaml", 2, "", "`none.yaml` cannot be read"),
            ("explain /etc/hostname --path /", 2, "", "`/etc/hostname` cannot be read"),
            ("analyze a.yaml --workload shop/cart --reach", 0, "/cart", ""),
            ("validate a.yaml", 0, "1 AuthorizationPolicy", ""),
            ("completions bash", 2, "", "a page runs analyze, explain, replay and validate"),
            ("explain", 2, "", "required arguments were not provided"),
        ] {
            let answer = ask(words);
            let is_expected = answer.code == code && answer.output.contains(output) && answer.notes.contains(notes);
            rows.check(words, (is_expected, &answer), (true, &answer));
        }
    }

    #[test]
    fn what_a_page_writes_is_its_own() {
        let answer = ask("analyze a.yaml --workload shop/cart --graph /nowhere/reach.svg");
        let names: Vec<&String> = answer.files.keys().collect();
        assert_eq!(names, ["/nowhere/reach.svg"], "{answer:?}");
        assert!(answer.files["/nowhere/reach.svg"].starts_with("<svg"), "{answer:?}");
        assert_eq!(ask("validate a.yaml").files, BTreeMap::new());
    }
}
