use std::io::ErrorKind;
use std::path::Path;
use std::time::UNIX_EPOCH;

use xunpin_kernels::{Gated, Precision as Packing};

use super::blueprint::Blueprint;
use super::format::{Contents, Header, SourceFile, Writer};
use super::matrix::Matrix;
use super::model::padded_inner;
use super::smoothing::{Peaks, divide_rows, scale_columns};
use super::table::RowTable;
use crate::ModelError;
use crate::backbone::{Architecture, Product};
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
    if made.precision != precision.to_string() || made.rounding != precision.rounding() {
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
    let peaks = match precision {
        Precision::Int8 => {
            let read = match &tokenizer {
                Some(prepared) => {
                    let bytes = SharedBytes::from(prepared.clone());
                    TokenizerFile::from_prepared(bytes, tokenizer_hash.clone(), tokenizer_path)?
                }
                None => TokenizerFile::read(&source.folder.transformer, source.folder.lower_case)?,
            };
            let fitted = read.fit_to(source.architecture.vocabulary(), source.max_tokens())?;
            Some(Peaks::measure(&source, &fitted)?)
        }
        _ => None,
    };
    let file = beside.as_file().try_clone().map_err(failed)?;
    let room = HEADER_ROOM + 4096 * blueprint.layers.len() as u64;
    let mut packer = Packer {
        writer: Writer::new(file, path, room),
        packing: if precision == Precision::Bf16 { Packing::Bf16 } else { Packing::Int8 },
        blueprint: &blueprint,
        weights: &source.weights,
        peaks,
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

/// The format of a product of layer `at` in a model of that many layers. What 8 bits lose in the last layers no later layer
/// evens out: half of the distance to f32 comes from the last quarter. So the last sixth is left in bf16, and of the
/// second half the products that lose most.
fn packing_of(packing: Packing, layers: usize, at: usize, product: Product) -> Packing {
    let last = at + layers.div_ceil(6) >= layers;
    if last || product == Product::Down && 2 * at >= layers { Packing::Bf16 } else { packing }
}

/// Writes a model's weights section by section.
struct Packer<'a> {
    writer: Writer,
    packing: Packing,
    blueprint: &'a Blueprint,
    weights: &'a Weights,
    /// Of the inputs that are evened out.
    peaks: Option<Peaks>,
}

impl Packer<'_> {
    fn rotary(&mut self, config: &rotary::Config) -> Result<(), ModelError> {
        use rotary::names;
        let names_of = names::Names::find(self.weights);
        let width = config.width;
        let table =
            self.weights.table(&format!("{}.weight", names_of.embeddings()), config.vocabulary, width)?;
        RowTable::write(&mut self.writer, "tokens", (config.vocabulary, width), |at, out| {
            table.copy_row(at, out);
            out.iter_mut().for_each(|value| *value *= config.embedding_scale);
        })?;
        let rope = |theta: f64| Rope::new(theta, config.heads.width, config.max_positions).into_table();
        self.writer.add("rope.full", &rope(config.full_theta))?;
        if config.layers.iter().any(|sight| matches!(sight, Sight::Window(_))) {
            self.writer.add("rope.sliding", &rope(config.sliding_theta))?;
        }
        for at in 0..config.layers.len() {
            self.rotary_layer(config, &names_of, at)?;
        }
        let mut weight = self.weights.vector(&format!("{}.weight", names_of.last_norm()), width)?;
        weight.iter_mut().for_each(|w| *w += config.norm_offset);
        self.writer.add("norm", &weight)
    }

    fn rotary_layer(
        &mut self,
        config: &rotary::Config,
        names_of: &rotary::names::Names,
        at: usize,
    ) -> Result<(), ModelError> {
        use rotary::names;
        let (width, inner, heads) = (config.width, config.inner_width, config.heads);
        let (queries, keys) = (heads.queries(), heads.keys());
        let source = |part: &str| names_of.layer(at, part);
        let place = |part: &str| format!("layers.{at}.{part}");
        let norm = |name: &str, length: usize, scale: f32| {
            let mut weight = self.weights.vector(&format!("{}.weight", source(name)), length)?;
            weight.iter_mut().for_each(|w| *w = (config.norm_offset + *w) * scale);
            Ok::<_, ModelError>(weight)
        };
        let rows = |parts: &[(&str, usize)], inputs: usize| {
            let mut rows = Vec::new();
            for (part, outputs) in parts {
                self.weights.append(&format!("{}.weight", source(part)), &[*outputs, inputs], &mut rows)?;
            }
            Ok::<_, ModelError>(rows)
        };
        let mut before_attention = norm(config.norms.before_attention, width, 1.0)?;
        let mut before_mlp = norm(config.norms.before_mlp, width, 1.0)?;
        // Rotation keeps lengths, so the scale of the scores can go in here.
        let query_norm = norm(names::QUERY_NORM, heads.width, config.scale)?;
        let key_norm = norm(names::KEY_NORM, heads.width, 1.0)?;
        let after_attention = config.norms.after_attention.map(|name| norm(name, width, 1.0)).transpose()?;
        let after_mlp = config.norms.after_mlp.map(|name| norm(name, width, 1.0)).transpose()?;
        let mut qkv = rows(&[(names::QUERY, queries), (names::KEY, keys), (names::VALUE, keys)], width)?;
        let mut output = rows(&[(names::OUTPUT, width)], queries)?;
        let mut up = rows(&[(names::GATE, inner), (names::UP, inner)], width)?;
        let mut down = rows(&[(names::DOWN, width)], inner)?;

        if let Some(peaks) = &self.peaks {
            let factors = peaks.factors(at, Product::Qkv, &qkv);
            scale_columns(&mut qkv, &factors);
            divide_rows(&mut before_attention, 1, &factors);

            // All heads that share values share their factors.
            let sharing = queries / keys;
            let value_of = |channel: usize| {
                let (head, at) = (channel / heads.width, channel % heads.width);
                head / sharing * heads.width + at
            };
            let factors = peaks.shared_factors(at, Product::Output, &output, value_of);
            let spread: Vec<f32> = (0..queries).filter_map(|at| factors.get(value_of(at)).copied()).collect();
            scale_columns(&mut output, &spread);
            divide_rows(&mut qkv[(queries + keys) * width..], width, &factors);

            let factors = peaks.factors(at, Product::Up, &up);
            scale_columns(&mut up, &factors);
            divide_rows(&mut before_mlp, 1, &factors);

            let factors = peaks.factors(at, Product::Down, &down);
            scale_columns(&mut down, &factors);
            divide_rows(&mut up[inner * width..], width, &factors);
        }

        let norms = [
            ("attention_norm", Some(before_attention)),
            ("after_attention", after_attention),
            ("mlp_norm", Some(before_mlp)),
            ("after_mlp", after_mlp),
            ("query_norm", Some(query_norm)),
            ("key_norm", Some(key_norm)),
        ];
        for (part, weight) in norms {
            if let Some(weight) = weight {
                self.writer.add(&place(part), &weight)?;
            }
        }
        let (whole, blueprint) = (self.packing, self.blueprint);
        let packing = |product| packing_of(whole, blueprint.layers.len(), at, product);
        let writer = &mut self.writer;
        Matrix::write(writer, &place("qkv"), packing(Product::Qkv), (width, queries + 2 * keys), &qkv, &[])?;
        Matrix::write(writer, &place("output"), packing(Product::Output), (queries, width), &output, &[])?;
        // 16 gates and their ups in turns, filled up to whole turns with zeros.
        let padded = padded_inner(self.blueprint);
        let mut turns = vec![0f32; 2 * padded * width];
        for (from, row) in up.chunks_exact(width).enumerate() {
            let (half, at) = (from / inner, from % inner);
            let to = Gated::place(half * padded + at, padded);
            turns[to * width..(to + 1) * width].copy_from_slice(row);
        }
        Matrix::write(writer, &place("up"), packing(Product::Up), (width, 2 * padded), &turns, &[])?;
        Matrix::write(writer, &place("down"), packing(Product::Down), (inner, width), &down, &[])
    }

    fn bert(&mut self, config: &bert::Config) -> Result<(), ModelError> {
        use bert::names;
        let names_of = names::Names::find(self.weights);
        let width = config.width;
        let table =
            |part: &str, rows| self.weights.table(&format!("{}.weight", names_of.of(part)), rows, width);
        let words = table(names::WORDS, config.vocabulary)?;
        RowTable::write(&mut self.writer, "tokens", (config.vocabulary, width), |at, out| {
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
            self.bert_layer(config, &names_of, at)?;
        }
        Ok(())
    }

    fn bert_layer(
        &mut self,
        config: &bert::Config,
        names_of: &bert::names::Names,
        at: usize,
    ) -> Result<(), ModelError> {
        use bert::names;
        let (width, inner) = (config.width, config.inner_width);
        let source = |part: &str| names_of.layer(at, part);
        let place = |part: &str| format!("layers.{at}.{part}");
        let rows = |parts: &[&str], inputs: usize, outputs: usize| {
            let (mut weights, mut biases) = (Vec::new(), Vec::new());
            for part in parts {
                self.weights.append(&format!("{}.weight", source(part)), &[outputs, inputs], &mut weights)?;
                self.weights.append(&format!("{}.bias", source(part)), &[outputs], &mut biases)?;
            }
            Ok::<_, ModelError>((weights, biases))
        };
        let (mut qkv, mut qkv_bias) = rows(&[names::QUERY, names::KEY, names::VALUE], width, width)?;
        let (mut output, output_bias) = rows(&[names::OUTPUT], width, width)?;
        let (up, up_bias) = rows(&[names::UP], width, inner)?;
        let (down, down_bias) = rows(&[names::DOWN], inner, width)?;
        // The other inputs go elsewhere too, or come through a function.
        if let Some(peaks) = &self.peaks {
            let factors = peaks.factors(at, Product::Output, &output);
            scale_columns(&mut output, &factors);
            divide_rows(&mut qkv[2 * width * width..], width, &factors);
            divide_rows(&mut qkv_bias[2 * width..], 1, &factors);
        }
        let (whole, blueprint) = (self.packing, self.blueprint);
        let packing = |product| packing_of(whole, blueprint.layers.len(), at, product);
        let writer = &mut self.writer;
        Matrix::write(writer, &place("qkv"), packing(Product::Qkv), (width, 3 * width), &qkv, &qkv_bias)?;
        Matrix::write(
            writer,
            &place("output"),
            packing(Product::Output),
            (width, width),
            &output,
            &output_bias,
        )?;
        Matrix::write(writer, &place("up"), packing(Product::Up), (width, inner), &up, &up_bias)?;
        Matrix::write(writer, &place("down"), packing(Product::Down), (inner, width), &down, &down_bias)?;
        self.layer_norm(&place("attention_norm"), &source(names::ATTENTION_NORM))?;
        self.layer_norm(&place("mlp_norm"), &source(names::MLP_NORM))
    }

    fn layer_norm(&mut self, place: &str, source: &str) -> Result<(), ModelError> {
        let width = self.blueprint.width;
        self.writer.add(place, &self.weights.vector(&format!("{source}.weight"), width)?)?;
        self.writer.add(&format!("{place}.bias"), &self.weights.vector(&format!("{source}.bias"), width)?)
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
