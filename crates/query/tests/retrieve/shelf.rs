//! Products in memory: everything is looked for in the plainest way.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use xunpin_core::{
    AttributeValue, DocId, DocSet, ExactKind, ExactMatch, Field, Filter, Matrix, Neighbor, Product,
    TextMatch, TextMatches,
};
use xunpin_query::{Column, Columns, Nearest, NearestPlan, ProductSource, StaticNearest, Strategy};

#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum ShelfError {
    #[error("{0} is broken")]
    Broken(&'static str),
    #[error("no column for `{0}`")]
    NoColumn(Field),
}

type Products = Vec<Option<Product>>;

/// What happens to the products while a search goes on.
type Change = Box<dyn FnOnce(&mut Products)>;

/// A product's number is its position. Its vector counts the letters a to d of its title, its words are those of title
/// and brand, the attribute `型号` is its model number.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) products: RefCell<Products>,
    pub(crate) generation: Cell<u64>,
    /// The method that fails.
    pub(crate) broken: Option<&'static str>,
    /// Happens once the match set is found, before products and vectors of the best are read.
    pub(crate) meanwhile: RefCell<Option<Change>>,
    /// How often the nearest were asked for, and how.
    pub(crate) plans: RefCell<Vec<NearestPlan>>,
    /// How many products were read.
    pub(crate) read: Cell<usize>,
    /// Every cosine that the sides give is this.
    pub(crate) cosine: Option<f32>,
}

pub(crate) fn product(id: &str, title: &str, price: f64) -> Product {
    Product { price: Some(price), ..Product::new(id, title) }
}

/// Of unit length; zero without one of the letters.
pub(crate) fn letters(text: &str) -> Vec<f32> {
    let count = |letter| text.chars().filter(|&c| c == letter).count() as f32;
    let counts = ['a', 'b', 'c', 'd'].map(count);
    let norm = counts.iter().map(|v| v * v).sum::<f32>().sqrt();
    counts.iter().map(|v| if norm > 0.0 { v / norm } else { 0.0 }).collect()
}

/// The different words of a text, in its order.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace().map(str::to_lowercase) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

fn words_of(product: &Product) -> Vec<String> {
    words(&format!("{} {}", product.title, product.brand.as_deref().unwrap_or_default()))
}

fn model_number(product: &Product) -> Option<String> {
    match product.attributes.get("型号")?.first()? {
        AttributeValue::Text(text) => Some(text.to_lowercase()),
        _ => None,
    }
}

impl Shelf {
    pub(crate) fn new(products: impl IntoIterator<Item = Product>) -> Self {
        Self {
            products: RefCell::new(products.into_iter().map(Some).collect()),
            generation: Cell::new(7),
            ..Self::default()
        }
    }

    /// Products `p000`, `p001` and so on with those titles and the price of their number.
    pub(crate) fn of_titles<'a>(titles: impl IntoIterator<Item = &'a str>) -> Self {
        let numbered = titles.into_iter().enumerate();
        Self::new(numbered.map(|(n, title)| product(&format!("p{n:03}"), title, n as f64)))
    }

    fn check(&self, method: &'static str) -> Result<(), ShelfError> {
        if self.broken == Some(method) { Err(ShelfError::Broken(method)) } else { Ok(()) }
    }

    /// The products that there are and pass.
    fn each(&self, allowed: Option<&DocSet>) -> Vec<(DocId, Product)> {
        let products = self.products.borrow();
        let numbered = (0..).map(DocId).zip(products.iter());
        numbered
            .filter(|(doc, _)| allowed.is_none_or(|set| set.contains(*doc)))
            .filter_map(|(doc, product)| Some((doc, product.clone()?)))
            .collect()
    }

    fn find_nearest(&self, query: &[f32], depth: usize, allowed: Option<&DocSet>) -> Vec<Neighbor> {
        let cosine = |product: &Product| letters(&product.title).iter().zip(query).map(|(a, b)| a * b).sum();
        let mut neighbors: Vec<Neighbor> = (self.each(allowed).iter())
            .map(|(id, product)| Neighbor { id: *id, score: self.cosine.unwrap_or_else(|| cosine(product)) })
            .collect();
        neighbors.sort_by(Neighbor::order);
        neighbors.truncate(depth);
        // The order is the caller's business.
        neighbors.reverse();
        neighbors
    }

    fn change(&self) {
        if let Some(change) = self.meanwhile.take() {
            change(&mut self.products.borrow_mut());
            self.generation.set(self.generation.get() + 1);
        }
    }
}

impl ProductSource for Shelf {
    type Error = ShelfError;

    fn generation(&self) -> u64 {
        self.generation.get()
    }

    fn allowed(&self, filter: &Filter) -> Result<Arc<DocSet>, ShelfError> {
        self.check("allowed")?;
        let passing = self.each(None).into_iter().filter(|(_, product)| filter.matches(product));
        Ok(Arc::new(passing.map(|(doc, _)| doc).collect()))
    }

