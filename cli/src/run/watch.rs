//! Files that are edited while Envoy runs: a change is read, checked, and handed to Envoy over the files of extension
//! configuration discovery. What is refused leaves the old configuration in force.

use crate::Failure;
use crate::bootstrap::Bootstrap;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use weir_launch::Envoy;

/// How long Envoy may take to say what became of a configuration.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files of a run, and what they were when they were last read.
pub(super) struct Watch {
    paths: Vec<PathBuf>,
    seen: Vec<(PathBuf, Option<SystemTime>, u64)>,
    /// The directory of discovery files.
    dir: PathBuf,
}

impl Watch {
    pub(super) fn new(paths: Vec<PathBuf>, dir: &Path) -> Self {
        let seen = state(&paths);
        Self { paths, seen, dir: dir.to_owned() }
    }

    /// Whether a file has changed since the last call.
    pub(super) fn has_changed(&mut self) -> bool {
        let now = state(&self.paths);
        let has_changed = now != self.seen;
        self.seen = now;
        has_changed
    }

    /// Puts discovery in the place of the configuration of Weir's filters, and writes that into files.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub(super) fn discover(&self, bootstrap: &mut Bootstrap) -> Result<(), Failure> {
        let filters = bootstrap.discover(&self.dir);
        filters.iter().try_for_each(|(name, config)| self.write(name, config))
    }

    /// Hands the configurations of a bootstrap to Envoy. Returns whether Envoy has taken them.
    ///
    /// # Errors
    /// Files that cannot be written, or an Envoy that does not answer.
    pub(super) fn hand_over(&self, bootstrap: &mut Bootstrap, envoy: &Envoy) -> Result<bool, Failure> {
        let unanswered = || Failure::Use("Envoy does not answer".to_owned());
        let before = Counts::of(envoy).ok_or_else(unanswered)?;
        let filters = bootstrap.discover(&self.dir);
        let count = u64::try_from(filters.len()).unwrap_or(u64::MAX);
        filters.iter().try_for_each(|(name, config)| self.write(name, config))?;
        let after = weir_launch::wait_until(PATIENCE, || {
            let now = Counts::of(envoy)?;
            (now.refused > before.refused || now.taken >= before.taken + count).then_some(now)
        });
        Ok(after.is_some_and(|now| now.refused == before.refused))
    }

    /// Moves the file into the directory that Envoy watches, so that it never reads half of one.
    fn write(&self, name: &str, config: &serde_json::Value) -> Result<(), Failure> {
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

/// Each file, when it was changed, and its size.
fn state(paths: &[PathBuf]) -> Vec<(PathBuf, Option<SystemTime>, u64)> {
    let mut found = Vec::new();
    let mut waiting = paths.to_vec();
    while let Some(path) = waiting.pop() {
        let data = fs::metadata(&path).ok();
        if data.as_ref().is_some_and(fs::Metadata::is_dir) {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            waiting.extend(entries.map(|entry| entry.path()).filter(|path| !is_hidden(path)));
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
