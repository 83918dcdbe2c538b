use std::io::Write;

use xunpin::SearchResponse;

use super::{builder, request};
use crate::args::{HitFormat, SearchArgs};
use crate::exit::{Done, wrong_use};
use crate::output::{self, count, table};

/// Columns of a title in a table.
const TITLE_COLUMNS: usize = 64;

pub(crate) fn run(args: &SearchArgs) -> anyhow::Result<Done> {
    // Before anything is loaded: a mistake in the command line is told at once.
    let mut request = request(&args.query, args.k, &args.mode, &args.retrieval)?;
    if let Some(filter) = &args.filter {
        request = request.with_filter(xunpin::parse_filter(filter).map_err(wrong_use)?);
    }
    let engine = builder(&args.index).open_read_only()?;
    super::print_notes(&engine);
    let answer = engine.search(&request)?;
    match args.format {
        HitFormat::Json => output::json(&answer)?,
        HitFormat::Jsonl => {
            let mut out = std::io::stdout().lock();
            for hit in &answer.hits {
                output::json_line(&mut out, hit)?;
            }
            out.flush()?;
        }
        HitFormat::Table => print(&answer)?,
    }
    Ok(if answer.hits.is_empty() { Done::Partly } else { Done::Fully })
}

fn print(answer: &SearchResponse) -> anyhow::Result<()> {
    if answer.hits.is_empty() {
        return output::line(match &answer.filter {
            Some(filter) => format!("No product matches the filter {filter}"),
            None => "No product: the index is empty".to_owned(),
        });
    }
    let rows = answer.hits.iter().enumerate().map(|(at, hit)| {
        let product = &hit.product;
        vec![
            (at + 1).to_string(),
            format!("{:.3}", hit.score),
            table::cut(&hit.id, 24),
            product.price.map_or_else(String::new, |p| format!("{p:.2}")),
            table::cut(&product.title, TITLE_COLUMNS),
        ]
    });
    output::line(table::render(&["#", "score", "id", "price", "title"], &[0, 1, 3], rows.collect()))?;
    output::line(format!(
        "{} in {:.0} ms (query encoded in {:.0} ms, {} search in {:.1} ms)",
        count(answer.hits.len() as u64, "product", "products"),
        answer.took_ms.total,
        answer.took_ms.encode,
        answer.strategy,
        answer.took_ms.search,
    ))
}
