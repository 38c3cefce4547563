//! Where the proxies get the module from, checked: an image that is pinned, or a file.

use super::form::Form;
use super::plan::Wanted;
use crate::compile::{Module, stem};
use crate::names;

/// Where the module is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// An OCI image.
    Image {
        /// Without a scheme.
        reference: String,
        /// Digest of the image manifest, in hexadecimal.
        sha256: String,
        /// A Secret in the workload's namespace.
        pull_secret: Option<String>,
    },
    /// A file in the proxy's container.
    File(String),
}

impl Code {
    /// Whether its address is of that module.
    pub(crate) fn is_of(&self, module: &str) -> bool {
        let (Self::Image { reference: address, .. } | Self::File(address)) = self;
        stem(address) == module
    }

    /// Whether it can be missing for reasons of a network.
    pub(crate) fn is_pulled(&self) -> bool {
        matches!(self, Self::Image { .. })
    }
}

/// Where the module of what is wanted is from; what does not fit is added to `problems`.
pub(crate) fn code(wanted: &Wanted, problems: &mut Vec<String>) -> Option<Code> {
    for place in [&wanted.image, &wanted.module_file].into_iter().flatten() {
        if let Some(other) = Module::named(place).filter(|other| *other != wanted.module) {
            problems
                .push(format!("`{place}` is the module {other}, and {} is to be loaded: give its own", wanted.module));
        }
    }
    let mut refuse = |problem: &str| {
        problems.push(problem.to_owned());
        None
    };
    match (&wanted.image, &wanted.module_file) {
        (Some(_), Some(_)) => refuse(
            "the module has both an image and a file (`--image` and `--module-file`; `images` and `moduleFiles` of weir.yaml): give one",
        ),
        (None, None) => refuse(
            "where is the module? give `--image oci://REGISTRY/NAME@sha256:DIGEST` or `--module-file PATH`; in weir.yaml `images` or `moduleFiles`",
        ),
        (Some(_), None) if wanted.form == Form::Envoy => refuse(
            "Envoy itself pulls no images: give the module's path on Envoy's machine (`--module-file`; `moduleFiles` of weir.yaml)",
        ),
        (None, Some(_)) if wanted.form == Form::EnvoyGateway => {
            refuse("Envoy Gateway loads no local files: give an image (`--image`; `images` of weir.yaml)")
        }
        (None, Some(file)) if !file.starts_with('/') => {
            refuse(&format!("`{file}` is not absolute: a module's file is a path in the proxy's container"))
        }
        (Some(_), None) if wanted.pull_secret.as_deref().is_some_and(|secret| names::name(secret).is_err()) => {
            refuse("--pull-secret is not the name of a Secret")
        }
        (None, Some(_)) if wanted.sha256.is_some() || wanted.pull_secret.is_some() => {
            refuse("--sha256 and --pull-secret are for --image")
        }
        (None, Some(file)) => Some(Code::File(file.clone())),
        (Some(_), None) if wanted.pull_secret.is_some() && wanted.form == Form::EnvoyFilter => refuse(
            "Istio gives pull secrets to WasmPlugins and TrafficExtensions alone: use one of these forms, or give the proxy's \
             container a DOCKER_CONFIG",
        ),
        (Some(image), None) => image_code(image, wanted, problems),
    }
}

fn image_code(image: &str, wanted: &Wanted, problems: &mut Vec<String>) -> Option<Code> {
    let reference = image.strip_prefix("oci://").unwrap_or(image);
    if reference.is_empty() || reference.contains("://") {
        let image = weir_oci::without_login(image);
        problems.push(format!("`{image}` is not an image: write `oci://REGISTRY/NAME@sha256:DIGEST`"));
        return None;
    }
    let within = reference.split_once("@sha256:").map(|(_, digest)| digest);
    let beside = wanted.sha256.as_deref().map(|digest| digest.strip_prefix("sha256:").unwrap_or(digest));
    let is_hex =
        |digest: &&str| digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match (within, beside) {
        (Some(within), Some(beside)) if within != beside => {
            problems.push("--image and --sha256 name different digests".to_owned());
            None
        }
        (Some(digest), _) | (None, Some(digest)) if is_hex(&digest) => Some(Code::Image {
            reference: reference.to_owned(),
            sha256: digest.to_owned(),
            pull_secret: wanted.pull_secret.clone(),
        }),
        (Some(digest), _) | (None, Some(digest)) => {
            problems.push(format!("`{digest}` is not the digest of an image manifest: 64 digits of 0-9 and a-f"));
            None
        }
        (None, None) => {
            let hint = "a tag can be moved: add `@sha256:DIGEST` of the image manifest, or --sha256 DIGEST";
            problems.push(format!("`{image}` is not pinned: {hint}"));
            None
        }
    }
}
