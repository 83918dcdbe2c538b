use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xunpin::{Encoder, EncoderOptions, Role};

use super::texts_at_a_time;
use crate::args::{ComputeArgs, DeviceArg, EmbedArgs, RoleArg};
use crate::exit::{Done, WrongUse};
use crate::output;

/// Longest line in bytes; a model takes a few thousand tokens.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// A line of input.
#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    id: Value,
    text: String,
}

/// A line of output: schema `xunpin.embed.v1`.
#[derive(Serialize)]
struct Vector<'a> {
    id: &'a Value,
    embedding: &'a [f32],
}

pub(crate) fn run(args: &EmbedArgs) -> anyhow::Result<Done> {
    let stdin = args.input == Path::new("-");
    let mut reader: Box<dyn BufRead> = if stdin {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let name = || format!("{}: cannot be opened", args.input.display());
        Box::new(BufReader::new(File::open(&args.input).with_context(name)?))
    };
    let ComputeArgs { precision, device: DeviceArg { device } } = args.compute;
    let precision = precision.unwrap_or(device.default_precision());
    let options = EncoderOptions { precision, device, ..EncoderOptions::default() };
    let encoder = xunpin::shortened(xunpin::load_encoder(&args.model, options)?, args.vectors.dimension)?;
    let role = match args.role {
        RoleArg::Query => Role::Query,
        RoleArg::Document => Role::Document,
        RoleArg::Raw => Role::Raw,
    };
    let mut out = io::stdout().lock();
    let batch = texts_at_a_time(device);
    let mut waiting: Vec<Text> = Vec::with_capacity(batch);
    let mut rejected = 0;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line);
        let read = read.with_context(|| format!("{}: cannot be read", args.input.display()))?;
        if read == 0 {
            break;
        }
        if read as u64 > MAX_LINE_BYTES {
            let told = format!("{}:{number}: longer than {MAX_LINE_BYTES} bytes", args.input.display());
            return Err(WrongUse(told).into());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(text) => waiting.push(text),
            Err(error) => {
                rejected += 1;
                let form = r#"a line is {"id": ..., "text": "..."}"#;
                output::tell(format_args!("{}:{number}: {error}; {form}", args.input.display()));
            }
        }
        if waiting.len() == batch {
            flush(encoder.as_ref(), role, &mut waiting, &mut out)?;
        }
    }
    flush(encoder.as_ref(), role, &mut waiting, &mut out)?;
    Ok(if rejected == 0 { Done::Fully } else { Done::Partly })
}

fn flush(
    encoder: &dyn Encoder,
    role: Role,
    waiting: &mut Vec<Text>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let texts: Vec<&str> = waiting.iter().map(|t| t.text.as_str()).collect();
    let vectors = encoder.encode(&texts, role)?;
    for (text, embedding) in waiting.iter().zip(vectors.iter()) {
        output::json_line(out, &Vector { id: &text.id, embedding })?;
    }
    waiting.clear();
    Ok(())
}
