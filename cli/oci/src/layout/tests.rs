use super::*;
use crate::testing::Memory;
use weir_testing::Rows;

/// A folder with an image in it, and the folder above.
fn written() -> (tempfile::TempDir, PathBuf) {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("image");
    let mut layout = NewLayout::begin(&folder, Some("1.0")).unwrap();
    store::copy(&Memory::good(), &mut layout).unwrap();
    layout.finish().unwrap();
    (above, folder)
}

#[test]
fn an_image_comes_back_as_it_was_written() {
    let (_above, folder) = written();
    let memory = Memory::good();
    let text = folder.display().to_string();
    let pinned = format!("{text}@{}", memory.digest());
    for name in [text.clone(), format!("{text}:1.0"), pinned.clone()] {
        let layout = Layout::open(&name).unwrap();
        assert_eq!(layout.root().unwrap(), memory.root().unwrap(), "{name}");
        let layer = &memory.manifest_document().layers[0];
        assert_eq!(layout.blob(layer, BLOB_LIMIT).unwrap(), memory.bytes[&layer.digest], "{name}");
        assert_eq!(layout.asked_for().is_some(), name == pinned, "{name}");
    }
    // <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>
    assert_eq!(fs::read_to_string(folder.join("oci-layout")).unwrap(), r#"{"imageLayoutVersion":"1.0.0"}"#);
    assert!(fs::read_dir(folder.parent().unwrap()).unwrap().count() == 1, "temporary files are left");
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let (above, folder) = written();
    let text = folder.display().to_string();
    let opened = |text: &str| Layout::open(text).map(|_| ()).unwrap_err().to_string();
    let mut table = Rows::default();
    table.contains("no layout", &opened(&above.path().display().to_string()), "no OCI image layout is there");
    table.contains(
        "no such name",
        &opened(&format!("{text}:2.0")),
        "0 images of that name, expected one; the folder has: 1.0 (sha256:",
    );
    table.contains("no digest", &opened(&format!("{text}@sha256:12")), "`sha256:12` is not a SHA-256 digest");
    let taken = NewLayout::begin(&folder, None).map(|_| ()).unwrap_err().to_string();
    table.contains("taken", &taken, "is there already: remove it, or name another folder");

    let layout = Layout::open(&text).unwrap();
    let layer = Memory::good().manifest_document().layers[0].clone();
    table.check("limit", matches!(layout.blob(&layer, layer.size - 1), Err(Error::TooLarge { .. })), true);
    let path = layout.path(&layer.digest);
    fs::write(&path, b"replaced").unwrap();
    table.check("replaced", matches!(layout.blob(&layer, BLOB_LIMIT), Err(Error::WrongDigest { .. })), true);
    fs::remove_file(&path).unwrap();
    table.contains("gone", &layout.blob(&layer, BLOB_LIMIT).unwrap_err().to_string(), "the folder lacks it");

    let index: Index = serde_json::from_slice(&fs::read(folder.join(INDEX)).unwrap()).unwrap();
    let twice = Index { manifests: [index.manifests.clone(), index.manifests].concat(), ..index };
    fs::write(folder.join(INDEX), serde_json::to_vec(&twice).unwrap()).unwrap();
    table.contains("two", &opened(&text), "2 images of that name, expected one");
}

#[test]
fn a_folder_is_told_from_a_reference() {
    let (_above, folder) = written();
    let rows = [
        (folder.display().to_string(), true),
        (format!("{}:1.0", folder.display()), true),
        ("./not-there".to_owned(), true),
        ("../not-there:1.0".to_owned(), true),
        ("registry.example.com/weir/suite:0.1.0".to_owned(), false),
        ("oci://registry.example.com/weir/suite:0.1.0".to_owned(), false),
        ("localhost:5000/weir/suite".to_owned(), false),
    ];
    let mut table = Rows::default();
    for (text, expected) in rows {
        table.check(&text, Layout::is_meant(&text), expected);
    }
}

#[test]
fn what_a_killed_process_left_is_removed_by_the_next() {
    let above = tempfile::tempdir().unwrap();
    let old = Some(std::time::UNIX_EPOCH);
    let work = |name: &str, lock: Option<&str>, time: Option<std::time::SystemTime>| {
        let path = above.path().join(name);
        fs::create_dir(&path).unwrap();
        let lock = lock.map(|lock| File::create(path.join(lock)).unwrap());
        if let Some(time) = time {
            File::open(&path).unwrap().set_modified(time).unwrap();
        }
        lock
    };
    work(".weir-killed", Some(".lock"), old);
    work(".weir-begun", Some(".lock"), None);
    work(".weir-of-another-kind", None, old);
    work("others", Some(".lock"), old);
    let running = work(".weir-running", Some(".lock"), old).unwrap();
    running.lock().unwrap();
    let layout = NewLayout::begin(&above.path().join("image"), None).unwrap();
    let mut table = Rows::default();
    for (name, is_left) in [
        (".weir-killed", false),
        (".weir-begun", true),
        (".weir-of-another-kind", true),
        ("others", true),
        (".weir-running", true),
    ] {
        table.check(name, above.path().join(name).exists(), is_left);
    }
    layout.finish().unwrap();
    table.check("no lock in the image", above.path().join("image/.lock").exists(), false);
}
