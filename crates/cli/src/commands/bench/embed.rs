use anyhow::Context;
use serde::Serialize;
use xunpin::Precision;

use super::cell::{Cell, documents};
use super::{child, round};
use crate::args::{BenchEmbedArgs, Format};
use crate::exit::Done;
use crate::memory::Memory;
use crate::output::{self, bytes, count, table, thousands};
use crate::threads;

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    model: String,
    device: String,
    docs: usize,
    /// Tokens of all documents, prompts and special tokens included.
    tokens: usize,
    /// What the cosines are to.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Precision>,
    /// One for each precision and number of threads.
    cells: Vec<Measured>,
}

#[derive(Serialize)]
struct Measured {
    #[serde(flatten)]
    cell: Cell,
    /// Of the documents' vectors to the reference's.
    #[serde(skip_serializing_if = "Option::is_none")]
    cosine: Option<Cosine>,
}

#[derive(Serialize)]
struct Cosine {
    mean: f64,
    least: f64,
}

pub(crate) fn embed(args: &BenchEmbedArgs) -> anyhow::Result<Done> {
    // A mistake is told before anything is measured.
    documents(&args.texts)?;
    let mut precisions = args.precision.clone();
    if precisions.is_empty() {
        precisions.push(args.device.device.default_precision());
    }
    let mut threads = args.threads.clone();
    if threads.is_empty() {
        threads.push(threads::settled());
    }
    let exact = precisions.contains(&Precision::F32).then_some(Precision::F32);
    let reference = args.reference.or(exact);
    let mut rows: Option<Vec<f32>> = None;
    let mut cells = Vec::new();
    for &precision in &precisions {
        for &threads in &threads {
            let (cell, vectors) = run(args, precision, threads, &args.lengths, reference.is_some())?;
            if rows.is_none() && reference == Some(precision) {
                rows = Some(vectors.clone());
            }
            cells.push((cell, vectors));
        }
    }
    if let (None, Some(reference)) = (&rows, reference) {
        rows = Some(run(args, reference, threads::settled(), &[], true)?.1);
    }
    let (model, docs, tokens) = {
        let (first, _) = cells.first().context("nothing was measured")?;
        (first.model.clone(), first.docs, first.tokens)
    };
    let cells = cells.into_iter().map(|(cell, vectors)| {
        let cosine = rows.as_deref().and_then(|rows| cosine(rows, &vectors, docs));
        Measured { cell, cosine }
    });
    let schema = "xunpin.bench.embed.v2";
    let device = args.device.device.to_string();
    let report = Report { schema, model, device, docs, tokens, reference, cells: cells.collect() };
    match args.format {
        Format::Json => output::json_line(&mut std::io::stdout().lock(), &report)?,
        Format::Table => print(&report)?,
    }
    Ok(Done::Fully)
}

/// Measures one cell in a process of its own; the documents' vectors come with it if they are wanted.
fn run(
    args: &BenchEmbedArgs,
    precision: Precision,
    threads: usize,
    lengths: &[usize],
    vectors: bool,
) -> anyhow::Result<(Cell, Vec<f32>)> {
    let texts = args.texts.to_str().context("the name of the file of texts is not Unicode")?;
    let lengths: Vec<String> = lengths.iter().map(usize::to_string).collect();
    let mut command: Vec<String> = ["bench", "cell"].map(String::from).to_vec();
    command.push(format!("--model={}", args.model));
    command.push(format!("--precision={precision}"));
    command.push(format!("--device={}", args.device.device));
    command.push(format!("--threads={threads}"));
    if !lengths.is_empty() {
        command.push(format!("--lengths={}", lengths.join(",")));
    }
    if vectors {
        command.push("--vectors".to_owned());
    }
    command.extend(["--".to_owned(), texts.to_owned()]);
    let out = child::run(&command)?.stdout;
    let end = out.iter().position(|byte| *byte == b'\n').context("a cell reported nothing")?;
    let cell = serde_json::from_slice(&out[..end]).context("a cell's report can't be read")?;
    let values = out[end + 1..].as_chunks::<4>().0;
    Ok((cell, values.iter().map(|value| f32::from_le_bytes(*value)).collect()))
}

