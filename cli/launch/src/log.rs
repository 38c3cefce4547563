//! Reading a growing log file line by line, and what an Envoy log line says.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Reads a file that another process appends to. A line counts once its end is there.
#[derive(Debug)]
pub struct LogTail {
    path: PathBuf,
    offset: u64,
    partial: Vec<u8>,
}

impl LogTail {
    /// From the beginning of `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), offset: 0, partial: Vec::new() }
    }

    /// The complete lines that came since the last call, bytes that are not UTF-8 replaced.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn lines(&mut self) -> io::Result<Vec<String>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let read = file.read_to_end(&mut self.partial)?;
        self.offset += read as u64;
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
        let rest = self.partial.split_off(end + 1);
        let complete = std::mem::replace(&mut self.partial, rest);
        Ok(String::from_utf8_lossy(&complete).lines().map(str::to_owned).collect())
    }
}

/// The last `count` lines of a file; none if it cannot be read.
pub(crate) fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(count)).map(|line| (*line).to_owned()).collect()
}

/// Why Envoy stopped, in one line: what it wrote last outside its log format, else its last critical message, else its
/// last error, else its last line.
pub(crate) fn reason(lines: &[String]) -> Option<String> {
    let plain = lines.last().filter(|line| !line.starts_with('[')).map(String::as_str);
    let last = |level: &str| lines.iter().rfind(|line| line.contains(level)).map(String::as_str);
    let found =
        plain.or_else(|| last("[critical]")).or_else(|| last("[error]")).or(lines.last().map(String::as_str))?;
    const SHOWN: usize = 300;
    let text = message(found).split_whitespace().collect::<Vec<_>>().join(" ");
    Some(if text.chars().count() > SHOWN { text.chars().take(SHOWN).chain("...".chars()).collect() } else { text })
}

/// What a log line says after time, thread, level and place: `[time][1][error][wasm] [source/x.cc:1] MESSAGE`.
fn message(line: &str) -> &str {
    line.split_once("] [source/").and_then(|(_, rest)| rest.split_once("] ")).map_or(line, |(_, message)| message)
}

#[cfg(test)]
mod tests;
