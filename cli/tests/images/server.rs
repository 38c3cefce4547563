//! Debian's docker-registry on a loopback port, plain, or with TLS and a login.

use super::{folder, workspace};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The user of a registry with a login.
pub(crate) const USER: &str = "ann";
/// Its password.
pub(crate) const PASSWORD: &str = "open sesame";
/// The line of `htpasswd -B` for both.
const HTPASSWD: &str = "ann:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n";

/// A registry that ends with the test.
pub(crate) struct Server {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    /// Without TLS, for everybody.
    pub(crate) fn plain() -> Self {
        Self::start(folder(), json!({}), json!(null))
    }

    /// With a certificate of its own authority, for `USER`.
    pub(crate) fn guarded() -> Self {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        let authority = authority("weir's registry");
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        fs::create_dir(path("certificates")).unwrap();
        fs::write(path("certificates/ca.crt"), authority.pem()).unwrap();
        fs::write(path("other.crt"), self::authority("another").pem()).unwrap();
        fs::write(path("server.crt"), certificate.pem()).unwrap();
        fs::write(path("server.key"), key.serialize_pem()).unwrap();
        fs::write(path("htpasswd"), HTPASSWD).unwrap();
        let tls = json!({"certificate": path("server.crt"), "key": path("server.key")});
        let auth = json!({"htpasswd": {"realm": "weir", "path": path("htpasswd")}});
        Self::start(folder, tls, auth)
    }

    fn start(folder: tempfile::TempDir, tls: Value, auth: Value) -> Self {
        let port = weir_launch::free_port().unwrap();
        let mut http = json!({"addr": format!("127.0.0.1:{port}"), "secret": "weir"});
        if tls["certificate"].is_string() {
            http["tls"] = tls;
        }
        let mut config = json!({
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": folder.path().join("store")}},
            "http": http,
        });
        if auth.is_object() {
            config["auth"] = auth;
        }
        let file = folder.path().join("config.yml");
        // JSON is YAML.
        fs::write(&file, config.to_string()).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(binary()).arg("serve").arg(&file).stdout(Stdio::null()).stderr(log).spawn();
        let process = process.expect("docker-registry starts: run scripts/install-tools");
        let server = Self { process, folder, port };
        let up = weir_launch::wait_until(Duration::from_secs(20), || TcpStream::connect(("127.0.0.1", port)).ok());
        assert!(
            up.is_some(),
            "docker-registry did not start: {}",
            fs::read_to_string(server.folder.path().join("log")).unwrap()
        );
        server
    }

    /// A reference to an image of it.
    pub(crate) fn reference(&self, image: &str) -> String {
        format!("127.0.0.1:{}/{image}", self.port)
    }

    /// Its host and port.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The folder with the certificate of its authority, `ca.crt`.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.folder.path().join("certificates")
    }

    /// The file in which it keeps a blob, by its hexadecimal digest.
    pub(crate) fn blob(&self, hex: &str) -> PathBuf {
        let blobs = self.folder.path().join("store/docker/registry/v2/blobs/sha256");
        blobs.join(hex.get(..2).unwrap()).join(hex).join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, name);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap()
}

/// That of the path, or that which `scripts/install-tools` put into the project.
fn binary() -> PathBuf {
    let own = workspace().join(".tools/bin/docker-registry");
    if own.is_file() { own } else { Path::new("docker-registry").to_owned() }
}
