//! The functions between two products, for all rows of a batch, and what files call them.

use xunpin_kernels::{Gate, Isa, vector};

use crate::blocks::for_each_block;

/// The function that configurations of transformers give this name.
pub(crate) fn gate_named(name: &str) -> Option<Gate> {
    match name {
        "gelu" | "gelu_python" => Some(Gate::Gelu),
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Some(Gate::GeluTanh),
        "relu" => Some(Gate::Relu),
        "silu" | "swish" => Some(Gate::Silu),
        _ => None,
    }
}

/// The name of a function in a fingerprint's settings.
pub(crate) fn gate_name(gate: Gate) -> &'static str {
    match gate {
        Gate::Gelu => "gelu",
        Gate::GeluTanh => "gelu-tanh",
        Gate::Relu => "relu",
        Gate::Silu => "silu",
        Gate::Tanh => "tanh",
        _ => "identity",
    }
}

/// The function of every value, row after row of `width` values.
pub(crate) fn apply(gate: Gate, values: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for_each_block(&mut out, width, |first, block| {
        block.copy_from_slice(&values[first * width..][..block.len()]);
        vector::apply(Isa::detect(), gate, block);
    });
    out
}

/// The function of the gate times up, for rows of `[gate | up]`, each `width` long.
pub(crate) fn apply_gated(gate: Gate, gate_up: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; gate_up.len() / 2];
    for_each_block(&mut out, width, |first, block| {
        let rows = gate_up[first * 2 * width..].chunks_exact(2 * width);
        for (out, row) in block.chunks_exact_mut(width).zip(rows) {
            let (values, up) = row.split_at(width);
            out.copy_from_slice(values);
            vector::apply(Isa::detect(), gate, out);
            vector::multiply(Isa::detect(), up, out);
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_all_blocks_go_through_the_function() {
        let values: Vec<f32> = (0..3 * 40).map(|at| at as f32 / 30.0 - 2.0).collect();
        let mut want = values.clone();
        vector::apply(Isa::detect(), Gate::Silu, &mut want);
        assert_eq!(apply(Gate::Silu, &values, 3), want);
        // Each row's second half is a factor.
        let gate_up: Vec<f32> = values.chunks(3).flat_map(|row| [row, &[2.0, 0.0, -1.0]].concat()).collect();
        let gated = apply_gated(Gate::Silu, &gate_up, 3);
        let factors = [2.0, 0.0, -1.0].into_iter().cycle();
        assert!(
            gated.iter().zip(want.iter().zip(factors)).all(|(got, (value, factor))| *got == value * factor)
        );
    }

    #[test]
    fn every_name_means_one_function() {
        for (name, gate) in [("gelu", Gate::Gelu), ("relu", Gate::Relu), ("silu", Gate::Silu)] {
            assert_eq!((gate_named(name), gate_name(gate)), (Some(gate), name));
        }
        assert_eq!(gate_named("gelu_new").map(gate_name), Some("gelu-tanh"));
        assert_eq!(gate_named("quick_gelu"), None);
        // As prepared files hold them.
        let kept = [Gate::Gelu, Gate::GeluTanh, Gate::Relu, Gate::Silu, Gate::Tanh, Gate::Identity];
        let json = serde_json::to_string(&kept).unwrap();
        assert_eq!(json, r#"["gelu","gelu_tanh","relu","silu","tanh","identity"]"#);
    }
}
