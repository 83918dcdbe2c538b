use std::io::Write;
use std::path::Path;

use xunpin::{Engine, Rules, SearchRequest};

use super::notes::Notes;
use super::{query_builder, request};
use crate::args::{HitFormat, SearchArgs};
use crate::exit::{Done, wrong_use};
use crate::output::{self, count, hits};

/// Ids that a rules file names in vain, told at most.
const TOLD_IDS: usize = 10;

pub(crate) fn run(args: &SearchArgs) -> anyhow::Result<Done> {
    // Before anything is loaded: a mistake in the command line is told at once.
    let mut request = understand(args)?;
    let rules = args.rules.as_deref().map(Rules::from_file).transpose().map_err(wrong_use)?;
    if let Some(rules) = &rules {
        let placement = rules.for_query(request.query());
        request = request.with_placement(placement);
    }
    let engine = query_builder(&args.index, &args.compute).open_read_only()?;
    let mut notes = Notes::of(&engine);
    if let (Some(rules), Some(path)) = (&rules, &args.rules) {
        tell_unknown_ids(&engine, rules, path)?;
    }
    let answer = engine.search(&request);
    notes.tell(&engine);
    let answer = answer?;
    match args.format {
        HitFormat::Json => output::json(&answer)?,
        HitFormat::Jsonl => {
            let mut out = std::io::stdout().lock();
            for hit in &answer.hits {
                output::json_line(&mut out, hit)?;
            }
            out.flush()?;
        }
        HitFormat::Table => hits::print(&answer, &request, engine.index().is_empty())?,
    }
    // All is written, and an index open for reading has nothing to put in order: the system takes everything back at once
    // when the process ends, sooner than it would be given back piece by piece.
    std::mem::forget(engine);
    Ok(if answer.hits.is_empty() { Done::Partly } else { Done::Fully })
}

fn understand(args: &SearchArgs) -> anyhow::Result<SearchRequest> {
    let mut request = request(&args.query, args.k, args.mode, &args.retrieval)?;
    let offset = match args.page {
        Some(page) => (page as usize - 1).saturating_mul(args.k),
        None => args.offset,
    };
    request = request.with_offset(offset).map_err(wrong_use)?;
    if let Some(filter) = &args.filter {
        request = request.with_filter(xunpin::parse_filter(filter).map_err(wrong_use)?);
    }
    for key in &args.sort {
        request = request.with_sort(key.clone());
    }
    for facet in &args.facet {
        request = request.with_facet(facet.clone());
    }
    if let Some(field) = &args.group {
        request = request.with_group(field.clone());
    }
    if let Some((field, weight)) = &args.popularity {
        request = request.with_popularity(field.clone(), *weight).map_err(wrong_use)?;
    }
    if args.everything {
        request = request.with_everything();
    }
    request.check().map_err(wrong_use)?;
    Ok(request)
}

/// Products that were deleted since a rule was written do no harm, but are worth a word.
fn tell_unknown_ids(engine: &Engine, rules: &Rules, path: &Path) -> anyhow::Result<()> {
    let ids: Vec<&str> = rules.ids().collect();
    let known = engine.index().lookup(&ids).map_err(xunpin::EngineError::from)?;
    let unknown: Vec<&str> =
        ids.iter().zip(known).filter(|(_, entry)| entry.is_none()).map(|(id, _)| *id).collect();
    if !unknown.is_empty() {
        let more = if unknown.len() > TOLD_IDS { " ..." } else { "" };
        output::tell(format_args!(
            "note: {} names {} that the index lacks: {}{more}",
            path.display(),
            count(unknown.len(), "product", "products"),
            unknown[..unknown.len().min(TOLD_IDS)].join(" "),
        ));
    }
    Ok(())
}
