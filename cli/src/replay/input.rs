//! Lines of logs, and how far they are read.

use crate::Failure;
use flate2::read::MultiGzDecoder;
use std::cell::Cell;
use std::io::{BufRead, BufReader, IsTerminal as _, Read, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A longer line is none of an access log.
const LINE: usize = 1 << 20;

/// How wide the bar is.
const WIDTH: usize = 30;

/// Hands over each line that is not empty, with the name of its file and its number.
///
/// # Errors
/// If a file cannot be read.
pub(super) fn each_line(logs: &[PathBuf], mut take: impl FnMut(&str, u64, Result<&[u8], &str>)) -> Result<(), Failure> {
    let mut bar = Bar::new(logs);
    for path in logs {
        let is_stdin = path.as_os_str() == "-";
        let name = if is_stdin { "stdin".to_owned() } else { path.display().to_string() };
        let unreadable = |error: std::io::Error| Failure::Use(format!("`{name}` cannot be read: {error}"));
        let file = crate::input::open(path).map_err(unreadable)?;
        let counted = Counted { file, read: Rc::clone(&bar.read) };
        let mut lines = plain(BufReader::with_capacity(1 << 16, counted)).map_err(unreadable)?;
        let mut line = Vec::new();
        for number in 1u64.. {
            line.clear();
            let limit = u64::try_from(LINE).unwrap_or(u64::MAX);
            let count = (&mut lines).take(limit).read_until(b'\n', &mut line).map_err(unreadable)?;
            if count == 0 {
                break;
            }
            if count == LINE && line.last() != Some(&b'\n') {
                rest_of_line(&mut lines).map_err(unreadable)?;
                take(&name, number, Err("longer than 1 MiB"));
                continue;
            }
            let line = line.trim_ascii();
            if !line.is_empty() {
                take(&name, number, Ok(line));
            }
            bar.draw();
        }
    }
    bar.clear();
    Ok(())
}

/// What is packed, unpacked.
fn plain(mut file: BufReader<Counted>) -> std::io::Result<Box<dyn BufRead>> {
    let is_packed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if is_packed { Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file))) } else { Box::new(file) })
}

/// Passes over what is left of a line.
fn rest_of_line(lines: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let buffer = lines.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (used, is_end) = (end.map_or(buffer.len(), |end| end + 1), end.is_some() || buffer.is_empty());
        lines.consume(used);
        if is_end {
            return Ok(());
        }
    }
}

/// Counts what is read of a file.
struct Counted {
    file: Box<dyn Read>,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.set(self.read.get().saturating_add(u64::try_from(count).unwrap_or(0)));
        Ok(count)
    }
}

/// A bar on a terminal.
struct Bar {
    read: Rc<Cell<u64>>,
    /// Bytes of all files; `None` where that is not known, or no terminal sees it.
    total: Option<u64>,
    /// The percent that it shows.
    drawn: Option<u64>,
}

impl Bar {
    fn new(logs: &[PathBuf]) -> Self {
        let size =
            |path: &PathBuf| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|data| data.len());
        let total = logs.iter().map(size).sum::<Option<u64>>();
        let total = total.filter(|total| *total > 0 && stderr().is_terminal());
        Self { read: Rc::default(), total, drawn: None }
    }

    fn draw(&mut self) {
        let Some(total) = self.total else { return };
        let percent = self.read.get().saturating_mul(100).checked_div(total).unwrap_or(0).min(100);
        if self.drawn == Some(percent) {
            return;
        }
        self.drawn = Some(percent);
        let full = usize::try_from(percent).unwrap_or(0) * WIDTH / 100;
        let _ = write!(stderr(), "\r[{:<WIDTH$}] {percent:>3} %", "#".repeat(full));
    }

    fn clear(&self) {
        if self.drawn.is_some() {
            let _ = write!(stderr(), "\r{:w$}\r", "", w = WIDTH + 8);
        }
    }
}

/// The text of an option that is a text or a file with it.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn text_or_file(text: &str) -> Result<String, Failure> {
    match Path::new(text).is_file() {
        true => crate::input::read_text(Path::new(text)),
        false => Ok(text.to_owned()),
    }
}
