//! Credentials that `docker login` or `podman login` left: in a file, or with a helper that the file names.

use crate::Error;
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use oci_client::secrets::RegistryAuth;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::{env, fs};

/// Under which name Docker keeps the credentials of its own registry.
const DOCKER_HUB: (&str, &str) = ("index.docker.io", "https://index.docker.io/v1/");

/// The credentials for a registry, or none.
///
/// # Errors
/// When there are some that cannot be used, or none are found and a file that may have them cannot be read.
pub(super) fn find(registry: &str) -> Result<RegistryAuth, Error> {
    let server = if registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { registry };
    let mut unread = None;
    for path in [docker(), podman()].into_iter().flatten() {
        let broken = |why: &dyn std::fmt::Display| {
            let path = path.display();
            Error::Usage(format!(
                "`{path}`, where the login of `{registry}` may be, cannot be read: {why}: mend or remove the file, or give \
                 `--username` and `--password-stdin`"
            ))
        };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                unread.get_or_insert(broken(&error));
                continue;
            }
        };
        // Docker takes an empty file for none.
        if text.trim().is_empty() {
            continue;
        }
        match get_credential_from_reader(text.as_bytes(), server) {
            Ok(DockerCredential::UsernamePassword(user, password)) => return Ok(RegistryAuth::Basic(user, password)),
            Ok(DockerCredential::IdentityToken(_)) => {
                return Err(Error::Usage(format!(
                    "the login of `{registry}` is an identity token, which is not understood here: give `--username` and \
                     `--password-stdin`"
                )));
            }
            Err(CredentialRetrievalError::NoCredentialConfigured) => {}
            Err(CredentialRetrievalError::ConfigReadError) => {
                unread.get_or_insert(broken(&"it is not JSON as `docker login` writes it"));
            }
            Err(error) => {
                return Err(Error::Usage(format!(
                    "the login of `{registry}` cannot be read: {}: log in once more (`docker login {registry}`), or give \
                     `--username` and `--password-stdin`",
                    error.to_string().trim_end()
                )));
            }
        }
    }
    unread.map_or(Ok(RegistryAuth::Anonymous), Err)
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from)
}

fn folder() -> Option<PathBuf> {
    variable("DOCKER_CONFIG").or_else(|| Some(variable("HOME")?.join(".docker")))
}

fn docker() -> Option<PathBuf> {
    Some(folder()?.join("config.json"))
}

/// The file of podman, after `containers-auth.json(5)`.
fn podman() -> Option<PathBuf> {
    if let Some(file) = variable("REGISTRY_AUTH_FILE") {
        return Some(file);
    }
    let own = match cfg!(target_os = "linux") {
        true => variable("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
        false => variable("HOME").map(|folder| folder.join(".config/containers/auth.json")),
    };
    own.filter(|file| file.exists()).or_else(|| Some(folder()?.join("containers/auth.json")))
}
