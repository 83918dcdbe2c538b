//! What a transformer, and a search among the vectors that it made, need to run fast on a CPU.
//!
//! * [`Int8Matrix`] and [`Bf16Matrix`]: weights of a linear layer in panels that a kernel reads from front to back, also
//!   straight from a mapped file; [`Activations`]: rows made ready to be multiplied with them.
//! * [`vector`]: norms, softmax, gates and rotations, one pass over a row each.
//! * [`coding`]: vectors to codes of 8 bits.
//! * [`product`]: inner products of stored vectors, in 8 bits and in half precision.
//! * [`attention`]: products of f32 blocks, small and dense.
//! * [`Crew`]: threads that do one thing together, step by step.
//!
//! Everything exists for several instruction sets ([`Isa`]), chosen when the program runs.

// Unsafe code is for three things, each with its reason where it stands: instructions that not every processor has, places
// of a buffer that several threads write to at once, and loads whose bounds a loop has made sure of.
#![deny(unsafe_code)]

#[allow(unsafe_code)] // rows of a buffer that several threads fill
mod activations;
#[allow(unsafe_code)] // loads within a block, chosen instructions
pub mod attention;
#[allow(unsafe_code)] // chosen instructions, shared rows
mod bf16;
#[allow(unsafe_code)] // chosen instructions, loads within an array, a conversion whose range is known
pub mod coding;
#[allow(unsafe_code)] // shared rows
mod finish;
#[allow(unsafe_code)] // chosen instructions
mod gate;
#[allow(unsafe_code)] // chosen instructions, shared rows
mod int8;
#[allow(unsafe_code)] // chosen instructions
mod isa;
mod panels;
#[allow(unsafe_code)] // chosen instructions, loads within a block
pub mod product;
#[allow(unsafe_code)] // the buffer itself
mod shared;
mod team;
#[allow(unsafe_code)] // chosen instructions
pub mod vector;

pub use activations::{Activations, Precision};
pub use bf16::Bf16Matrix;
pub use finish::{Finish, Gated, Store};
pub use gate::Gate;
pub use int8::{GROUP, Int8Matrix, Int8Weights, group_count, round_row};
pub use isa::Isa;
pub(crate) use isa::for_each_isa;
pub use panels::{PANEL, panel_count};
pub use shared::Shared;
pub use team::{Crew, CrewError, Member};
