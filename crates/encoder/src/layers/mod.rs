//! What the layers of several architectures are made of: attention over packed texts, rotary positions, norms, and
//! the functions between two products.

mod attention;
mod norm;
mod point;
mod rope;

pub(crate) use attention::{HeadShape, Heads, Sight};
pub(crate) use norm::{LayerNorm, RmsNorm};
pub(crate) use point::Nonlinearity;
pub(crate) use rope::Rope;
