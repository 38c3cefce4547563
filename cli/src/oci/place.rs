//! Where an image is: a folder or a registry, by what was written.

use crate::Failure;
use clap::Args;
use std::path::PathBuf;
use weir_oci::{Digest, Layout, Store};

/// How a registry is reached.
#[derive(Args)]
pub(crate) struct Options {
    /// Reach the registry without TLS; one on a loopback address is reached so anyway, unless --ca-file is given
    #[arg(long)]
    plain_http: bool,
    /// Certificates in PEM of authorities to trust besides the system's
    #[arg(long, value_name = "FILE", conflicts_with = "plain_http")]
    ca_file: Option<PathBuf>,
    /// The user [default: the login that `docker login` or `podman login` left]
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    username: Option<String>,
    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

/// An image that was asked for.
pub(super) enum Place {
    Layout(Layout),
    #[cfg(feature = "registry")]
    Registry(Box<weir_oci::Registry>),
}

impl Place {
    pub(super) fn open(text: &str, options: &Options) -> Result<Self, Failure> {
        if Layout::is_meant(text) { Ok(Self::Layout(Layout::open(text)?)) } else { registry(text, options) }
    }

    pub(super) fn store(&self) -> &dyn Store {
        match self {
            Self::Layout(layout) => layout,
            #[cfg(feature = "registry")]
            Self::Registry(registry) => registry.as_ref(),
        }
    }

    /// What names the image for good.
    pub(super) fn pinned(&self, digest: &Digest) -> String {
        match self {
            Self::Layout(layout) => format!("{}@{digest}", layout.place()),
            #[cfg(feature = "registry")]
            Self::Registry(registry) => registry.pinned(digest),
        }
    }
}

#[cfg(feature = "registry")]
fn open(text: &str, options: &Options) -> Result<weir_oci::Registry, Failure> {
    let ca = options.ca_file.as_ref().map(|path| {
        std::fs::read(path).map_err(|error| Failure::Use(format!("`{}` cannot be read: {error}", path.display())))
    });
    let login = options.username.clone().map(|user| Ok::<_, Failure>((user, password()?)));
    let access = weir_oci::Access { plain_http: options.plain_http, ca: ca.transpose()?, login: login.transpose()? };
    Ok(weir_oci::Registry::open(text, &access)?)
}

#[cfg(feature = "registry")]
fn registry(text: &str, options: &Options) -> Result<Place, Failure> {
    open(text, options).map(|registry| Place::Registry(Box::new(registry)))
}

/// The first line of standard input, without its end.
#[cfg(feature = "registry")]
fn password() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| Failure::Use(format!("standard input: {error}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::Use("--password-stdin: standard input has no password".to_owned()));
    }
    Ok(password.to_owned())
}

/// Pushes an image and returns what names it for good.
#[cfg(feature = "registry")]
pub(super) fn push(layout: &Layout, text: &str, options: &Options) -> Result<String, Failure> {
    let registry = open(text, options)?;
    let digest = weir_oci::copy(layout, &mut weir_oci::Push::begin(&registry)?)?;
    Ok(registry.pinned(&digest))
}

#[cfg(not(feature = "registry"))]
fn registry(text: &str, options: &Options) -> Result<Place, Failure> {
    let Options { plain_http: _, ca_file: _, username: _, password_stdin: _ } = options;
    let text = weir_oci::without_login(text);
    Err(Failure::Use(format!(
        "`{text}` is no folder with an image, and this weir was built without the feature `registry`"
    )))
}

#[cfg(not(feature = "registry"))]
pub(super) fn push(_layout: &Layout, text: &str, options: &Options) -> Result<String, Failure> {
    registry(text, options).map(|_| String::new())
}
