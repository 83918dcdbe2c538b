mod embed;
mod generate;
mod random;
mod recombine;
mod search;

pub(crate) use embed::embed;
pub(crate) use generate::generate;
pub(crate) use search::search;

/// `value` to so many digits after the point.
fn round(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
