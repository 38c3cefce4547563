//! Certificates in files, as Envoy's secret discovery reads them, and how they are replaced at once.
//!
//! A certificate is inline in a discovery file, which is renamed into the folder that Envoy watches. A trust bundle is a file
//! in a folder as Kubernetes mounts one: `ca.pem` leads through the link `..data`, which a rename makes lead elsewhere.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_test_envoy::{Authority, Identity};

const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/// The secrets of one end of mutual TLS: its certificate, and whom it trusts.
#[derive(Debug)]
pub(crate) struct Secrets {
    folder: PathBuf,
    bundles: usize,
}

impl Secrets {
    /// Secrets in `folder`, which is made.
    pub(crate) fn new(folder: &Path, certificate: &Identity, bundle: &[&Authority]) -> io::Result<Self> {
        let mut secrets = Self { folder: folder.to_owned(), bundles: 0 };
        for part in ["certificate", "bundle", "bundle/files"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let files = folder.join("bundle/files");
        symlink("..data/ca.pem", files.join("ca.pem"))?;
        let validation =
            json!({"trusted_ca": {"filename": files.join("ca.pem")}, "watched_directory": {"path": files}});
        secrets.write("bundle", &json!({"validation_context": validation}))?;
        secrets.set_bundle(bundle)?;
        secrets.set_certificate(certificate)?;
        Ok(secrets)
    }

    /// Replaces the certificate.
    pub(crate) fn set_certificate(&self, identity: &Identity) -> io::Result<()> {
        let Identity { certificate_pem, key_pem } = identity;
        let chain = json!({"inline_string": certificate_pem});
        let certificate = json!({"certificate_chain": chain, "private_key": {"inline_string": key_pem}});
        self.write("certificate", &json!({"tls_certificate": certificate}))
    }

    /// Replaces the authorities that are trusted.
    pub(crate) fn set_bundle(&mut self, authorities: &[&Authority]) -> io::Result<()> {
        self.bundles += 1;
        let version = format!("..{}", self.bundles);
        let files = self.folder.join("bundle/files");
        fs::create_dir(files.join(&version))?;
        let pem: String = authorities.iter().map(|authority| authority.pem()).collect();
        fs::write(files.join(&version).join("ca.pem"), pem)?;
        symlink(&version, files.join("..data_tmp"))?;
        fs::rename(files.join("..data_tmp"), files.join("..data"))
    }

    /// The transport socket of a listener.
    pub(crate) fn of_server(&self) -> Value {
        let mut context = json!({"common_tls_context": self.context(), "require_client_certificate": true});
        context["common_tls_context"]["alpn_protocols"] = json!(["h2", "http/1.1"]);
        socket("DownstreamTlsContext", context)
    }

    /// The transport socket of a cluster.
    pub(crate) fn of_client(&self) -> Value {
        socket("UpstreamTlsContext", json!({"common_tls_context": self.context()}))
    }

    fn context(&self) -> Value {
        let source = |name: &str| {
            let watched = self.folder.join(name);
            let path = json!({"path": watched.join("sds.json"), "watched_directory": {"path": watched}});
            json!({"name": name, "sds_config": {"path_config_source": path, "resource_api_version": "V3"}})
        };
        json!({
            "tls_certificate_sds_secret_configs": [source("certificate")],
            "validation_context_sds_secret_config": source("bundle"),
        })
    }

    /// Writes the discovery file of a secret beside the folder that is watched, and moves it there.
    fn write(&self, name: &str, secret: &Value) -> io::Result<()> {
        let mut resource = secret.clone();
        resource["@type"] = json!(SECRET);
        resource["name"] = json!(name);
        let next = self.folder.join("next.json");
        fs::write(&next, json!({"resources": [resource]}).to_string())?;
        fs::rename(&next, self.folder.join(name).join("sds.json"))
    }
}

fn socket(kind: &str, mut context: Value) -> Value {
    context["@type"] = json!(format!("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{kind}"));
    json!({"name": "envoy.transport_sockets.tls", "typed_config": context})
}
