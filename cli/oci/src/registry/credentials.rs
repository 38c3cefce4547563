//! Credentials that `docker login` or `podman login` left: in a file, or with a helper that the file names.

use crate::Error;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::secrets::RegistryAuth;

/// Under which name Docker keeps the credentials of its own registry.
const DOCKER_HUB: (&str, &str) = ("index.docker.io", "https://index.docker.io/v1/");

/// The credentials for a registry, or none.
///
/// # Errors
/// When there are some that cannot be used.
pub(super) fn find(registry: &str) -> Result<RegistryAuth, Error> {
    let server = if registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { registry };
    for get in [docker_credential::get_credential, docker_credential::get_podman_credential] {
        match get(server) {
            Ok(DockerCredential::UsernamePassword(user, password)) => return Ok(RegistryAuth::Basic(user, password)),
            Ok(DockerCredential::IdentityToken(_)) => {
                return Err(Error::Usage(format!(
                    "the login of `{registry}` is an identity token, which is not understood here: give `--username` and \
                     `--password-stdin`"
                )));
            }
            Err(
                CredentialRetrievalError::NoCredentialConfigured
                | CredentialRetrievalError::ConfigNotFound
                // The library says the same of a file that is not there.
                | CredentialRetrievalError::ConfigReadError,
            ) => {}
            Err(error) => {
                return Err(Error::Usage(format!(
                    "the login of `{registry}` cannot be read: {}: log in once more (`docker login {registry}`), or give \
                     `--username` and `--password-stdin`",
                    error.to_string().trim_end()
                )));
            }
        }
    }
    Ok(RegistryAuth::Anonymous)
}
