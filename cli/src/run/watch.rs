//! Files that are edited while Envoy runs: a change is read, checked, and handed to Envoy over the files of extension
//! configuration discovery. What is refused leaves the old configuration in force.

use crate::bootstrap::Bootstrap;
use crate::{Failure, input};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use weir_launch::Envoy;

/// Looks at files that have not changed, after which nothing is being written: two tenths of a second.
const STILL: u32 = 2;

/// How long Envoy may take to say what became of a configuration.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files of a run, and what they were when they were last read.
pub(super) struct Watch {
    paths: Vec<PathBuf>,
    seen: State,
    /// What they were at the last look, and for how many looks they have been so.
    latest: (State, u32),
    /// The directory of discovery files.
    dir: PathBuf,
    /// What Envoy was handed last, by the names of the filters.
    handed: BTreeMap<String, Value>,
}

/// What became of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// Nothing that runs is different.
    Unchanged,
    Taken,
    Refused,
    /// Envoy has not said which.
    Unknown,
}

impl Watch {
    pub(super) fn new(paths: Vec<PathBuf>, dir: &Path) -> Self {
        let seen = state(&paths);
        Self { paths, latest: (seen.clone(), 0), seen, dir: dir.to_owned(), handed: BTreeMap::new() }
    }

    /// Whether a file has changed since it was last said so, and all are still again: an editor may empty a file before it writes
    /// it, and a file that is half there must not come in force.
    pub(super) fn has_changed(&mut self) -> bool {
        let now = state(&self.paths);
        let (latest, looks) = &mut self.latest;
        if now != *latest {
            self.latest = (now, 0);
            return false;
        }
        *looks += 1;
        let has_changed = *looks >= STILL && now != self.seen;
        if has_changed {
            self.seen = now;
        }
        has_changed
    }

    /// Puts discovery in the place of the configuration of Weir's filters, and writes that into files.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub(super) fn discover(&mut self, bootstrap: &mut Bootstrap) -> Result<(), Failure> {
        self.handed = bootstrap.discover(&self.dir);
        self.handed.iter().try_for_each(|(name, config)| self.write(name, config))
    }

    /// Hands the configurations of a bootstrap to Envoy, as far as they are others than before.
    ///
    /// # Errors
    /// Files that cannot be written, or an Envoy that does not answer.
    pub(super) fn hand_over(&mut self, bootstrap: &mut Bootstrap, envoy: &Envoy) -> Result<Edit, Failure> {
        let mut filters = bootstrap.discover(&self.dir);
        // Envoy counts nothing for a configuration that it has.
        filters.retain(|name, config| self.handed.get(name) != Some(config));
        if filters.is_empty() {
            return Ok(Edit::Unchanged);
        }
        let unanswered = || Failure::Use("Envoy does not answer".to_owned());
        let before = Counts::of(envoy).ok_or_else(unanswered)?;
        let count = u64::try_from(filters.len()).unwrap_or(u64::MAX);
        filters.iter().try_for_each(|(name, config)| self.write(name, config))?;
        self.handed.extend(filters);
        let after = weir_launch::wait_until(PATIENCE, || {
            let now = Counts::of(envoy)?;
            (now.refused > before.refused || now.taken >= before.taken + count).then_some(now)
        });
        Ok(match after {
            None => Edit::Unknown,
            Some(now) if now.refused > before.refused => Edit::Refused,
            Some(_) => Edit::Taken,
        })
    }

    /// Moves the file into the directory that Envoy watches, so that it never reads half of one.
    fn write(&self, name: &str, config: &Value) -> Result<(), Failure> {
        let resource = json!({
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": name,
            "typed_config": config,
        });
        let file = Bootstrap::discovery_file(&self.dir, name);
        let part = self.dir.join(format!("{name}.part"));
        let written = file.parent().map_or(Ok(()), fs::create_dir_all);
        let written = written.and_then(|()| fs::write(&part, json!({"resources": [resource]}).to_string()));
        written
            .and_then(|()| fs::rename(&part, &file))
            .map_err(|error| Failure::Use(format!("`{}` cannot be written: {error}", file.display())))
    }
}

/// How many configurations Envoy has taken and refused.
struct Counts {
    taken: u64,
    refused: u64,
}

impl Counts {
    fn of(envoy: &Envoy) -> Option<Self> {
        let text = envoy.admin_get("/stats?filter=extension_config_discovery").ok()?;
        let sum = |ending: &str| {
            let values = text.lines().filter_map(|line| line.split_once(": "));
            values.filter(|(name, _)| name.ends_with(ending)).filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
        };
        Some(Self { taken: sum(".config_reload"), refused: sum(".config_fail") + sum(".update_rejected") })
    }
}

/// Each file that is read, when it was changed, and its size.
type State = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// The state of what is read. Links to folders are not followed, as in reading.
fn state(paths: &[PathBuf]) -> State {
    let mut found = Vec::new();
    let mut waiting = paths.to_vec();
    while let Some(path) = waiting.pop() {
        let data = fs::metadata(&path).ok();
        if data.as_ref().is_some_and(fs::Metadata::is_dir) {
            for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
                let (inner, kind) = (entry.path(), entry.file_type());
                let is_folder = kind.is_ok_and(|kind| kind.is_dir());
                if (is_folder && !is_hidden(&inner)) || (!is_folder && input::has_ending(&inner) && !inner.is_dir()) {
                    waiting.push(inner);
                }
            }
        } else {
            let changed = data.as_ref().and_then(|data| data.modified().ok());
            found.push((path, changed, data.map_or(0, |data| data.len())));
        }
    }
    found.sort();
    found
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

#[cfg(test)]
mod tests;
