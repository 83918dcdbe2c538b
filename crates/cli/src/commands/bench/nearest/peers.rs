//! hnswlib in turns with us (`tests/bench/ann.py`), then `../shared/bench/peer_ann.py` as it is, where it is there.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xunpin::Strategy;
use xunpin::index::IndexOptions;

use super::super::{percentile, round};
use super::build::GraphAlone;
use super::figures::{Figures, Nearest};
use super::made::{BLOCK, Sources};
use super::truth::Asked;
use crate::args::BenchBuildArgs;
use crate::output::{self, table, thousands};
use crate::threads;

const SCRIPT: &str = "tests/bench/ann.py";
const SHARED: &str = "../shared/bench/peer_ann.py";
/// Widths at which hnswlib is measured.
const EF: [usize; 14] = [10, 16, 24, 32, 40, 48, 64, 80, 96, 128, 192, 256, 384, 512];
/// Recalls at which both are compared, beside that of the index's own width.
const TARGETS: [f64; 3] = [0.9, 0.95, 0.99];

/// A peer that has built its graph and waits for its turns.
pub(super) struct Running {
    child: Child,
    turns: Option<ChildStdin>,
    told: BufReader<ChildStdout>,
    build_s: f64,
    rounds: Vec<Vec<Line>>,
    /// What [`SHARED`] is called with, if it is there.
    shared: Option<Command>,
}

/// What `ann.py` tells of one width.
#[derive(Deserialize)]
struct Line {
    ef: usize,
    recall: f64,
    qps: f64,
}

/// What was measured of peers.
#[derive(Serialize)]
pub(super) struct Peers {
    hnswlib: Peer,
    /// Our codes and graph alone, as against `add_items`: how many times as fast.
    #[serde(skip_serializing_if = "Option::is_none")]
    build_ratio: Option<f64>,
    compared: Vec<Compared>,
    /// The lines of `peer_ann.py`, as they are.
    shared: Vec<Value>,
}

#[derive(Serialize)]
struct Peer {
    build_s: f64,
    widths: Vec<Width>,
}

#[derive(Clone, Copy, Serialize)]
struct Width {
    ef: usize,
    recall: f64,
    qps_best: f64,
    qps_median: f64,
}

/// Our fastest walk and hnswlib's of at least the recall wanted, by the median of their rounds.
#[derive(Serialize)]
struct Compared {
    /// The recall wanted.
    recall: f64,
    /// True if it is that of the index's own width, which is then the walk compared.
    own: bool,
    ef: usize,
    ours_recall: f64,
    ours_qps: f64,
    peer_ef: usize,
    peer_recall: f64,
    peer_qps: f64,
    ratio: f64,
    /// What hnswlib would do at just the recall wanted: between its last width below and its first above, the logarithm of its speed in
    /// proportion to the recall.
    peer_qps_interpolated: f64,
    ratio_interpolated: f64,
}