/// Cosines of `rows` unit vectors to those of the reference; none if the two don't match.
fn cosine(reference: &[f32], vectors: &[f32], rows: usize) -> Option<Cosine> {
    if rows == 0 || reference.is_empty() || reference.len() != vectors.len() {
        return None;
    }
    let width = reference.len() / rows;
    let (mut sum, mut least) = (0.0, f64::INFINITY);
    for (a, b) in reference.chunks_exact(width).zip(vectors.chunks_exact(width)) {
        let cosine: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        sum += cosine;
        least = cosine.min(least);
    }
    Some(Cosine { mean: round(sum / rows as f64, 6), least: round(least, 6) })
}

fn print(report: &Report) -> anyhow::Result<()> {
    output::line(format!(
        "{} on {}: {} of {:.1} tokens",
        report.model,
        report.device,
        count(report.docs, "document", "documents"),
        report.tokens as f64 / report.docs as f64
    ))?;
    let name = |cell: &Cell| [cell.precision.to_string(), cell.threads.to_string()];
    let rows = report.cells.iter().map(|Measured { cell, cosine }| {
        let mut row = name(cell).to_vec();
        row.push(cell.docs_per_s.to_string());
        row.push(thousands(cell.tokens_per_s as u64));
        row.push(format!("{} / {}", cell.query_p50_ms, cell.query_p95_ms));
        row.push(cell.load_s.to_string());
        row.push(cosine.as_ref().map_or_else(String::new, |c| format!("{:.4} / {:.4}", c.mean, c.least)));
        row
    });
    let header =
        ["precision", "threads", "docs/s", "tokens/s", "query ms p50 / p95", "load s", "cosine mean / least"];
    output::line(table::render(&header, &[1, 2, 3, 4, 5, 6], rows.collect()))?;
    if let Some(reference) = report.reference {
        output::line(format!("cosines are to the vectors in {reference}"))?;
    }
    print_lengths(report)?;
    print_memory(report)
}

fn print_lengths(report: &Report) -> anyhow::Result<()> {
    let Some(first) = report.cells.first().filter(|measured| !measured.cell.lengths.is_empty()) else {
        return Ok(());
    };
    let lengths: Vec<String> =
        first.cell.lengths.iter().map(|length| format!("{} tokens", length.length)).collect();
    let mut header = vec!["tokens/s (inputs/s)", "threads"];
    header.extend(lengths.iter().map(String::as_str));
    let rows = report.cells.iter().map(|Measured { cell, .. }| {
        let mut row = vec![cell.precision.to_string(), cell.threads.to_string()];
        let speed = |tokens: f64, inputs: f64| format!("{} ({inputs})", thousands(tokens as u64));
        row.extend(cell.lengths.iter().map(|length| speed(length.tokens_per_s, length.inputs_per_s)));
        row
    });
    let right: Vec<usize> = (1..header.len()).collect();
    output::line("")?;
    output::line(table::render(&header, &right, rows.collect()))
}

fn print_memory(report: &Report) -> anyhow::Result<()> {
    let cells = report.cells.iter().map(|measured| &measured.cell);
    let rows: Vec<Vec<String>> = cells
        .filter_map(|cell| {
            let cells = |m: &Memory| [bytes(m.resident), bytes(m.anonymous), bytes(m.files)];
            let (loaded, worked) = (cell.memory_loaded.as_ref()?, cell.memory_worked.as_ref()?);
            let mut row = vec![cell.precision.to_string(), cell.threads.to_string()];
            row.extend(cells(loaded));
            row.extend(cells(worked));
            row.push(bytes(worked.peak));
            Some(row)
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let header = ["memory", "threads", "loaded", "own", "mapped", "after work", "own", "mapped", "peak"];
    output::line("")?;
    output::line(table::render(&header, &[1, 2, 3, 4, 5, 6, 7, 8], rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_are_taken_row_by_row() {
        let found = cosine(&[1.0, 0.0, 0.0, 1.0], &[1.0, 0.0, 0.6, 0.8], 2).unwrap();
        assert_eq!((found.mean, found.least), (0.9, 0.8));
        assert!(cosine(&[1.0, 0.0], &[1.0], 1).is_none());
        assert!(cosine(&[], &[], 0).is_none());
    }
}
