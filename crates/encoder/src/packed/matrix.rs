use std::ops::Range;

use xunpin_kernels::{Activations, Bf16Matrix, Finish, Int8Matrix, Isa, Precision, panel_count};

use super::format::{Contents, Span, Writer};
use crate::ModelError;

/// Weights of a linear layer in a mapped file.
pub(crate) struct Matrix {
    inputs: usize,
    outputs: usize,
    weights: Weights,
    /// Empty for none.
    bias: Option<Span<f32>>,
}

enum Weights {
    Int8 { numbers: Span<i8>, scales: Span<f32>, sums: Span<f32> },
    Bf16(Span<u16>),
}

impl Matrix {
    /// Writes the sections of layer `name`, `weights` being `[outputs, inputs]` and `bias` of `outputs` or empty.
    pub(crate) fn write(
        writer: &mut Writer,
        name: &str,
        precision: Precision,
        (inputs, outputs): (usize, usize),
        weights: &[f32],
        bias: &[f32],
    ) -> Result<(), ModelError> {
        let row = |output: usize, out: &mut [f32]| out.copy_from_slice(&weights[output * inputs..][..inputs]);
        match precision {
            Precision::Bf16 => {
                writer.add(&format!("{name}.bf16"), &Bf16Matrix::round(inputs, outputs, row))?;
            }
            _ => {
                let rounded = Int8Matrix::round(inputs, outputs, row);
                writer.add(&format!("{name}.int8"), &rounded.weights)?;
                writer.add(&format!("{name}.scales"), &rounded.scales)?;
                writer.add(&format!("{name}.sums"), &rounded.sums)?;
            }
        }
        if !bias.is_empty() {
            writer.add(&format!("{name}.bias"), bias)?;
        }
        Ok(())
    }

    /// Finds the sections of layer `name`, in whichever format they are.
    pub(crate) fn read(
        contents: &Contents,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, ModelError> {
        let halves = format!("{name}.bf16");
        let weights = if contents.contains(&halves) {
            Weights::Bf16(contents.span(&halves, Bf16Matrix::packed_len(inputs, outputs))?)
        } else {
            Weights::Int8 {
                numbers: contents.span(&format!("{name}.int8"), Int8Matrix::packed_len(inputs, outputs))?,
                scales: contents.span(&format!("{name}.scales"), Int8Matrix::scales_len(inputs, outputs))?,
                sums: contents.span(&format!("{name}.sums"), Int8Matrix::scales_len(inputs, outputs))?,
            }
        };
        let bias = format!("{name}.bias");
        let bias = contents.contains(&bias).then(|| contents.span(&bias, outputs)).transpose()?;
        Ok(Self { inputs, outputs, weights, bias })
    }

    /// The format of the weights, and so that of the activations.
    pub(crate) fn precision(&self) -> Precision {
        match self.weights {
            Weights::Int8 { .. } => Precision::Int8,
            Weights::Bf16(_) => Precision::Bf16,
        }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Pieces that the outputs can be divided into.
    pub(crate) fn panels(&self) -> usize {
        panel_count(self.outputs)
    }

    /// See [`Int8Matrix::multiply`].
    ///
    /// # Safety
    /// While this runs nobody may write to the activations.
    pub(crate) unsafe fn multiply(
        &self,
        isa: Isa,
        activations: &Activations,
        rows: Range<usize>,
        panels: Range<usize>,
        finish: &impl Finish,
    ) {
        let bias = self.bias.as_ref().map_or(&[][..], Span::get);
        // The lengths were checked when the layer was read, so there always is a matrix.
        match &self.weights {
            Weights::Int8 { numbers, scales, sums } => {
                let matrix =
                    Int8Matrix::new(self.inputs, self.outputs, numbers.get(), scales.get(), sums.get(), bias);
                if let Some(matrix) = matrix {
                    // SAFETY: the caller keeps writers away.
                    unsafe { matrix.multiply(isa, activations, rows, panels, finish) };
                }
            }
            Weights::Bf16(halves) => {
                if let Some(matrix) = Bf16Matrix::new(self.inputs, self.outputs, halves.get(), bias) {
                    // SAFETY: the caller keeps writers away.
                    unsafe { matrix.multiply(isa, activations, rows, panels, finish) };
                }
            }
        }
    }
}
