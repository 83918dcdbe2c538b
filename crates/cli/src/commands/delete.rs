use super::builder;
use super::notes::Notes;
use crate::args::{DeleteArgs, Format};
use crate::exit::Done;
use crate::output::{self, count};

pub(crate) fn run(args: &DeleteArgs) -> anyhow::Result<Done> {
    let engine = builder(&args.index).open()?;
    let mut notes = Notes::of(&engine);
    let ids: Vec<&str> = args.ids.iter().map(String::as_str).collect();
    let report = engine.delete(&ids);
    notes.tell(&engine);
    let report = report?;
    match args.format {
        Format::Json => output::json(&report)?,
        Format::Table => {
            output::line(format!("{} deleted", count(report.deleted as u64, "product", "products")))?;
            for id in &report.unknown {
                output::line(format!("not in the index: {id}"))?;
            }
        }
    }
    Ok(if report.unknown.is_empty() { Done::Fully } else { Done::Partly })
}
