use xunpin_kernels::{Isa, Precision, Store};

use super::blueprint::{Blueprint, Norms, Positions};
use super::format::{Contents, Span};
use super::matrix::Matrix;
use super::table::RowTable;
use crate::ModelError;
use crate::layers::Sight;

/// A model that runs where it lies in its file.
pub(crate) struct PackedModel {
    pub(super) blueprint: Blueprint,
    pub(super) isa: Isa,
    pub(super) tokens: RowTable,
    /// Rows for places, the token type's included, and the norm after the sum; none where positions are rotary.
    pub(super) places: Option<(Span<f32>, Norm)>,
    pub(super) layers: Vec<Layer>,
    /// None where each layer ends with a norm.
    pub(super) last_norm: Option<Norm>,
    /// Angles of all places; see [`Rope::into_table`](crate::layers::Rope::into_table).
    pub(super) full_rope: Option<Span<f32>>,
    /// For layers with a window, if there are any.
    pub(super) sliding_rope: Option<Span<f32>>,
    pub(super) dense: Vec<Matrix>,
}

pub(super) struct Layer {
    pub(super) sight: Sight,
    /// Of an RMS norm before the attention, or the layer norm after it.
    pub(super) attention_norm: Norm,
    pub(super) qkv: Matrix,
    /// Of each query and key head; none where there are no norms of heads.
    pub(super) head_norms: Option<(Span<f32>, Span<f32>)>,
    pub(super) output: Matrix,
    pub(super) after_attention: Option<Norm>,
    pub(super) mlp_norm: Norm,
    /// Of a gated layer 16 gates and their 16 ups alternate.
    pub(super) up: Matrix,
    pub(super) down: Matrix,
    pub(super) after_mlp: Option<Norm>,
}

/// Weights of a norm.
pub(super) struct Norm {
    pub(super) weight: Span<f32>,
    /// Of a layer norm.
    pub(super) bias: Option<Span<f32>>,
}

impl Norm {
    fn read(contents: &Contents, name: &str, width: usize) -> Result<Self, ModelError> {
        let bias = format!("{name}.bias");
        Ok(Self {
            weight: contents.span(name, width)?,
            bias: contents.contains(&bias).then(|| contents.span(&bias, width)).transpose()?,
        })
    }
}

/// Values to which an inner row of a gated layer is filled up, so that gates and ups share panels.
pub(super) fn padded_inner(blueprint: &Blueprint) -> usize {
    if blueprint.gated { blueprint.inner_width.next_multiple_of(16) } else { blueprint.inner_width }
}

impl PackedModel {
    /// Finds all weights in the file.
    pub(crate) fn read(contents: &Contents) -> Result<Self, ModelError> {
        let blueprint = contents.header.blueprint.clone();
        let (width, heads) = (blueprint.width, blueprint.heads);
        let rope = |name: &str| contents.span(name, blueprint.max_positions * heads.width);
        let windows = blueprint.layers.iter().any(|sight| matches!(sight, Sight::Window(_)));
        let (places, full_rope, sliding_rope) = match blueprint.positions {
            Positions::Rotary { .. } => {
                (None, Some(rope("rope.full")?), windows.then(|| rope("rope.sliding")).transpose()?)
            }
            Positions::Table { rows, .. } => {
                let norm = Norm::read(contents, "places.norm", width)?;
                (Some((contents.span("places", rows * width)?, norm)), None, None)
            }
        };
        let dense = blueprint.dense.iter().enumerate();
        let dense = dense
            .map(|(at, dense)| Matrix::read(contents, &format!("dense.{at}"), dense.inputs, dense.outputs));
        let layers = (0..blueprint.layers.len()).map(|at| Layer::read(contents, &blueprint, at));
        Ok(Self {
            isa: Isa::detect(),
            tokens: RowTable::read(contents, "tokens", blueprint.vocabulary, width)?,
            places,
            layers: layers.collect::<Result<_, _>>()?,
            last_norm: match blueprint.norms {
                Norms::After => None,
                _ => Some(Norm::read(contents, "norm", width)?),
            },
            full_rope,
            sliding_rope,
            dense: dense.collect::<Result<_, _>>()?,
            blueprint,
        })
    }

    /// The format that the layers' activations take.
    pub(super) fn precision(&self) -> Precision {
        self.layers.first().map_or(Precision::Bf16, |layer| layer.qkv.precision())
    }

    /// The format that the pooled rows take before the dense layers.
    pub(super) fn dense_precision(&self) -> Precision {
        self.dense.first().map_or(Precision::Bf16, Matrix::precision)
    }

    /// The angles of a place in a layer of that sight; none where positions are not rotary.
    pub(super) fn angles(&self, sight: Sight, place: usize) -> Option<&[f32]> {
        let rope = match sight {
            Sight::Window(_) => self.sliding_rope.as_ref(),
            _ => self.full_rope.as_ref(),
        };
        let width = self.blueprint.heads.width;
        rope.map(|rope| &rope.get()[place * width..(place + 1) * width])
    }
}

impl Layer {
    fn read(contents: &Contents, blueprint: &Blueprint, at: usize) -> Result<Self, ModelError> {
        let (width, heads) = (blueprint.width, blueprint.heads);
        let inner = padded_inner(blueprint);
        let name = |part: &str| format!("layers.{at}.{part}");
        let matrix =
            |part: &str, inputs: usize, outputs: usize| Matrix::read(contents, &name(part), inputs, outputs);
        let norm = |part: &str| Norm::read(contents, &name(part), width);
        let around = blueprint.norms == Norms::Around;
        let rotary = matches!(blueprint.positions, Positions::Rotary { .. });
        let head_norm = |part: &str| contents.span(&name(part), heads.width);
        Ok(Self {
            sight: blueprint.layers[at],
            attention_norm: norm("attention_norm")?,
            qkv: matrix("qkv", width, blueprint.qkv_width())?,
            head_norms: if rotary { Some((head_norm("query_norm")?, head_norm("key_norm")?)) } else { None },
            output: matrix("output", heads.queries(), width)?,
            after_attention: around.then(|| norm("after_attention")).transpose()?,
            mlp_norm: norm("mlp_norm")?,
            up: matrix("up", width, if blueprint.gated { 2 * inner } else { inner })?,
            down: matrix("down", blueprint.inner_width, width)?,
            after_mlp: around.then(|| norm("after_mlp")).transpose()?,
        })
    }
}

/// Products written as they are.
pub(super) fn store<'a>(
    out: &'a xunpin_kernels::Shared<f32>,
    matrix: &Matrix,
    gate: xunpin_kernels::Gate,
) -> Store<'a> {
    Store { out, outputs: matrix.outputs(), gate }
}
