//! The engine for devices: models in candle's tensor operations alone, so that they run wherever candle does.
//!
//! [`TensorEngine`] pads the texts of a batch to the longest ([`padded`]), runs the model ([`rotary`] or [`bert`], from the
//! same configurations, names and files as the other engines), pools the states and applies the dense layers, all on the
//! device; ids go there, vectors come back. Products with weights are computed in the precision's numbers, all
//! the rest in f32.

mod attention;
mod bert;
mod engine;
mod loader;
mod padded;
mod parts;
mod rotary;
#[cfg(test)]
mod tests;

pub(crate) use engine::TensorEngine;
pub(crate) use loader::Target;

/// A language model on a device; what [`Backbone`](crate::backbone::Backbone) is in main memory.
trait Model: Send + Sync {
    /// The states after the last layer and norm, `[texts * longest, width]` in f32. Those of padding mean nothing, but are
    /// finite, and those of a text don't depend on other texts or on padding.
    fn forward(&self, batch: &padded::Padded<'_>) -> candle_core::Result<candle_core::Tensor>;
}
