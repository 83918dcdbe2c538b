//! Factors that even out the inputs of 8-bit products, at no cost when the model runs.
//!
//! A few channels of a layer's input are many times larger than the rest, and a scale a token must cover them. A factor
//! `s` a channel makes them smaller and the weights that meet them larger: `(x / s) · (W s) = x · W`. Dividing `x` is free,
//! because the weights of what makes it are known: a norm before queries and keys or gate and up, the rows of the
//! values before the output, the rows of up before down. Where the input comes from something else, it is left as it is.
//!
//! `s = a^e / c^(1-e)` with `a` the channel's greatest value over [`TEXTS`] and `c` the length of its column of weights,
//! after SmoothQuant (Xiao et al. 2022, which takes the column's greatest weight). Exponents by product: [`exponent`].

use std::collections::BTreeMap;

use crate::ModelError;
use crate::backbone::Product;
use crate::batch::PackedTokens;
use crate::source::Source;
use crate::tokenizer::TextTokenizer;
use xunpin_core::Role;

/// What the model reads to tell large channels from small ones: sentences of many trades, not from any collection that
/// measures it.
const TEXTS: &str = include_str!("calibration.txt");

/// Texts run at a time.
const BATCH: usize = 16;

/// Greatest absolute values of the inputs of a model's products, by channel.
pub(super) struct Peaks {
    of: BTreeMap<(usize, Product), Vec<f32>>,
}

impl Peaks {
    /// Runs the model in f32 over the texts, each as a document and as a query.
    pub(super) fn measure(source: &Source, tokenizer: &TextTokenizer) -> Result<Self, ModelError> {
        let path = source.folder.transformer.join("tokenizer.json");
        let backbone = source.architecture.load(&source.weights)?;
        let mut ids = Vec::new();
        for role in [Role::Document, Role::Query] {
            for text in TEXTS.lines() {
                let text = format!("{}{text}", source.folder.prompts.of(role));
                let new = tokenizer.ids(&text, 0);
                let failed = |error| ModelError::Tokenizer { path: path.clone(), source: Box::new(error) };
                ids.push(new.map_err(failed)?);
            }
        }
        let heads = source.architecture.heads();
        let (width, inner) = (source.architecture.width(), source.architecture.inner_width());
        let mut of = BTreeMap::new();
        for batch in ids.chunks(BATCH) {
            let batch = PackedTokens::new(batch.iter().map(Vec::as_slice));
            backbone.forward(&batch, &mut |layer, product, rows| {
                let width = match product {
                    Product::Qkv | Product::Up => width,
                    Product::Output => heads.queries(),
                    Product::Down => inner,
                };
                let peaks: &mut Vec<f32> = of.entry((layer, product)).or_insert_with(|| vec![0.0; width]);
                for row in rows.chunks_exact(width) {
                    for (peak, value) in peaks.iter_mut().zip(row) {
                        *peak = peak.max(value.abs());
                    }
                }
            })?;
        }
        Ok(Self { of })
    }

    /// The factors of a product's input, `weights` being the rows that it meets.
    pub(super) fn factors(&self, layer: usize, product: Product, weights: &[f32]) -> Vec<f32> {
        self.shared_factors(layer, product, weights, |channel| channel)
    }

    /// The same where several channels share a factor: those of one `group`. One factor a group, in order.
    pub(super) fn shared_factors(
        &self,
        layer: usize,
        product: Product,
        weights: &[f32],
        group: impl Fn(usize) -> usize,
    ) -> Vec<f32> {
        let Some(peaks) = self.of.get(&(layer, product)) else { return Vec::new() };
        let groups = (0..peaks.len()).map(&group).max().map_or(0, |last| last + 1);
        let (mut greatest, mut squares) = (vec![0f32; groups], vec![0f64; groups]);
        for (channel, peak) in peaks.iter().enumerate() {
            greatest[group(channel)] = greatest[group(channel)].max(*peak);
        }
        for row in weights.chunks_exact(peaks.len()) {
            for (channel, weight) in row.iter().enumerate() {
                squares[group(channel)] += f64::from(*weight) * f64::from(*weight);
            }
        }
        let exponent = exponent(product);
        let logs = greatest.iter().zip(&squares).map(|(greatest, square)| {
            let column = square.sqrt();
            let usable = *greatest > 0.0 && column > 0.0 && greatest.is_finite() && column.is_finite();
            usable.then(|| exponent * f64::from(*greatest).log2() - (1.0 - exponent) * column.log2())
        });
        let logs: Vec<Option<f64>> = logs.collect();
        let count = logs.iter().flatten().count().max(1);
        let mean = logs.iter().flatten().sum::<f64>() / count as f64;
        // In quarters of a doubling, so that a last bit in the measurement changes nothing.
        let factor = |log: f64| (((log - mean) * 4.0).round() / 4.0).exp2() as f32;
        logs.into_iter().map(|log| log.map_or(1.0, factor)).collect()
    }
}

/// How much of a channel's size goes over to the weights; chosen by the local error of each product of EmbeddingGemma
/// on other texts.
fn exponent(product: Product) -> f64 {
    match product {
        Product::Qkv => 0.6,
        Product::Output => 0.65,
        Product::Up => 0.55,
        Product::Down => 0.38,
    }
}

/// Multiplies the columns of `[.., factors.len()]` weights by their factors.
pub(super) fn scale_columns(weights: &mut [f32], factors: &[f32]) {
    if factors.is_empty() {
        return;
    }
    for row in weights.chunks_exact_mut(factors.len()) {
        row.iter_mut().zip(factors).for_each(|(weight, factor)| *weight *= factor);
    }
}

/// Divides values, or rows of `width` weights, by their factors.
pub(super) fn divide_rows(rows: &mut [f32], width: usize, factors: &[f32]) {
    for (row, factor) in rows.chunks_exact_mut(width).zip(factors) {
        row.iter_mut().for_each(|weight| *weight /= factor);
    }
}
