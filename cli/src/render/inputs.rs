//! The trees of the files that are rendered from.

use crate::{Failure, documents, yaml};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Every tree of the files, with the name of its file. Of a folder, the YAML and JSON files in it, in the order of their names.
pub(crate) fn read(files: &[PathBuf]) -> Result<Vec<(String, Value)>, Failure> {
    let mut trees = Vec::new();
    for path in files.iter().map(|path| expand(path)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        let name = path.display().to_string();
        let found = yaml::all(&documents::read(&path)?).map_err(|error| Failure::No(format!("`{name}`: {error}")))?;
        trees.extend(found.into_iter().map(|tree| (name.clone(), tree)));
    }
    Ok(trees)
}

fn expand(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |error| Failure::Use(format!("`{}` cannot be read: {error}", path.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let is_ours = file.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
        if file.is_file() && is_ours {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