/// Has the peer build its graph of the vectors of `args`. `Ok(Ok(None))`: none is wanted; `Ok(Err(reason))`: it can't be had.
pub(super) fn begin(
    args: &BenchBuildArgs,
    sources: &Sources,
    options: &IndexOptions,
    asked: &Path,
) -> anyhow::Result<Result<Option<Running>, String>> {
    let Some(python) = &args.peers else { return Ok(Ok(None)) };
    if args.made.vectors > args.peers_up_to {
        return Ok(Err(format!("more than {} vectors (--peers-up-to)", thousands(args.peers_up_to as u64))));
    }
    let Some(root) = root() else {
        return Ok(Err(format!("{SCRIPT} is not found from here; run it in the repository")));
    };
    let has =
        Command::new(python).args(["-c", "import hnswlib, faiss, numpy"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        return Ok(Err(format!("{} has no hnswlib, faiss and numpy (`make peers`)", python.display())));
    }
    let base = asked.join("base.f32");
    write_base(&base, args, sources)?;
    let call = |script: PathBuf| {
        let mut command = Command::new(python);
        command.arg(script).arg(&base).arg(Asked::queries_in(asked)).arg(sources.dimension().to_string());
        let flag = |name: &str, value: usize| [format!("--{name}"), value.to_string()];
        command.args(flag("m", options.m)).args(flag("efc", options.ef_construction));
        command.args(flag("k", args.made.k)).args(flag("threads", threads::settled()));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    };
    let mut command = call(root.join(SCRIPT));
    command.arg("--ef").arg(EF.map(|ef| ef.to_string()).join(","));
    let mut child = command.stdin(Stdio::piped()).spawn().context("the peer can't be started")?;
    let (turns, told) = (child.stdin.take(), child.stdout.take().context("the peer has no output")?);
    let shared = Some(root.join(SHARED)).filter(|script| script.is_file()).map(call);
    let mut running =
        Running { child, turns, told: BufReader::new(told), build_s: 0.0, rounds: Vec::new(), shared };
    let built: Value = serde_json::from_str(&running.line()?).context("the peer's answer can't be read")?;
    running.build_s = built["build_s"].as_f64().context("the peer doesn't tell how long it built")?;
    Ok(Ok(Some(running)))
}

/// The repository that the caller or this program is in.
fn root() -> Option<PathBuf> {
    let places = [std::env::current_dir(), std::env::current_exe()];
    let has_script = |folder: &&Path| folder.join(SCRIPT).is_file();
    places.into_iter().flatten().find_map(|place| place.ancestors().find(has_script).map(Path::to_owned))
}

fn write_base(path: &Path, args: &BenchBuildArgs, sources: &Sources) -> anyhow::Result<()> {
    let cannot = || format!("{}: cannot be written", path.display());
    let mut out = BufWriter::new(File::create(path).with_context(cannot)?);
    for start in (0..args.made.vectors).step_by(BLOCK) {
        for value in sources.rows(args.made.seed, start..(start + BLOCK).min(args.made.vectors))? {
            out.write_all(&value.to_le_bytes()).with_context(cannot)?;
        }
    }
    out.flush().with_context(cannot)
}

impl Running {
    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let read = self.told.read_line(&mut line).context("the peer's answer can't be read")?;
        if read == 0 {
            let status = self.child.wait()?;
            anyhow::bail!("the peer ended before its measurement did ({status})");
        }
        Ok(line)
    }

    /// One round of all widths.
    pub(super) fn turn(&mut self) -> anyhow::Result<()> {
        if let Some(turns) = &mut self.turns {
            turns.write_all(b"\n").context("the peer has ended")?;
        }
        let mut round = Vec::new();
        for _ in EF {
            let line = self.line()?;
            round.push(serde_json::from_str(&line).context("the peer's answer can't be read")?);
        }
        self.rounds.push(round);
        Ok(())
    }

    /// Lets it go and sums up.
    pub(super) fn end(mut self, graph: Option<GraphAlone>, nearest: &Nearest) -> anyhow::Result<Peers> {
        drop(self.turns.take());
        self.child.wait()?;
        let widths: Vec<Width> = (0..EF.len()).filter_map(|at| width(&self.rounds, at)).collect();
        let mut shared = Vec::new();
        if let Some(mut command) = self.shared.take() {
            let output = command.output().with_context(|| format!("{SHARED} can't be run"))?;
            let told = String::from_utf8_lossy(&output.stdout);
            shared.extend(told.lines().filter_map(|line| serde_json::from_str(line).ok()));
            if !output.status.success() {
                eprintln!("note: {SHARED}: {}", String::from_utf8_lossy(&output.stderr).trim());
            }
        }
        Ok(Peers {
            build_ratio: graph.map(|graph| round(self.build_s / graph.total_s.max(1e-9), 2)),
            compared: compare(nearest, &widths),
            hnswlib: Peer { build_s: self.build_s, widths },
            shared,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Also where we failed: it must not wait for ever.
        drop(self.turns.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn width(rounds: &[Vec<Line>], at: usize) -> Option<Width> {
    let line = rounds.first()?.get(at)?;
    let mut qps: Vec<f64> = rounds.iter().filter_map(|round| round.get(at)).map(|line| line.qps).collect();
    let (qps_best, qps_median) = (percentile(&mut qps, 100), percentile(&mut qps, 50));
    Some(Width { ef: line.ef, recall: line.recall, qps_best, qps_median })
}

/// At each recall wanted that both reach.
fn compare(nearest: &Nearest, widths: &[Width]) -> Vec<Compared> {
    let walks: Vec<&Figures> =
        nearest.settings.iter().filter(|f| f.strategy == Strategy::Graph && f.kept == 1.0).collect();
    let mut compared = Vec::new();
    if let Some(own) = walks.iter().find(|f| f.own) {
        compared.extend(against(own, own.recall, true, widths));
    }
    for target in TARGETS {
        let good = walks.iter().filter(|f| f.recall >= target);
        let fastest = good.max_by(|a, b| a.qps_median.total_cmp(&b.qps_median));
        compared.extend(fastest.and_then(|fastest| against(fastest, target, false, widths)));
    }
    compared
}

fn against(ours: &Figures, target: f64, own: bool, widths: &[Width]) -> Option<Compared> {
    let good = widths.iter().filter(|width| width.recall >= target);
    let peer = good.max_by(|a, b| a.qps_median.total_cmp(&b.qps_median))?;
    let interpolated = interpolated(widths, target).unwrap_or(peer.qps_median);
    Some(Compared {
        recall: target,
        own,
        ef: ours.ef.unwrap_or(0),
        ours_recall: ours.recall,
        ours_qps: ours.qps_median,
        peer_ef: peer.ef,
        peer_recall: peer.recall,
        peer_qps: round(peer.qps_median, 1),
        ratio: round(ours.qps_median / peer.qps_median.max(1e-9), 3),
        peer_qps_interpolated: round(interpolated, 1),
        ratio_interpolated: round(ours.qps_median / interpolated.max(1e-9), 3),
    })
}

fn interpolated(widths: &[Width], target: f64) -> Option<f64> {
    let above = widths.iter().position(|width| width.recall >= target)?;
    let (low, high) = (widths.get(above.checked_sub(1)?)?, widths.get(above)?);
    let share = (target - low.recall) / (high.recall - low.recall);
    Some((low.qps_median.ln() * (1.0 - share) + high.qps_median.ln() * share).exp())
}

impl Peers {
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let ratio =
            self.build_ratio.map_or_else(String::new, |ratio| format!("; ours {ratio:.2} times as fast"));
        output::line(format!("\nhnswlib: built in {:.1} s{ratio}", self.hnswlib.build_s))?;
        let rows = self.hnswlib.widths.iter().map(|width| {
            let qps = [width.qps_best, width.qps_median].map(|qps| thousands(qps as u64));
            [vec![width.ef.to_string(), format!("{:.4}", width.recall)], qps.to_vec()].concat()
        });
        let header = ["hnswlib ef", "recall", "q/s best", "q/s median"];
        output::line(table::render(&header, &[0, 1, 2, 3], rows.collect()))?;
        for c in &self.compared {
            output::line(format!(
                "at recall {:.4}{}: ours {} q/s (ef {}, {:.4}), hnswlib {} (ef {}, {:.4}): {:.2} times; {:.2} times its speed at just \
                 that recall, interpolated",
                c.recall,
                if c.own { ", the index's own width" } else { "" },
                thousands(c.ours_qps as u64),
                c.ef,
                c.ours_recall,
                thousands(c.peer_qps as u64),
                c.peer_ef,
                c.peer_recall,
                c.ratio,
                c.ratio_interpolated
            ))?;
        }
        for line in &self.shared {
            output::line(format!("peer_ann.py: {line}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_between_two_widths() {
        let of = |ef, recall, qps| Width { ef, recall, qps_best: qps, qps_median: qps };
        let widths = [of(10, 0.9, 400.0), of(20, 1.0, 100.0)];
        assert!((interpolated(&widths, 0.95).unwrap() - 200.0).abs() < 1e-9);
        assert_eq!(interpolated(&widths, 0.8), None, "no width is below");
        assert_eq!(interpolated(&widths[..1], 0.95), None, "none is above");
    }
}
