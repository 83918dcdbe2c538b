use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xunpin_core::Role;
use xunpin_kernels::Gate;

use crate::ModelError;
use crate::json::JsonFile;

/// What the JSON files of a sentence-transformers folder say about everything around the language model.
#[derive(Debug)]
pub(crate) struct ModelFolder {
    /// Name of the folder, shown to people.
    pub(crate) name: String,
    /// Where `config.json`, the weights and the tokenizer lie.
    pub(crate) transformer: PathBuf,
    /// The language model's `config.json`.
    pub(crate) config: JsonFile,
    /// How token states become one vector.
    pub(crate) pooling: PoolingConfig,
    /// Layers after the pooling, in order.
    pub(crate) dense: Vec<DenseConfig>,
    /// Texts put before the input.
    pub(crate) prompts: Prompts,
    /// The least of the limits that the folder's files name, in tokens; `None` if they name none.
    pub(crate) max_tokens: Option<usize>,
    /// Whether texts are put in lower case before the tokenizer's own rules apply.
    pub(crate) lower_case: bool,
}

/// `N_Pooling/config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolingConfig {
    /// Length of a token state.
    pub(crate) width: usize,
    pub(crate) mode: PoolingMode,
    /// Whether the prompt's tokens count; true unless the mode is the mean.
    pub(crate) include_prompt: bool,
}

/// Which token states make the vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PoolingMode {
    /// The first one.
    Cls,
    /// The last one.
    LastToken,
    /// Their mean.
    Mean,
}

/// `N_Dense/config.json`.
#[derive(Clone, Debug)]
pub(crate) struct DenseConfig {
    pub(crate) folder: PathBuf,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) bias: bool,
    pub(crate) activation: Gate,
}

/// Prompts by role; an empty one changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Prompts {
    query: String,
    document: String,
}

impl Prompts {
    pub(crate) fn of(&self, role: Role) -> &str {
        match role {
            Role::Query => &self.query,
            Role::Document => &self.document,
            Role::Raw => "",
        }
    }

    /// The inverse of [`to_map`](Self::to_map).
    pub(crate) fn from_map(prompts: &BTreeMap<String, String>) -> Self {
        let of = |role: &str| prompts.get(role).cloned().unwrap_or_default();
        Self { query: of("query"), document: of("document") }
    }

    /// By role's name, as the fingerprint keeps them.
    pub(crate) fn to_map(&self) -> BTreeMap<String, String> {
        [("query", &self.query), ("document", &self.document)]
            .into_iter()
            .map(|(role, prompt)| (role.to_owned(), prompt.clone()))
            .collect()
    }
}

/// One entry of `modules.json`.
struct Module {
    kind: String,
    folder: PathBuf,
    entry: JsonFile,
}

impl ModelFolder {
    /// Reads every configuration file, and no weights.
    pub(crate) fn read(folder: &Path) -> Result<Self, ModelError> {
        if !folder.is_dir() {
            return Err(ModelError::NotAFolder { path: folder.to_owned() });
        }
        let modules = read_modules(folder)?;
        let mut modules = modules.iter().peekable();
        let chain = "one Transformer, one Pooling, any number of Dense, at most one Normalize, in this order";
        let mut next_of = |kind: &str| modules.next_if(|module| module.kind == kind);

        let missing = |kind: &str| {
            let path = folder.join("modules.json");
            ModelError::Field {
                path,
                field: "type".into(),
                problem: format!("no {kind} where one is expected: {chain}"),
            }
        };
        let transformer = next_of("Transformer").ok_or_else(|| missing("Transformer"))?.folder.clone();
        let pooling = read_pooling(next_of("Pooling").ok_or_else(|| missing("Pooling"))?)?;
        let mut dense = Vec::new();
        let mut width = pooling.width;
        while let Some(module) = next_of("Dense") {
            let layer = read_dense(module, width)?;
            width = layer.outputs;
            dense.push(layer);
        }
        // Rows are normalised in any case.
        let _ = next_of("Normalize");
        if let Some(module) = modules.next() {
            return Err(module.entry.unsupported("type", &module.kind, chain));
        }

        let config = JsonFile::read(transformer.join("config.json"))?;
        refuse_unconverted(&transformer)?;
        let limits = read_limits(&transformer)?;
        Ok(Self {
            name: folder_name(folder),
            pooling,
            dense,
            prompts: read_prompts(folder)?,
            max_tokens: limits.max_tokens,
            lower_case: limits.lower_case,
            config,
            transformer,
        })
    }
}

/// The name of a model's folder, shown to people.
pub(crate) fn folder_name(folder: &Path) -> String {
    let real = std::fs::canonicalize(folder).ok();
    let name = real.as_deref().unwrap_or(folder).file_name().unwrap_or(folder.as_os_str());
    name.to_string_lossy().into_owned()
}

fn read_modules(folder: &Path) -> Result<Vec<Module>, ModelError> {
    let file = JsonFile::read(folder.join("modules.json"))?;
    let mut modules = Vec::new();
    for entry in file.elements()? {
        // `sentence_transformers.models.Pooling`; the middle differs between versions.
        let kind: String = entry.required("type")?;
        let kind = kind.rsplit('.').next().unwrap_or_default().to_owned();
        let path: String = entry.optional("path")?.unwrap_or_default();
        let inside = Path::new(&path).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !inside {
            return Err(entry.field_error("path", format!("`{path}` is not a folder inside the model's")));
        }
        modules.push(Module { kind, folder: folder.join(path), entry });
    }
    Ok(modules)
}

