use serde::{Deserialize, Serialize};
use xunpin_kernels::Gate;

use crate::bert;
use crate::folder::{ModelFolder, PoolingConfig};
use crate::layers::{HeadShape, Sight};
use crate::rotary;

/// A transformer as the packed engine runs it: every supported architecture is one of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Blueprint {
    pub(crate) vocabulary: usize,
    /// Longest text in tokens.
    pub(crate) max_positions: usize,
    /// Length of a token's state.
    pub(crate) width: usize,
    /// Length of the feed-forward layer between.
    pub(crate) inner_width: usize,
    pub(crate) heads: HeadShape,
    pub(crate) positions: Positions,
    /// Where the norms of a layer are.
    pub(crate) norms: Norms,
    /// Of every norm.
    pub(crate) eps: f32,
    /// One entry a layer: how far a token sees.
    pub(crate) layers: Vec<Sight>,
    /// Between the products of the feed-forward layer.
    pub(crate) function: Gate,
    /// Whether that function's result is multiplied with a second product.
    pub(crate) gated: bool,
    pub(crate) pooling: PoolingConfig,
    /// Layers after the pooling.
    pub(crate) dense: Vec<DenseShape>,
}

/// How a token's place goes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Positions {
    /// Queries and keys are normed and turned; the base of the frequencies in layers without and with a window.
    Rotary { full_theta: f64, sliding_theta: f64 },
    /// A table's row is added to the token's; `padding` as in [`bert::Config`].
    Table { rows: usize, padding: Option<u32> },
}

/// Where the norms of a layer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Norms {
    /// RMS norms before each branch, and one after the last layer.
    Before,
    /// The same, and one after each branch before it is added.
    Around,
    /// Layer norms after each sum, and one before the first layer.
    After,
}

/// A dense layer after the pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DenseShape {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) activation: Gate,
}

impl Blueprint {
    /// Of a model with rotary positions.
    pub(crate) fn of_rotary(config: &rotary::Config, folder: &ModelFolder) -> Self {
        Self {
            vocabulary: config.vocabulary,
            max_positions: config.max_positions,
            width: config.width,
            inner_width: config.inner_width,
            heads: config.heads,
            positions: Positions::Rotary {
                full_theta: config.full_theta,
                sliding_theta: config.sliding_theta,
            },
            norms: if config.norms.after_attention.is_some() { Norms::Around } else { Norms::Before },
            eps: config.eps as f32,
            layers: config.layers.clone(),
            function: config.gate,
            gated: true,
            pooling: folder.pooling.clone(),
            dense: dense_shapes(folder),
        }
    }

    /// Of a model of BERT's family.
    pub(crate) fn of_bert(config: &bert::Config, folder: &ModelFolder) -> Self {
        Self {
            vocabulary: config.vocabulary,
            max_positions: config.max_positions(),
            width: config.width,
            inner_width: config.inner_width,
            heads: config.heads,
            positions: Positions::Table { rows: config.position_rows, padding: config.padding },
            norms: Norms::After,
            eps: config.eps as f32,
            layers: vec![Sight::Full; config.layers],
            function: config.function,
            gated: false,
            pooling: folder.pooling.clone(),
            dense: dense_shapes(folder),
        }
    }

    /// Values of a token's queries, keys and values together.
    pub(crate) fn qkv_width(&self) -> usize {
        self.heads.queries() + 2 * self.heads.keys()
    }

    /// Length of the vectors that come out.
    pub(crate) fn dimension(&self) -> usize {
        self.dense.last().map_or(self.width, |dense| dense.outputs)
    }

    /// Whether all sizes can be run without leaving a table or the range of addresses; what reads a file made elsewhere
    /// asks this first.
    pub(crate) fn check(&self) -> Result<(), String> {
        const MOST: usize = 1 << 24;
        let HeadShape { heads, kv_heads, width: head_width } = self.heads;
        let sizes =
            [self.vocabulary, self.max_positions, self.width, self.inner_width, heads, kv_heads, head_width];
        let outputs = self.dense.iter().map(|dense| dense.outputs);
        let reasonable = |size: usize| (1..=MOST).contains(&size);
        if !sizes.into_iter().chain(outputs).all(reasonable)
            || self.layers.len() > 4096
            || self.dense.len() > 4096
            || heads.saturating_mul(head_width) > MOST
        {
            return Err("a size is zero or beyond reason".into());
        }
        if !heads.is_multiple_of(kv_heads) {
            return Err(format!("{kv_heads} key heads don't divide {heads} query heads"));
        }
        match self.positions {
            Positions::Rotary { .. } if !head_width.is_multiple_of(2) => {
                return Err(format!("heads of {head_width} values have no pairs to turn"));
            }
            Positions::Rotary { .. } => {}
            Positions::Table { rows, padding } => {
                // Positions begin after the row of the padding.
                let first = padding.map_or(0, |padding| padding as usize + 1);
                if !reasonable(rows) || rows.saturating_sub(first) < self.max_positions {
                    return Err(format!("{rows} rows of positions are too few or beyond reason"));
                }
            }
        }
        if self.layers.contains(&Sight::Window(0)) {
            return Err("a window of no tokens".into());
        }
        let mut width = self.width;
        for dense in &self.dense {
            if dense.inputs != width {
                return Err("the dense layers don't follow one another".into());
            }
            width = dense.outputs;
        }
        if self.pooling.width != self.width {
            return Err("the pooling has another width than the states".into());
        }
        Ok(())
    }
}

fn dense_shapes(folder: &ModelFolder) -> Vec<DenseShape> {
    let shape = |dense: &crate::folder::DenseConfig| DenseShape {
        inputs: dense.inputs,
        outputs: dense.outputs,
        activation: dense.activation,
    };
    folder.dense.iter().map(shape).collect()
}
