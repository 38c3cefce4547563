//! An image in a folder: the OCI image layout, which `skopeo`, `podman` and `crane` read and write too.
//!
//! A folder that comes from here has one image. One from elsewhere may have several; then `FOLDER:NAME` or
//! `FOLDER@sha256:...` chooses.

use crate::store::{self, BLOB_LIMIT, MANIFEST_LIMIT, Raw, Sink, Store};
use crate::{Descriptor, Digest, Error, Index, media};
use serde_json::json;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The annotation with the name of an image in a folder.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";

/// A folder with an image that was asked for.
#[derive(Clone, Debug)]
pub struct Layout {
    folder: PathBuf,
    place: String,
    root: Descriptor,
    asked_for: Option<Digest>,
}

impl Layout {
    /// Whether `text` names a folder and not a reference: by a folder that is there, or by how it begins.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        let (folder, _) = split(text);
        text.starts_with(['/', '.', '~']) || Path::new(folder).is_dir()
    }

    /// Opens `FOLDER`, `FOLDER:NAME` or `FOLDER@sha256:DIGEST`.
    ///
    /// # Errors
    /// When there is no layout, or not one image of that name.
    pub fn open(text: &str) -> Result<Self, Error> {
        let (folder, wanted) = split(text);
        let folder = PathBuf::from(folder);
        if !folder.join(MARKER).is_file() {
            return Err(Error::Missing(format!(
                "`{}`: no OCI image layout is there (a folder with `{MARKER}`, `{INDEX}` and `blobs`): `weir pack` and `weir pull` \
                 write one",
                folder.display()
            )));
        }
        let path = folder.join(INDEX);
        let place = path.display().to_string();
        let index: Index = store::parse(&read(&path, MANIFEST_LIMIT)?, &place)?;
        let asked_for = match wanted {
            Wanted::Digest(digest) => Some(digest.parse::<Digest>().map_err(Error::Usage)?),
            Wanted::Name(_) | Wanted::Only => None,
        };
        let chosen: Vec<&Descriptor> = index
            .manifests
            .iter()
            .filter(|entry| match wanted {
                Wanted::Only => true,
                Wanted::Name(name) => entry.annotations.get(REF_NAME).is_some_and(|found| found == name),
                Wanted::Digest(_) => asked_for.as_ref() == Some(&entry.digest),
            })
            .collect();
        let [root] = chosen.as_slice() else {
            let names: Vec<String> = index.manifests.iter().map(called).collect();
            return Err(Error::Missing(format!(
                "`{text}`: {} images of that name, expected one; the folder has: {}. Choose with `FOLDER:NAME` or \
                 `FOLDER@sha256:DIGEST`",
                chosen.len(),
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            )));
        };
        Ok(Self { place: folder.display().to_string(), root: (*root).clone(), folder, asked_for })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join("blobs").join("sha256").join(digest.hex())
    }

    fn read(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, Error> {
        let path = self.path(&descriptor.digest);
        if !path.is_file() {
            return Err(Error::malformed(
                path.display(),
                "the folder lacks it, and the image names it: copy the image once more",
            ));
        }
        let bytes = read(&path, limit)?;
        store::check(&bytes, descriptor, &path.display().to_string())?;
        Ok(bytes)
    }
}

fn called(entry: &Descriptor) -> String {
    match entry.annotations.get(REF_NAME) {
        Some(name) => format!("{name} ({})", entry.digest),
        None => entry.digest.to_string(),
    }
}

/// Which image of a folder is meant.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Only,
    Name(&'a str),
    Digest(&'a str),
}

fn split(text: &str) -> (&str, Wanted<'_>) {
    if let Some((folder, digest)) = text.rsplit_once('@') {
        return (folder, Wanted::Digest(digest));
    }
    match text.rsplit_once(':') {
        Some((folder, name)) if !name.contains('/') && !Path::new(text).is_dir() => (folder, Wanted::Name(name)),
        _ => (text, Wanted::Only),
    }
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| Error::file(path, &error))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Error::file(path, &error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge { place: path.display().to_string(), limit });
    }
    Ok(bytes)
}

impl Store for Layout {
    fn place(&self) -> &str {
        &self.place
    }

    fn asked_for(&self) -> Option<&Digest> {
        self.asked_for.as_ref()
    }

    fn root(&self) -> Result<Raw, Error> {
        self.manifest(&self.root)
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        let bytes = self.read(descriptor, MANIFEST_LIMIT)?;
        Raw::of(bytes, &self.path(&descriptor.digest).display().to_string())
    }