    fn encode(&self, query: &str) -> Result<Vec<f32>, ShelfError> {
        self.check("encode")?;
        Ok(letters(query))
    }

    fn nearest(
        &self,
        query: &[f32],
        plan: &NearestPlan,
        allowed: Option<&DocSet>,
    ) -> Result<Nearest, ShelfError> {
        self.check("nearest")?;
        self.plans.borrow_mut().push(*plan);
        let neighbors = self.find_nearest(query, plan.depth, allowed);
        Ok(Nearest { neighbors, strategy: Strategy::Exact })
    }

    fn vectors(&self, docs: &[DocId]) -> Result<Matrix, ShelfError> {
        self.check("vectors")?;
        self.change();
        let products = self.products.borrow();
        let row = |doc: &DocId| products[doc.index()].as_ref().map_or(vec![0.0; 4], |p| letters(&p.title));
        Ok(Matrix::new(docs.iter().flat_map(row).collect(), 4))
    }

    /// A word is worth its idf, however often it stands in a product.
    fn text_matches(&self, query: &str) -> Result<TextMatches, ShelfError> {
        self.check("text_matches")?;
        let products: Vec<(DocId, Vec<String>)> =
            self.each(None).iter().map(|(doc, product)| (*doc, words_of(product))).collect();
        let names: Vec<String> = (self.each(None).iter())
            .flat_map(|(_, p)| [p.brand.as_deref().map(str::to_lowercase), model_number(p)])
            .flatten()
            .collect();
        let terms = words(query);
        let idf = |word: &String| {
            let holding = products.iter().filter(|(_, words)| words.contains(word)).count() as f32;
            ((products.len() as f32 - holding + 0.5) / (holding + 0.5)).ln_1p()
        };
        let idf: Vec<f32> = terms.iter().map(idf).collect();
        let mass: f32 = idf.iter().sum();
        let mut matches = Vec::new();
        for (doc, words) in &products {
            let held: Vec<bool> = terms.iter().map(|term| words.contains(term)).collect();
            let score: f32 = idf.iter().zip(&held).filter(|(_, held)| **held).map(|(idf, _)| idf).sum();
            if held.contains(&true) {
                matches.push(TextMatch { doc: *doc, score, coverage: (score / mass).min(1.0) });
            }
        }
        Ok(TextMatches { matches, terms: terms.len(), names: terms.iter().any(|term| names.contains(term)) })
    }

    fn exact_matches(&self, query: &str) -> Result<Vec<ExactMatch>, ShelfError> {
        self.check("exact_matches")?;
        let terms = words(query);
        let mut found = Vec::new();
        for (doc, product) in self.each(None) {
            let brand = product.brand.as_deref().map(str::to_lowercase);
            let kinds = [
                (brand.is_some_and(|brand| brand == query.to_lowercase()), ExactKind::Brand),
                (terms.contains(&product.id.to_lowercase()), ExactKind::Id),
                (model_number(&product).is_some_and(|m| terms.contains(&m)), ExactKind::ModelNumber),
            ];
            found.extend(kinds.iter().filter(|(is, _)| *is).map(|(_, kind)| ExactMatch { doc, kind: *kind }));
        }
        Ok(found)
    }

    /// Knows the words of the letters a to d.
    fn static_nearest(
        &self,
        query: &str,
        depth: usize,
        allowed: Option<&DocSet>,
    ) -> Result<StaticNearest, ShelfError> {
        self.check("static_nearest")?;
        let (known, unknown): (Vec<String>, Vec<String>) =
            words(query).into_iter().partition(|word| word.chars().all(|c| matches!(c, 'a'..='d')));
        let neighbors = match known.is_empty() {
            true => Vec::new(),
            false => self.find_nearest(&letters(&known.concat()), depth, allowed),
        };
        Ok(StaticNearest { neighbors, unknown_words: unknown })
    }

    fn column(&self, field: &Field) -> Result<Arc<Column>, ShelfError> {
        self.check("column")?;
        let columns = Columns::build(std::slice::from_ref(field), |visit| {
            self.each(None).iter().for_each(|(doc, product)| visit(*doc, product));
            Ok(())
        })?;
        columns.column(field).cloned().ok_or_else(|| ShelfError::NoColumn(field.clone()))
    }

    fn find(&self, ids: &[String]) -> Result<Vec<Option<DocId>>, ShelfError> {
        self.check("find")?;
        let products = self.each(None);
        let find = |id: &String| products.iter().find(|(_, product)| product.id == *id).map(|(doc, _)| *doc);
        Ok(ids.iter().map(find).collect())
    }

    fn products(&self, docs: &[DocId]) -> Result<Vec<Option<Product>>, ShelfError> {
        self.check("products")?;
        self.change();
        self.read.set(self.read.get() + docs.len());
        let products = self.products.borrow();
        Ok(docs.iter().map(|doc| products[doc.index()].clone()).collect())
    }
}
