mod cell;
mod child;
mod cold;
mod embed;
mod generate;
mod lengths;
mod random;
mod recombine;
mod search;

pub(crate) use cell::cell;
pub(crate) use child::tell;
pub(crate) use cold::cold;
pub(crate) use embed::embed;
pub(crate) use generate::generate;
pub(crate) use search::search;

/// `value` to so many digits after the point.
fn round(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
