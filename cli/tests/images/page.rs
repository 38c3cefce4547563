//! Every command of `docs/distribution.md` does what the page says, and so do those of the README that need a registry.

use super::server::Server;
use super::{folder, workspace};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// The blocks of a page in a language, in order.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.trim() == format!("```{language}") {
            blocks
                .push(lines.by_ref().take_while(|line| line.trim() != "```").map(|line| format!("{line}\n")).collect());
        } else if line.trim().starts_with("```") {
            lines.by_ref().take_while(|line| line.trim() != "```").for_each(drop);
        }
    }
    blocks
}

/// Runs a block of a page with `weir` on the path, and returns what it printed.
fn follow(folder: &Path, block: &str) -> String {
    let bin = folder.join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_weir"), bin.join("weir")).unwrap();
    }
    let search = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-eu", "-o", "pipefail", "-c", block]).current_dir(folder).env("PATH", &search);
    bash.env("HOME", folder).env("DOCKER_CONFIG", folder).env_remove("REGISTRY_AUTH_FILE");
    let output = bash.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{block}\n{text}");
    text
}

const POLICY: &str = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: reads, namespace: shop}\nspec:\n  \
                      selector: {matchLabels: {app: cart}}\n  rules: [{to: [{operation: {methods: [GET]}}]}]\n";

#[test]
fn the_readme_pushes_an_image_and_renders_a_manifest_that_pins_it() {
    let (folder, server) = (folder(), Server::plain());
    let page = fs::read_to_string(workspace().join("README.md")).unwrap();
    let section = page.split("## Your own files").nth(1).unwrap().split("\n## ").next().unwrap();
    let commands = blocks(&section.replace("registry.example.com", &server.host()), "sh");
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/reads.yaml"), POLICY).unwrap();
    let printed = follow(folder.path(), commands.last().unwrap());
    assert!(printed.contains("1 file: 1 policy document: no errors"), "{printed}");
    let manifest = fs::read_to_string(folder.path().join("cart.yaml")).unwrap();
    let inspected =
        follow(folder.path(), &format!("weir inspect {} --output json", server.reference("weir/policy:0.1.0")));
    let image: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    let digest = image["digests"][0]["digest"].as_str().unwrap();
    assert!(manifest.contains(digest.trim_start_matches("sha256:")), "{digest}\n{manifest}");
    assert!(manifest.contains("phase: AUTHZ") && manifest.contains("mode: shadow"), "{manifest}");
}

#[test]
fn the_commands_of_the_page_run_one_after_the_other() {
    let (folder, server) = (folder(), Server::plain());
    let page = fs::read_to_string(workspace().join("docs/distribution.md")).unwrap();
    let page = page.replace("registry.example.com", &server.host());
    let commands = blocks(&page, "sh");
    assert!(commands.len() >= 4, "the page lost its commands");
    let mut printed = String::new();
    for block in &commands {
        printed.push_str(&follow(folder.path(), block));
    }
    // What the page shows is what is printed, up to digests and sizes.
    for line in blocks(&page, "text").iter().flat_map(|block| block.lines()) {
        let begin = line.split(['(', '@']).next().unwrap().split("sha256:").next().unwrap().trim_end();
        assert!(printed.contains(begin), "`{begin}` is not printed:\n{printed}");
    }
}