    fn blob(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, Error> {
        self.read(descriptor, limit.min(BLOB_LIMIT))
    }
}

/// A folder that is being written. It appears under its name when it is whole.
pub struct NewLayout {
    target: PathBuf,
    name: Option<String>,
    work: tempfile::TempDir,
    /// Locked as long as this process lives.
    lock: File,
}

/// What work in progress is called, and the file in it that its process has locked.
const WORK: (&str, &str) = (".weir-", ".lock");

/// How old the work of a process must be before its lock is looked at, which it takes at once.
const SETTLED: Duration = Duration::from_secs(60);

impl NewLayout {
    /// Begins a folder, with the name that the image gets in it.
    ///
    /// # Errors
    /// When something is there, or nothing can be written beside it.
    pub fn begin(target: &Path, name: Option<&str>) -> Result<Self, Error> {
        let is_free = fs::read_dir(target).map_or(!target.exists(), |mut entries| entries.next().is_none());
        if !is_free {
            let target = target.display();
            return Err(Error::Usage(format!("`{target}` is there already: remove it, or name another folder")));
        }
        let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(|error| Error::file(parent, &error))?;
        remove_abandoned(parent);
        let work = tempfile::Builder::new().prefix(WORK.0).tempdir_in(parent);
        let work = work.map_err(|error| Error::file(parent, &error))?;
        let lock = File::create(work.path().join(WORK.1)).and_then(|file| file.lock().map(|()| file));
        let lock = lock.map_err(|error| Error::file(work.path(), &error))?;
        let blobs = work.path().join("blobs").join("sha256");
        fs::create_dir_all(&blobs).map_err(|error| Error::file(&blobs, &error))?;
        Ok(Self { target: target.to_owned(), name: name.map(str::to_owned), work, lock })
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// When it cannot be moved there.
    pub fn finish(self) -> Result<(), Error> {
        let work = self.work.path();
        let ready = self.open_to_all().and_then(|()| fs::remove_file(work.join(WORK.1)));
        ready.map_err(|error| Error::file(work, &error))?;
        if self.target.exists() {
            fs::remove_dir(&self.target).map_err(|error| Error::file(&self.target, &error))?;
        }
        let renamed = fs::rename(work, &self.target).map_err(|error| Error::file(&self.target, &error));
        drop(self.lock);
        renamed
    }

    /// A temporary folder is its owner's alone; a layout is for others, too.
    #[cfg(unix)]
    fn open_to_all(&self) -> std::io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(self.work.path(), fs::Permissions::from_mode(0o755))
    }

    #[cfg(not(unix))]
    fn open_to_all(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.work.path().join(name);
        fs::write(&path, bytes).map_err(|error| Error::file(&path, &error))
    }
}

/// Removes what killed processes left. What cannot be removed stays, and does no harm.
fn remove_abandoned(parent: &Path) {
    let is_abandoned = |path: &Path| {
        let is_work = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(WORK.0));
        let age = path.symlink_metadata().and_then(|data| data.modified()).map(|time| time.elapsed());
        let is_settled = matches!(age, Ok(Ok(age)) if age > SETTLED);
        let lock = is_work.then(|| File::open(path.join(WORK.1)).ok()).flatten();
        is_settled && !path.is_symlink() && lock.is_some_and(|lock| lock.try_lock().is_ok())
    };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten().filter(|entry| is_abandoned(&entry.path())) {
        let _ = fs::remove_dir_all(entry.path());
    }
}

impl Sink for NewLayout {
    fn put_blob(&mut self, descriptor: &Descriptor, bytes: Vec<u8>) -> Result<(), Error> {
        self.write(&format!("blobs/sha256/{}", descriptor.digest.hex()), &bytes)
    }

    fn put_manifest(&mut self, raw: &Raw, is_root: bool) -> Result<(), Error> {
        let mut descriptor = Descriptor::of(&raw.media_type, &raw.bytes);
        self.write(&format!("blobs/sha256/{}", descriptor.digest.hex()), &raw.bytes)?;
        if !is_root {
            return Ok(());
        }
        descriptor.annotations.extend(self.name.iter().map(|name| (REF_NAME.to_owned(), name.clone())));
        let index =
            Index { schema_version: 2, media_type: Some(media::OCI_INDEX.to_owned()), manifests: vec![descriptor] };
        let index = serde_json::to_vec(&index).map_err(|error| Error::malformed(INDEX, error))?;
        self.write(INDEX, &index)?;
        self.write(MARKER, json!({"imageLayoutVersion": "1.0.0"}).to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests;