/// Files of older models that hold what we read from newer ones.
fn refuse_unconverted(transformer: &Path) -> Result<(), ModelError> {
    let is_file = |name: &&&str| transformer.join(name).is_file();
    let cases: [(&[&str], &[&'static str]); 2] = [
        (&["tokenizer.json"], &["vocab.txt", "sentencepiece.bpe.model", "vocab.json", "tokenizer.model"]),
        (&["model.safetensors", "model.safetensors.index.json"], &["pytorch_model.bin"]),
    ];
    for (needed, older) in cases {
        if let (None, Some(found)) = (needed.iter().find(is_file), older.iter().find(is_file)) {
            return Err(ModelError::Unconverted { path: transformer.join(needed[0]), found });
        }
    }
    Ok(())
}

fn read_pooling(module: &Module) -> Result<PoolingConfig, ModelError> {
    let file = JsonFile::read(module.folder.join("config.json"))?;
    let mode = read_pooling_mode(&file)?;
    let include_prompt = file.optional("include_prompt")?.unwrap_or(true);
    if !include_prompt && mode != PoolingMode::Mean {
        return Err(file.unsupported("include_prompt", "false", "true, and false with mean pooling"));
    }
    let renamed = file.optional::<usize>("embedding_dimension")?;
    let width = match renamed {
        Some(_) => file.size("embedding_dimension")?,
        None => file.size("word_embedding_dimension")?,
    };
    Ok(PoolingConfig { width, mode, include_prompt })
}

/// Newer folders name the mode, older ones have a flag for each.
fn read_pooling_mode(file: &JsonFile) -> Result<PoolingMode, ModelError> {
    const SUPPORTED: &str = "one of cls, lasttoken and mean";
    if let Some(mode) = file.optional::<String>("pooling_mode")? {
        return match mode.as_str() {
            "cls" => Ok(PoolingMode::Cls),
            "lasttoken" => Ok(PoolingMode::LastToken),
            "mean" => Ok(PoolingMode::Mean),
            _ => Err(file.unsupported("pooling_mode", &mode, SUPPORTED)),
        };
    }
    let flags = [
        ("pooling_mode_cls_token", Some(PoolingMode::Cls)),
        ("pooling_mode_lasttoken", Some(PoolingMode::LastToken)),
        ("pooling_mode_mean_tokens", Some(PoolingMode::Mean)),
        ("pooling_mode_max_tokens", None),
        ("pooling_mode_mean_sqrt_len_tokens", None),
        ("pooling_mode_weightedmean_tokens", None),
    ];
    let mut chosen = None;
    for (flag, mode) in flags {
        if file.optional::<bool>(flag)? == Some(true) {
            // Several at once are put one after another, which makes longer vectors.
            if mode.is_none() || chosen.is_some() {
                return Err(file.unsupported(flag, "true", SUPPORTED));
            }
            chosen = mode;
        }
    }
    match chosen {
        Some(mode) => Ok(mode),
        None if file.optional("pooling_mode_mean_tokens")? == Some(false) => {
            Err(file.unsupported("pooling_mode_mean_tokens", "false", SUPPORTED))
        }
        None => Ok(PoolingMode::Mean),
    }
}

fn read_dense(module: &Module, width: usize) -> Result<DenseConfig, ModelError> {
    let file = JsonFile::read(module.folder.join("config.json"))?;
    file.expect("use_residual", false, "false")?;
    let activation: String = file.required("activation_function")?;
    let activation = match activation.rsplit('.').next() {
        Some("Identity") => Gate::Identity,
        Some("Tanh") => Gate::Tanh,
        _ => return Err(file.unsupported("activation_function", &activation, "Identity, Tanh")),
    };
    let inputs = file.size("in_features")?;
    if inputs != width {
        let problem = format!("{inputs} does not follow the {width} values of the layer before");
        return Err(file.field_error("in_features", problem));
    }
    Ok(DenseConfig {
        folder: module.folder.clone(),
        inputs,
        outputs: file.size("out_features")?,
        bias: file.optional("bias")?.unwrap_or(true),
        activation,
    })
}

fn read_prompts(folder: &Path) -> Result<Prompts, ModelError> {
    let Some(file) = JsonFile::read_optional(folder.join("config_sentence_transformers.json"))? else {
        return Ok(Prompts::default());
    };
    let mut prompts: BTreeMap<String, String> = file.optional("prompts")?.unwrap_or_default();
    let mut first_of =
        |names: &[&str]| names.iter().find_map(|name| prompts.remove(*name)).unwrap_or_default();
    // The names sentence-transformers tries for a document, in its order.
    Ok(Prompts { query: first_of(&["query"]), document: first_of(&["document", "passage", "corpus"]) })
}

/// What the transformer's own files say about its input.
struct Limits {
    max_tokens: Option<usize>,
    lower_case: bool,
}

fn read_limits(transformer: &Path) -> Result<Limits, ModelError> {
    let mut limits = Vec::new();
    let mut lower_case = false;
    if let Some(file) = JsonFile::read_optional(transformer.join("sentence_bert_config.json"))? {
        lower_case = file.optional("do_lower_case")?.unwrap_or(false);
        if file.optional::<usize>("max_seq_length")?.is_some() {
            limits.push(file.size("max_seq_length")?);
        }
    }
    if let Some(file) = JsonFile::read_optional(transformer.join("tokenizer_config.json"))? {
        // "No limit" is written as a number of thirty digits.
        let limit = file.optional::<f64>("model_max_length")?.filter(|limit| (1.0..1e9).contains(limit));
        limits.extend(limit.map(|limit| limit as usize));
    }
    Ok(Limits { max_tokens: limits.into_iter().min(), lower_case })
}
