//! What the layers of several architectures are made of: attention over packed texts, rotary positions, norms, and
//! the functions between two products.

mod attention;
pub(crate) mod gate;
mod norm;
mod rope;

pub(crate) use attention::{HeadShape, Heads, Sight};
pub(crate) use norm::{LayerNorm, RmsNorm};
pub(crate) use rope::Rope;
