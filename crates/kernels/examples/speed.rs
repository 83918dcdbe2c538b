//! Speed of the products on the shapes of EmbeddingGemma-300M, per instruction set: `cargo run --release --example
//! speed -p xunpin-kernels`.

use std::time::Instant;

use xunpin_kernels::{Activations, Bf16Matrix, Crew, Gate, Int8Matrix, Isa, Precision, Shared, Store, attention, panel_count, vector};

const SHAPES: [(usize, usize); 4] = [(768, 1280), (768, 768), (768, 2304), (1152, 768)];

fn main() {
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / 8388608.0 - 1.0
    };
    let arguments: Vec<String> = std::env::args().collect();
    let only = |at: usize, name: &str| arguments.get(at).is_none_or(|wanted| wanted == name || wanted == "all");
    let threads = arguments.get(3).and_then(|n| n.parse().ok());
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()));
    let crew = Crew::new(threads).expect("threads");
    // As many layers as do not fit the caches: 24, as in the model.
    let layers: Vec<Vec<_>> = (0..24)
        .map(|_| SHAPES.iter().map(|&(k, n)| Int8Matrix::round(k, n, |_, row| row.iter_mut().for_each(|v| *v = random()))).collect())
        .collect();
    let halves: Vec<Vec<_>> = (0..24)
        .map(|_| SHAPES.iter().map(|&(k, n)| Bf16Matrix::round(k, n, |_, row| row.iter_mut().for_each(|v| *v = random()))).collect())
        .collect();
    for isa in Isa::available().into_iter().filter(|isa| only(1, isa.name())) {
        for precision in [Precision::Int8, Precision::Bf16] {
        for rows in [1usize, 8, 16, 20, 32, 64, 128, 512].into_iter().filter(|rows| only(2, &rows.to_string())) {
            let together = rows < 100;
            let mut activations = Vec::new();
            let copies = if together { 1 } else { crew.size() };
            let outs: Vec<Shared<f32>> = (0..copies).map(|_| Shared::new(rows * 2304)).collect();
            for _ in 0..copies {
                let new = Activations::new(precision, rows, 1152);
                let values: Vec<f32> = (0..1152).map(|_| random()).collect();
                for row in 0..rows {
                    // SAFETY: nobody else is here.
                    unsafe { new.set_row(isa, row, &values) };
                }
                activations.push(new);
            }
            let mut best = f64::MAX;
            for _ in 0..if isa.name() == "plain" { 1 } else { 20 } {
                let started = Instant::now();
                crew.together(0, |member| {
                    let copy = member.index().min(copies - 1);
                    for at in 0..24 {
                        for (which, &(k, n)) in SHAPES.iter().enumerate() {
                            let store = Store { out: &outs[copy], outputs: n, gate: Gate::Identity };
                            let panels = if together { 0..panel_count(n) } else { 0..panel_count(n) };
                            match precision {
                                Precision::Int8 => {
                                    let w = &layers[at][which];
                                    let m = Int8Matrix::new(k, n, &w.weights, &w.scales, &w.sums, &[]).expect("sizes");
                                    // SAFETY: activations are only read.
                                    unsafe { m.multiply(isa, &activations[copy], 0..rows, panels, &store) };
                                }
                                _ => {
                                    let m = Bf16Matrix::new(k, n, &halves[at][which], &[]).expect("sizes");
                                    // SAFETY: activations are only read.
                                    unsafe { m.multiply(isa, &activations[copy], 0..rows, panels, &store) };
                                }
                            }
                        }
                    }
                });
                best = best.min(started.elapsed().as_secs_f64());
            }
            let work: usize = SHAPES.iter().map(|(k, n)| 2 * k * n).sum::<usize>() * 24 * rows * copies;
            println!("{} {precision:?} {rows} rows: {:.0} GOP/s, {:.2} ms", isa.name(), work as f64 / best / 1e9, best * 1e3);
        }
        }
        let a: Vec<f32> = (0..128 * 256).map(|_| random()).collect();
        let mut out = vec![0f32; 128 * 256];
        let started = Instant::now();
        for _ in 0..100 {
            attention::multiply(isa, 99, 256, 48, &a, 256, &a, 48, &mut out, 48);
        }
        println!("  scores {:.1} GFLOP/s", 100.0 * 2.0 * 99.0 * 256.0 * 48.0 / started.elapsed().as_secs_f64() / 1e9);
        let started = Instant::now();
        for _ in 0..100 {
            attention::multiply(isa, 99, 33, 256, &a, 48, &a, 256, &mut out, 256);
        }
        println!("  mixes {:.1} GFLOP/s", 100.0 * 2.0 * 99.0 * 256.0 * 33.0 / started.elapsed().as_secs_f64() / 1e9);
        let mut bytes = vec![0u8; 768];
        let started = Instant::now();
        for _ in 0..10000 {
            std::hint::black_box(vector::round_to_u8(isa, std::hint::black_box(&a[..768]), &mut bytes));
        }
        println!("  round 768: {:.0} ns", started.elapsed().as_nanos() as f64 / 1e4);
        let started = Instant::now();
        for _ in 0..10000 {
            vector::rms_norm(isa, std::hint::black_box(&a[..768]), &a[768..1536], 1e-6, &mut out[..768]);
        }
        println!("  norm 768: {:.0} ns", started.elapsed().as_nanos() as f64 / 1e4);
        let started = Instant::now();
        for _ in 0..1000 {
            out[..768].copy_from_slice(&a[..768]);
            vector::softmax(isa, std::hint::black_box(&mut out[..768]));
        }
        println!("  softmax 768: {:.0} ns", started.elapsed().as_nanos() as f64 / 1e3);
    }
}
