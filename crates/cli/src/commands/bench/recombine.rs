//! New products out of real ones. A generated product has two or three parents:
//!
//! * its title is as long as the first parent's, of words drawn from all their titles, none twice; its description
//!   likewise;
//! * brand, category, price, tags, stock and each attribute are those of one parent or another; columns that are none of
//!   these are the first parent's;
//! * its vector is a [`blend`] of theirs.
//!
//! So words are as frequent as in the real catalogue, vectors lie where real ones do, and products that share words also
//! lie near each other, as far as they do in reality.

use xunpin::Product;
use xunpin_analysis::{Analyzer, is_hanzi};

use super::blend::blend;
use super::random::Random;

/// A real product, cut up.
pub(super) struct Source {
    pub(super) product: Product,
    pub(super) vector: Vec<f32>,
    title: Vec<String>,
    description: Vec<String>,
}

impl Source {
    pub(super) fn new(product: Product, vector: Vec<f32>, analyzer: &Analyzer) -> Self {
        let title = analyzer.words(&product.title);
        let description = analyzer.words(product.description.as_deref().unwrap_or_default());
        Self { product, vector, title, description }
    }
}

/// Product number `at` under `seed`, with its vector. There must be a source.
pub(super) fn recombine(sources: &[Source], seed: u64, at: usize) -> Option<(Product, Vec<f32>)> {
    let mut random = Random::of(seed, at as u64);
    let parents: Vec<&Source> = (0..2 + random.below(2)).filter_map(|_| random.pick(sources)).collect();
    let first = parents.first()?;
    let mut product = Product::new(format!("g{at:07}"), title(&parents, &mut random));
    let mut parent = || random.pick(&parents).map_or(&first.product, |source| &source.product);
    product.brand = parent().brand.clone();
    product.category = parent().category.clone();
    let priced = parent();
    product.price = priced.price;
    product.currency = priced.currency.clone();
    product.tags = parent().tags.clone();
    product.stock = parent().stock;
    product.updated_at = parent().updated_at.clone();
    product.extra = first.product.extra.clone();
    for name in parents.iter().flat_map(|source| source.product.attributes.keys()) {
        // An attribute that the parent drawn lacks is left out, as shops do.
        if let Some(values) = parent().attributes.get(name) {
            product.attributes.insert(name.clone(), values.clone());
        }
    }
    let lists: Vec<&[String]> = parents.iter().map(|source| source.description.as_slice()).collect();
    let description = mix(&lists, &mut random);
    product.description = (!description.is_empty()).then_some(description);
    let vectors: Vec<&[f32]> = parents.iter().map(|source| source.vector.as_slice()).collect();
    let vector = blend(&vectors, &mut random)?;
    Some((product, vector))
}

/// A title of at least one word: the first parent's own where nothing can be drawn.
fn title(parents: &[&Source], random: &mut Random) -> String {
    let lists: Vec<&[String]> = parents.iter().map(|source| source.title.as_slice()).collect();
    let title = mix(&lists, random);
    if title.is_empty() {
        parents.iter().map(|p| p.product.title.clone()).next().unwrap_or_default()
    } else {
        title
    }
}

/// As many words as the first list has, drawn from all of them, none twice; joined as they are written, with a blank
/// where letters or digits would otherwise run together.
fn mix(lists: &[&[String]], random: &mut Random) -> String {
    let mut drawn: Vec<&str> = Vec::new();
    for _ in 0..lists.first().map_or(0, |list| list.len()) {
        let word = random.pick(lists).and_then(|list| random.pick(list));
        if let Some(word) = word.filter(|word| !drawn.contains(&word.as_str())) {
            drawn.push(word);
        }
    }
    let mut text = String::new();
    for word in drawn {
        let hanzi = |c: Option<char>| c.is_none_or(is_hanzi);
        if !hanzi(text.chars().last()) && !hanzi(word.chars().next()) {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<Source> {
        let analyzer = Analyzer::default();
        let vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.6, 0.8]];
        ["温和A醇精华 30ml 夜间修护", "清爽防晒乳 SPF50+ 户外", "儿童雨鞋 防滑 雨天"]
            .iter()
            .zip(vectors)
            .map(|(title, vector)| {
                let mut product = Product::new("s", *title);
                product.brand = Some(title.chars().take(2).collect());
                product.price = Some(title.len() as f64);
                Source::new(product, vector.to_vec(), &analyzer)
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_products() {
        let sources = sources();
        let make = |seed| (0..50).map(|at| recombine(&sources, seed, at).unwrap()).collect::<Vec<_>>();
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
        let bits = |(_, vector): &(Product, Vec<f32>)| vector.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(
            make(7).iter().map(bits).collect::<Vec<_>>(),
            make(7).iter().map(bits).collect::<Vec<_>>()
        );
    }

    #[test]
    fn products_are_made_of_real_words_and_lie_among_real_vectors() {
        let sources = sources();
        let words: Vec<&String> = sources.iter().flat_map(|s| &s.title).collect();
        let analyzer = Analyzer::default();
        let mut titles = std::collections::BTreeSet::new();
        for at in 0..100 {
            let (product, vector) = recombine(&sources, 1, at).unwrap();
            product.validate().unwrap();
            assert_eq!(product.id, format!("g{at:07}"));
            let length: f32 = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
            assert!((length - 1.0).abs() < 1e-5);
            let near = sources.iter().map(|s| s.vector.iter().zip(&vector).map(|(a, b)| a * b).sum::<f32>());
            assert!(near.fold(-1.0, f32::max) > 0.4, "{vector:?}");
            assert!(sources.iter().any(|s| s.product.price == product.price));
            let known = analyzer.words(&product.title).iter().filter(|w| words.contains(w)).count();
            assert!(known > 0, "{}", product.title);
            titles.insert(product.title);
        }
        assert!(titles.len() > 50, "{} different titles", titles.len());
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(recombine(&[], 1, 0), None);
    }
}
