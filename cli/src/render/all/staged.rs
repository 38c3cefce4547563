//! Files of which all are written, or none: each is made beside its place, and gets its name when all are there.
//!
//! A name replaces what was there. So a link is replaced too, and what it leads to stays as it is.

use crate::{Failure, print};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Files that have not got their names.
#[derive(Default)]
pub(super) struct Staged(Vec<(NamedTempFile, PathBuf)>);

impl Staged {
    /// Makes a file that will be `name` below `folder`.
    ///
    /// # Errors
    /// When it cannot be written, or a link leads out of the folder.
    pub(super) fn add(&mut self, folder: &Path, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        let made = (|| {
            if parent != folder && parent.is_symlink() {
                return Err(io::Error::other("its folder is a link: remove it, and a folder is made"));
            }
            if path.is_dir() && !path.is_symlink() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            fs::create_dir_all(parent)?;
            let mut file = new(parent)?;
            file.write_all(text.as_bytes())?;
            Ok(file)
        })();
        self.0.push((made.map_err(|error| unwritable(&path, &error))?, path.clone()));
        Ok(path)
    }

    /// Gives all their names.
    ///
    /// # Errors
    /// When one cannot get its own.
    pub(super) fn finish(self) -> Result<(), Failure> {
        for (file, path) in self.0 {
            file.persist(&path).map_err(|error| unwritable(&path, &error.error))?;
        }
        Ok(())
    }
}

/// A temporary file is its owner's alone; a manifest is for others, too.
#[cfg(unix)]
fn new(parent: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    let permissions = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(".weir-").permissions(permissions).tempfile_in(parent)
}

#[cfg(not(unix))]
fn new(parent: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".weir-").tempfile_in(parent)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let path = print::plain(&path.to_string_lossy());
    Failure::Use(format!("`{path}` cannot be written: {error}"))
}
