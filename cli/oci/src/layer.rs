//! The archives of layers: written so that the same files always give the same bytes, and read with bounds.
//!
//! What depends on the machine or the hour is left out of what is written: every file belongs to user and group 0, may be
//! read by all, and is from the epoch; files are in the order of their names. The gzip header names no file, time or
//! system. The compressor is `flate2`'s in Rust, which gives the same bytes on every machine; its version is pinned by
//! `Cargo.lock`.

use crate::digest::Digester;
use crate::{Digest, Error, media};
use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use std::io::{self, Read, Write};
use std::path::Path;
use tar::{Archive, EntryType, Header};

/// The file of a layer that a proxy loads.
pub(crate) const PLUGIN: &str = "plugin.wasm";

/// The most bytes that are unpacked to list what a layer has.
const LISTING_LIMIT: u64 = 1 << 30;

/// How gzipped bytes begin.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A layer as it is pushed, and the digest of its archive before it was compressed.
pub(crate) struct Packed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) diff_id: Digest,
}

/// Packs files, each with its name, into a gzipped layer.
///
/// # Errors
/// When a name does not fit an archive.
pub(crate) fn pack(files: &[(&str, &[u8])]) -> Result<Packed, Error> {
    let archive = archive(files).map_err(|error| Error::malformed("layer", error))?;
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    let written = encoder.write_all(&archive).and_then(|()| encoder.finish());
    let bytes = written.map_err(|error| Error::malformed("layer", error))?;
    Ok(Packed { bytes, diff_id: Digest::of(&archive) })
}

fn archive(files: &[(&str, &[u8])]) -> io::Result<Vec<u8>> {
    let mut files = files.to_vec();
    files.sort_unstable();
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_path(name)?;
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        builder.append(&header, bytes)?;
    }
    builder.into_inner()
}

/// A file, folder or link of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path as the archive has it, without `./` before it.
    pub path: String,
    /// How many bytes it has.
    pub size: u64,
    /// Its permission bits.
    pub mode: u32,
    /// Whether it is a file with content of its own.
    pub is_file: bool,
}

impl Entry {
    /// The last part of its path. Those who take a module out of a layer go by it alone.
    #[must_use]
    pub fn name(&self) -> &str {
        name(&self.path)
    }
}

/// What a layer has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Its files, folders and links, in the order of the archive.
    pub entries: Vec<Entry>,
    /// The digest of the archive before it was compressed.
    pub diff_id: Digest,
}

/// How a layer is compressed, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Tar,
    TarGzip,
    /// With zstd, which only container runtimes read.
    TarZstd,
}

impl Packing {
    /// The packing of a media type, if it is a layer of an image.
    pub(crate) fn of(media_type: &str) -> Option<Self> {
        match media_type {
            media::OCI_TAR | media::DOCKER_TAR => Some(Self::Tar),
            media::OCI_TAR_GZIP | media::DOCKER_TAR_GZIP => Some(Self::TarGzip),
            _ if media_type.starts_with(media::OCI_TAR) || media_type.starts_with(media::DOCKER_TAR) => {
                media_type.ends_with("zstd").then_some(Self::TarZstd)
            }
            _ => None,
        }
    }
}

/// Lists a layer, or nothing if it cannot be unpacked here.
pub(crate) fn list(bytes: &[u8], packing: Packing, place: &str) -> Result<Option<Listing>, Error> {
    match packing {
        Packing::Tar => list_archive(bytes, place).map(Some),
        Packing::TarGzip => list_archive(MultiGzDecoder::new(bytes), place).map(Some),
        Packing::TarZstd => Ok(None),
    }
}

fn list_archive(reader: impl Read, place: &str) -> Result<Listing, Error> {
    let mut reader = Measured { reader, digester: Digester::default(), left: LISTING_LIMIT, is_over: false };
    let read = entries(Archive::new(&mut reader));
    // The archive's end is padded, and the padding counts.
    let read = read.and_then(|entries| io::copy(&mut reader, &mut io::sink()).map(|_| entries));
    match read {
        Ok(entries) => Ok(Listing { entries, diff_id: reader.digester.finish() }),
        Err(_) if reader.is_over => Err(Error::TooLarge { place: place.to_owned(), limit: LISTING_LIMIT }),
        Err(error) => Err(Error::malformed(place, error)),
    }
}

fn entries<R: Read>(mut archive: Archive<R>) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in archive.entries()? {
        let entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        entries.push(Entry {
            path: path.strip_prefix("./").unwrap_or(&path).to_owned(),
            size: entry.size(),
            mode: entry.header().mode()?,
            is_file: entry.header().entry_type().is_file(),
        });
    }
    Ok(entries)
}

/// Takes the first entry named `plugin.wasm`, in any folder, out of a layer, as Istio's agent does: it reads no more than
/// `limit` bytes of the archive, and takes folders and links of that name for empty files.
pub(crate) fn module_of(bytes: &[u8], packing: Packing, limit: u64) -> Result<Vec<u8>, Missing> {
    match packing {
        Packing::Tar => module_of_archive(bytes, limit),
        Packing::TarGzip if bytes.starts_with(&GZIP) => module_of_archive(MultiGzDecoder::new(bytes), limit),
        Packing::TarGzip | Packing::TarZstd => Err(Missing::NotGzip),
    }
}

fn module_of_archive(reader: impl Read, limit: u64) -> Result<Vec<u8>, Missing> {
    let mut reader = Measured { reader, digester: Digester::default(), left: limit, is_over: false };
    match first_module(&mut reader) {
        Ok(Some(module)) => Ok(module),
        Ok(None) => Err(Missing::NoModule),
        Err(_) if reader.is_over => Err(Missing::TooLarge),
        Err(error) => Err(Missing::Damaged(error.to_string())),
    }
}

fn first_module(reader: impl Read) -> io::Result<Option<Vec<u8>>> {
    for entry in Archive::new(reader).entries()? {
        let mut entry = entry?;
        if name(&entry.path()?.to_string_lossy()) == PLUGIN {
            let mut module = Vec::new();
            entry.read_to_end(&mut module)?;
            // The library does not take an early end for an error.
            let size = entry.size();
            let is_whole = module.len() as u64 == size;
            return if is_whole { Ok(Some(module)) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
    Ok(None)
}

/// Why no module came out of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The layer is not gzipped, although its media type says so.
    NotGzip,
    /// The archive has no `plugin.wasm`.
    NoModule,
    /// More had to be unpacked than is allowed.
    TooLarge,
    /// The archive cannot be read.
    Damaged(String),
}

fn name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Reads with a bound, and digests what it read.
struct Measured<R> {
    reader: R,
    digester: Digester,
    /// How many bytes may still be read.
    left: u64,
    /// Whether more was there than was allowed.
    is_over: bool,
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        let Some(left) = self.left.checked_sub(length as u64) else {
            self.is_over = true;
            return Err(io::Error::other("larger than is read"));
        };
        self.left = left;
        self.digester.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
