use std::io::ErrorKind;
use std::path::Path;
use std::time::UNIX_EPOCH;

use xunpin_kernels::{Gated, Precision as Packing};

use super::blueprint::Blueprint;
use super::format::{Contents, Header, SourceFile, Writer};
use super::matrix::Matrix;
use super::model::padded_inner;
use super::table::RowTable;
use crate::ModelError;
use crate::backbone::Architecture;
use crate::layers::{Rope, Sight};
use crate::precision::{Precision, Prepared, PreparedState, prepared_path};
use crate::source::Source;
use crate::tokenizer::{PreparedBpe, SharedBytes, TokenizerFile};
use crate::weights::Weights;
use crate::{bert, rotary};

/// Bytes left for the header, per layer and at least.
const HEADER_ROOM: u64 = 1 << 16;

/// Makes the file that the model runs from at `precision`, unless it is there and belongs to these weights. Opening does
/// the same where the file is missing. Takes some seconds and half a gigabyte of memory.
pub fn prepare(folder: &Path, precision: Precision) -> Result<Prepared, ModelError> {
    let (contents, made) = current(folder, precision)?;
    let path = prepared_path(folder, precision);
    Ok(Prepared { path, bytes: contents.bytes(), made })
}

/// The prepared file of a folder, made first if it is missing, of another version, or of other weights; and whether it
/// was made.
pub(crate) fn current(folder: &Path, precision: Precision) -> Result<(Contents, bool), ModelError> {
    let path = prepared_path(folder, precision);
    match Contents::open(&path) {
        Ok(contents) if belongs(&contents, precision, folder)? => return Ok((contents, false)),
        Ok(_) | Err(ModelError::MissingFile { .. } | ModelError::PreparedVersion { .. }) => {}
        Err(error) => return Err(error),
    }
    write(folder, precision, &path)?;
    Ok((Contents::open(&path)?, true))
}

/// Checks every prepared file of a model folder against its checksums and the folder's weights. A bad file is no error: it
/// is in the answer.
pub fn verify_prepared(folder: &Path) -> Result<Vec<PreparedState>, ModelError> {
    let paths = Precision::ALL.into_iter().map(|precision| (precision, prepared_path(folder, precision)));
    let mut states = Vec::new();
    for (precision, path) in paths.filter(|(_, path)| path.is_file()) {
        let problem = match Contents::open(&path) {
            Ok(contents) => match contents.verify() {
                Some(section) => Some(format!("section `{section}` differs from its checksum")),
                None if belongs(&contents, precision, folder)? => None,
                None => Some("it was made from other weights or settings".to_owned()),
            },
            Err(error) => Some(error.to_string()),
        };
        states.push(PreparedState { path, precision, ok: problem.is_none(), problem });
    }
    Ok(states)
}

