//! Every command of `docs/distribution.md` does what the page says.

use super::server::Server;
use super::{folder, workspace};
use std::fs;
use std::os::unix::fs::symlink;
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

#[test]
fn the_commands_of_the_page_run_one_after_the_other() {
    let (folder, server) = (folder(), Server::plain());
    let page = fs::read_to_string(workspace().join("docs/distribution.md")).unwrap();
    let page = page.replace("registry.example.com", &server.host());
    let commands = blocks(&page, "sh");
    assert!(commands.len() >= 4, "the page lost its commands");
    fs::create_dir(folder.path().join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_weir"), folder.path().join("bin/weir")).unwrap();
    let search = format!("{}:{}", folder.path().join("bin").display(), std::env::var("PATH").unwrap());
    let mut printed = String::new();
    for block in &commands {
        let mut bash = Command::new("bash");
        bash.args(["-eu", "-o", "pipefail", "-c", block]).current_dir(folder.path()).env("PATH", &search);
        bash.env("HOME", folder.path()).env("DOCKER_CONFIG", folder.path()).env_remove("REGISTRY_AUTH_FILE");
        let output = bash.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{block}\n{text}");
        printed.push_str(&text);
    }
    // What the page shows is what is printed, up to digests and sizes.
    for line in blocks(&page, "text").iter().flat_map(|block| block.lines()) {
        let begin = line.split(['(', '@']).next().unwrap().split("sha256:").next().unwrap().trim_end();
        assert!(printed.contains(begin), "`{begin}` is not printed:\n{printed}");
    }
}