/// Whether a file was made from what the folder holds now. The same files, by name, size and time, are enough; copied ones
/// are compared by their fingerprint. A folder that lacks files of the model leaves nothing to compare with.
fn belongs(contents: &Contents, precision: Precision, folder: &Path) -> Result<bool, ModelError> {
    let made = &contents.header.fingerprint;
    if made.precision != precision.to_string() {
        return Ok(false);
    }
    if source_files(folder)? == contents.header.sources {
        return Ok(true);
    }
    let fingerprint = || {
        let source = Source::open(folder)?;
        let tokenizer = TokenizerFile::hash_in(&source.folder.transformer, source.folder.lower_case)?;
        Ok(source.fingerprint(&tokenizer, precision))
    };
    match fingerprint() {
        Ok(fingerprint) => Ok(fingerprint.differences(made).is_empty()),
        Err(ModelError::MissingFile { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The files of a model folder that decide its vectors, two levels deep, in order.
fn source_files(folder: &Path) -> Result<Vec<SourceFile>, ModelError> {
    let mut found = Vec::new();
    let mut pending = vec![(folder.to_owned(), String::new())];
    while let Some((path, prefix)) = pending.pop() {
        let io = |source| ModelError::from_io(&path, source);
        for entry in std::fs::read_dir(&path).map_err(io)? {
            let entry = entry.map_err(io)?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            // Through links: a hub's cache holds nothing else.
            let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
            if metadata.is_dir() {
                if prefix.is_empty() {
                    pending.push((entry.path(), format!("{name}/")));
                }
            } else if name.ends_with(".json") || name.ends_with(".safetensors") {
                let age = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                let modified = age.map_or(0, |age| age.as_nanos() as u64);
                found.push(SourceFile { path: format!("{prefix}{name}"), bytes: metadata.len(), modified });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Writes the file beside its place and moves it there when it is whole.
fn write(folder: &Path, precision: Precision, path: &Path) -> Result<(), ModelError> {
    let source = Source::open(folder)?;
    let files = source_files(folder)?;
    let tokenizer_path = source.folder.transformer.join("tokenizer.json");
    let json = std::fs::read(&tokenizer_path).map_err(|error| ModelError::from_io(&tokenizer_path, error))?;
    let tokenizer_hash = TokenizerFile::hash_in(&source.folder.transformer, source.folder.lower_case)?;
    let tokenizer = if source.folder.lower_case { None } else { PreparedBpe::build(&tokenizer_path, &json)? };
    drop(json);

    let failed = |error| ModelError::Write { path: path.to_owned(), source: error };
    let parent = path.parent().unwrap_or(folder);
    match std::fs::create_dir(parent) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let mut beside = tempfile::Builder::new();
    beside.prefix(".preparing");
    // As readable as other new files, not for its owner alone: users of a machine share models.
    #[cfg(unix)]
    beside.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let beside = beside.tempfile_in(parent).map_err(failed)?;
    let blueprint = match &source.architecture {
        Architecture::Rotary(_, config) => Blueprint::of_rotary(config, &source.folder),
        Architecture::Bert(_, config) => Blueprint::of_bert(config, &source.folder),
    };
    let file = beside.as_file().try_clone().map_err(failed)?;
    let room = HEADER_ROOM + 4096 * blueprint.layers.len() as u64;
    let mut packer = Packer {
        writer: Writer::new(file, path, room),
        packing: if precision == Precision::Bf16 { Packing::Bf16 } else { Packing::Int8 },
        blueprint: &blueprint,
        weights: &source.weights,
    };
    match &source.architecture {
        Architecture::Rotary(_, config) => packer.rotary(config)?,
        Architecture::Bert(_, config) => packer.bert(config)?,
    }
    packer.dense(&source)?;
    let mut writer = packer.writer;
    if let Some(tokenizer) = &tokenizer {
        writer.add("tokenizer", tokenizer)?;
    }
    writer.finish(Header {
        fingerprint: source.fingerprint(&tokenizer_hash, precision),
        lower_case: source.folder.lower_case,
        sources: files,
        sections: Default::default(),
        blueprint,
    })?;
    beside.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Writes a model's weights section by section.
struct Packer<'a> {
    writer: Writer,
    packing: Packing,
    blueprint: &'a Blueprint,
    weights: &'a Weights,
}

impl Packer<'_> {
    fn rotary(&mut self, config: &rotary::Config) -> Result<(), ModelError> {
        use rotary::names;
        let names_of = names::Names::find(self.weights);
        let width = config.width;
        let table =
            self.weights.table(&format!("{}.weight", names_of.embeddings()), config.vocabulary, width)?;
        RowTable::write(&mut self.writer, "tokens", self.packing, (config.vocabulary, width), |at, out| {
            table.copy_row(at, out);
            out.iter_mut().for_each(|value| *value *= config.embedding_scale);
        })?;
        let rope = |theta: f64| Rope::new(theta, config.heads.width, config.max_positions).into_table();
        self.writer.add("rope.full", &rope(config.full_theta))?;
        if config.layers.iter().any(|sight| matches!(sight, Sight::Window(_))) {
            self.writer.add("rope.sliding", &rope(config.sliding_theta))?;
        }
        for at in 0..config.layers.len() {
            let source = |part: &str| names_of.layer(at, part);
            let place = |part: &str| format!("layers.{at}.{part}");
            let norms = [
                ("attention_norm", Some(config.norms.before_attention), width, 1.0),
                ("after_attention", config.norms.after_attention, width, 1.0),
                ("mlp_norm", Some(config.norms.before_mlp), width, 1.0),
                ("after_mlp", config.norms.after_mlp, width, 1.0),
                // Rotation keeps lengths, so the scale of the scores can go in here.
                ("query_norm", Some(names::QUERY_NORM), config.heads.width, config.scale),
                ("key_norm", Some(names::KEY_NORM), config.heads.width, 1.0),
            ];
            for (part, name, length, scale) in norms {
                let Some(name) = name else { continue };
                let mut weight = self.weights.vector(&format!("{}.weight", source(name)), length)?;
                weight.iter_mut().for_each(|w| *w = (config.norm_offset + *w) * scale);
                self.writer.add(&place(part), &weight)?;
            }
            let (queries, keys, inner) = (config.heads.queries(), config.heads.keys(), config.inner_width);
            let qkv = [(names::QUERY, queries), (names::KEY, keys), (names::VALUE, keys)];
            let qkv = qkv.map(|(part, outputs)| (source(part), outputs));
            self.linear(&place("qkv"), &qkv, width, false)?;
            self.linear(&place("output"), &[(source(names::OUTPUT), width)], queries, false)?;
            let up = [(source(names::GATE), inner), (source(names::UP), inner)];
            self.gated(&place("up"), &up, width)?;
            self.linear(&place("down"), &[(source(names::DOWN), width)], inner, false)?;
        }
        let mut weight = self.weights.vector(&format!("{}.weight", names_of.last_norm()), width)?;
        weight.iter_mut().for_each(|w| *w += config.norm_offset);
        self.writer.add("norm", &weight)
    }

    fn bert(&mut self, config: &bert::Config) -> Result<(), ModelError> {
        use bert::names;
        let names_of = names::Names::find(self.weights);
        let width = config.width;
        let table =
            |part: &str, rows| self.weights.table(&format!("{}.weight", names_of.of(part)), rows, width);
        let words = table(names::WORDS, config.vocabulary)?;
        RowTable::write(&mut self.writer, "tokens", self.packing, (config.vocabulary, width), |at, out| {
            words.copy_row(at, out);
        })?;
        // A text on its own is of token type 0 throughout.
        let positions = table(names::POSITIONS, config.position_rows)?;
        let mut token_type = vec![0f32; width];
        table(names::TOKEN_TYPES, config.token_types)?.copy_row(0, &mut token_type);
        let mut places = vec![0f32; config.position_rows * width];
        for (at, row) in places.chunks_exact_mut(width).enumerate() {
            positions.copy_row(at, row);
            row.iter_mut().zip(&token_type).for_each(|(value, token_type)| *value += token_type);
        }
        self.writer.add("places", &places)?;
        self.layer_norm("places.norm", &names_of.of(names::EMBEDDING_NORM))?;
        for at in 0..config.layers {
            let source = |part: &str| names_of.layer(at, part);
            let place = |part: &str| format!("layers.{at}.{part}");
            let qkv = [names::QUERY, names::KEY, names::VALUE].map(|part| (source(part), width));
            self.linear(&place("qkv"), &qkv, width, true)?;
            self.linear(&place("output"), &[(source(names::OUTPUT), width)], width, true)?;
            self.layer_norm(&place("attention_norm"), &source(names::ATTENTION_NORM))?;
            self.linear(&place("up"), &[(source(names::UP), config.inner_width)], width, true)?;
            self.linear(&place("down"), &[(source(names::DOWN), width)], config.inner_width, true)?;
            self.layer_norm(&place("mlp_norm"), &source(names::MLP_NORM))?;
        }
        Ok(())
    }

    fn layer_norm(&mut self, place: &str, source: &str) -> Result<(), ModelError> {
        let width = self.blueprint.width;
        self.writer.add(place, &self.weights.vector(&format!("{source}.weight"), width)?)?;
        self.writer.add(&format!("{place}.bias"), &self.weights.vector(&format!("{source}.bias"), width)?)
    }

    /// Tensors one after another as the outputs of one product.
    fn linear(
        &mut self,
        place: &str,
        parts: &[(String, usize)],
        inputs: usize,
        bias: bool,
    ) -> Result<(), ModelError> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for (name, outputs) in parts {
            self.weights.append(&format!("{name}.weight"), &[*outputs, inputs], &mut weights)?;
            if bias {
                self.weights.append(&format!("{name}.bias"), &[*outputs], &mut biases)?;
            }
        }
        let outputs = parts.iter().map(|(_, outputs)| outputs).sum();
        Matrix::write(&mut self.writer, place, self.packing, (inputs, outputs), &weights, &biases)
    }

    /// Gate and up in one product, 16 of each in turns, filled up to whole turns with zeros.
    fn gated(&mut self, place: &str, parts: &[(String, usize); 2], inputs: usize) -> Result<(), ModelError> {
        let inner = padded_inner(self.blueprint);
        let mut weights = vec![0f32; 2 * inner * inputs];
        for (half, (name, outputs)) in parts.iter().enumerate() {
            let mut rows = Vec::new();
            self.weights.append(&format!("{name}.weight"), &[*outputs, inputs], &mut rows)?;
            for (at, row) in rows.chunks_exact(inputs).enumerate() {
                let place = Gated::place(half * inner + at, inner);
                weights[place * inputs..(place + 1) * inputs].copy_from_slice(row);
            }
        }
        Matrix::write(&mut self.writer, place, self.packing, (inputs, 2 * inner), &weights, &[])
    }

    /// The layers after the pooling. A text passes them once, so they are left in bf16.
    fn dense(&mut self, source: &Source) -> Result<(), ModelError> {
        for (at, (config, weights)) in source.folder.dense.iter().zip(&source.dense).enumerate() {
            let (inputs, outputs) = (config.inputs, config.outputs);
            let mut values = Vec::new();
            weights.append("linear.weight", &[outputs, inputs], &mut values)?;
            let bias = if config.bias { weights.vector("linear.bias", outputs)? } else { Vec::new() };
            let place = format!("dense.{at}");
            Matrix::write(&mut self.writer, &place, Packing::Bf16, (inputs, outputs), &values, &bias)?;
        }
        Ok(())
    }
}

/// The tokenizer of a prepared model, `None` if it must be read from `tokenizer.json`.
pub(crate) fn tokenizer(contents: &Contents) -> Result<Option<TokenizerFile>, ModelError> {
    if !contents.contains("tokenizer") {
        return Ok(None);
    }
    let (map, range) = contents.span_of_any_length::<u8>("tokenizer")?.bytes();
    let hash = contents.header.fingerprint.tokenizer.clone();
    TokenizerFile::from_prepared(SharedBytes::new(map, range), hash, contents.path().to_owned()).map(Some)
}
