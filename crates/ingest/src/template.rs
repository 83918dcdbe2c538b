use std::fmt;

use serde::{Deserialize, Serialize};
use xunpin_core::{AttributeValue, EncodeError, Encoder, Product};
use xxhash_rust::xxh3::xxh3_128;

use crate::text::collapse;

/// A part of the text that is embedded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The title.
    Title,
    /// The brand, unless the title has it.
    Brand,
    /// The last three steps of the category path, without those that the title or a later step has.
    Category,
    /// Attributes, `名:值,值` each, by name.
    Attributes,
    /// The tags that the title does not have.
    Tags,
    /// As much of the description as fits.
    Description,
}

/// Renders products as the text that is embedded. Prices, stock, dates and unknown columns are never part of it: they
/// change often and mean nothing to the model. The same product always gives the same text.
///
/// Parts are separated by one space, white space is collapsed, control characters go. A yes/no attribute is its name
/// if true and `无` before its name if false (`不` before 含, 可 and 能; `no` before an English name): shops state
/// what is absent where that is the point, as in 无酒精.
///
/// An index stores the template of its texts; where that is not equal to the one in use, texts have to be rendered and
/// embedded again.
///
/// ```
/// use xunpin_core::{AttributeValue, Product};
/// use xunpin_ingest::Template;
///
/// let mut product = Product::new("1", "宽松 牛仔外套");
/// product.brand = Some("Lumira".into());
/// product.category = vec!["服饰".into(), "女装".into(), "外套".into()];
/// product.price = Some(199.0);
/// product.attributes.insert("颜色".into(), vec![AttributeValue::Text("白".into()), AttributeValue::Text("蓝".into())]);
/// product.attributes.insert("加绒".into(), vec![AttributeValue::Bool(false)]);
/// assert_eq!(Template::default().compose(&product), "宽松 牛仔外套 Lumira 服饰 女装 无加绒 颜色:白,蓝");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    version: u32,
    parts: Vec<Part>,
    max_tokens: usize,
}

/// Raised whenever the same product would give another text.
const VERSION: u32 = 1;

/// Text beyond this many bytes a token is cut before tokens are counted; no text is that dense for long.
const BYTES_PER_TOKEN: usize = 32;

const CATEGORY_STEPS: usize = 3;

impl Default for Template {
    /// Title, brand, category, attributes, tags and description, 256 tokens.
    fn default() -> Self {
        use Part::*;
        Self::new(vec![Title, Brand, Category, Attributes, Tags, Description], 256)
    }
}

impl Template {
    /// A template of the given parts, in that order, and at most `max_tokens` tokens, not counting the model's prompt.
    pub fn new(parts: Vec<Part>, max_tokens: usize) -> Self {
        Self { version: VERSION, parts, max_tokens }
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Most tokens of a text, not counting the model's prompt.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The text of `product`, cut at the token limit. Short texts are not split into tokens at all: a token is at
    /// least one byte.
    pub fn render(&self, product: &Product, encoder: &dyn Encoder) -> Result<String, EncodeError> {
        let mut text = self.compose(product);
        if text.len() >= self.max_tokens {
            let kept = encoder.fit(&text, self.max_tokens)?.trim_end().len();
            text.truncate(kept);
        }
        Ok(text)
    }

    /// The text of `product` before it is cut at the token limit.
    pub fn compose(&self, product: &Product) -> String {
        let max_bytes = self.max_tokens.saturating_mul(BYTES_PER_TOKEN);
        let title = collapse(&product.title);
        let known = title.to_lowercase();
        let mut text = String::new();
        let mut push = |piece: &str| {
            if !piece.is_empty() && text.len() < max_bytes {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(piece);
            }
        };
        for part in &self.parts {
            match part {
                Part::Title => push(&title),
                Part::Brand => {
                    let brand = product.brand.as_deref().unwrap_or_default();
                    brand_names(brand)
                        .filter(|name| !mentions(&known, name))
                        .for_each(|name| push(&collapse(name)));
                }
                Part::Category => category(&product.category, &known).for_each(|step| push(&collapse(step))),
                Part::Attributes => {
                    for (name, values) in &product.attributes {
                        push(&attribute(&collapse(name), values));
                    }
                }
                Part::Tags => {
                    product
                        .tags
                        .iter()
                        .filter(|tag| !mentions(&known, tag))
                        .for_each(|tag| push(&collapse(tag)));
                }
                Part::Description => {
                    let whole = product.description.as_deref().unwrap_or_default();
                    push(&collapse(&whole[..whole.floor_char_boundary(max_bytes)]));
                }
            }
        }
        text.truncate(text.floor_char_boundary(max_bytes));
        text
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template {}:", self.version)?;
        for part in &self.parts {
            write!(f, " {}", format!("{part:?}").to_lowercase())?;
        }
        write!(f, ", {} tokens", self.max_tokens)
    }
}

/// Names a rendered text: XXH3-128 of its bytes. A product whose text has the same hash is not embedded again.
pub fn content_hash(text: &str) -> u128 {
    xxh3_128(text.as_bytes())
}

/// The names in a brand written as `CHANDO/自然堂` or `雅漾（Avene）`.
fn brand_names(brand: &str) -> impl Iterator<Item = &str> {
    brand.split(['/', '|', '(', ')', '（', '）']).map(str::trim).filter(|name| !name.is_empty())
}

fn category<'a>(path: &'a [String], known: &'a str) -> impl Iterator<Item = &'a String> {
    let last = &path[path.len().saturating_sub(CATEGORY_STEPS)..];
    last.iter().enumerate().filter_map(move |(at, step)| {
        let later = last[at + 1..].iter().any(|other| other.contains(step.as_str()));
        (!later && !mentions(known, step)).then_some(step)
    })
}

fn attribute(name: &str, values: &[AttributeValue]) -> String {
    match values {
        [] => String::new(),
        [AttributeValue::Bool(true)] => plain_name(name).to_owned(),
        [AttributeValue::Bool(false)] => absence(plain_name(name)),
        values => {
            let mut text = name.to_owned();
            for (at, value) in values.iter().enumerate() {
                text.push(if at == 0 { ':' } else { ',' });
                text.push_str(&collapse(&value.to_string()));
            }
            text
        }
    }
}

/// `是否防水` asks; `防水` says.
fn plain_name(name: &str) -> &str {
    match name.strip_prefix("是否") {
        Some(rest) if !rest.is_empty() => rest,
        _ => name,
    }
}

/// How the absence of what `name` says is written; nothing where the name itself is a negation.
fn absence(name: &str) -> String {
    if name.starts_with(['无', '不', '非', '免', '零']) {
        String::new()
    } else if name.is_ascii() {
        format!("no {name}")
    } else if name.starts_with(['含', '可', '能']) {
        format!("不{name}")
    } else if let Some(rest) = name.strip_prefix('有') {
        format!("无{rest}")
    } else {
        format!("无{name}")
    }
}

/// Whether `text`, in lower case, holds `term`. A term in Latin letters or digits has to stand as a word: AI is not in
/// HAIR.
fn mentions(text: &str, term: &str) -> bool {
    let term = collapse(term).to_lowercase();
    if term.is_empty() {
        return true;
    }
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.match_indices(term.as_str()).any(|(at, _)| {
        let joined_before = is_word(text[..at].chars().next_back()) && is_word(term.chars().next());
        let joined_after =
            is_word(text[at + term.len()..].chars().next()) && is_word(term.chars().next_back());
        !joined_before && !joined_after
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use xunpin_core::{Fingerprint, Matrix, Role};

    /// One token a character.
    #[derive(Default)]
    struct Characters(AtomicUsize);

    impl Encoder for Characters {
        fn fingerprint(&self) -> &Fingerprint {
            unreachable!("not asked for by templates")
        }
        fn encode(&self, _: &[&str], _: Role) -> Result<Matrix, EncodeError> {
            unreachable!("not asked for by templates")
        }
        fn count_tokens(&self, text: &str, _: Role) -> Result<usize, EncodeError> {
            Ok(text.chars().count())
        }
        fn fit<'a>(&self, text: &'a str, max_tokens: usize) -> Result<&'a str, EncodeError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(&text[..text.char_indices().nth(max_tokens).map_or(text.len(), |(at, _)| at)])
        }
    }

    fn product(json: serde_json::Value) -> Product {
        serde_json::from_value(json).unwrap()
    }

    fn text(json: serde_json::Value) -> String {
        Template::default().compose(&product(json))
    }

    #[test]
    fn a_title_alone_is_the_text() {
        let json = serde_json::json!({"id": "1", "title": " 面霜\u{3000}50g\n补水\u{0}  ", "price": 9, "stock": 3,
            "updated_at": "2016/11/12", "currency": "CNY", "shop": "自然堂", "sale_count": "7"});
        assert_eq!(text(json), "面霜 50g 补水");
    }

    #[test]
    fn what_the_title_has_is_not_repeated() {
        let json = serde_json::json!({"id": "1", "title": "CHANDO 雪域精华 hair", "brand": "Chando/自然堂",
            "category": ["美妆", "护肤", "精华", "面部精华"], "tags": ["补水", "雪域", "AI"]});
        assert_eq!(text(json), "CHANDO 雪域精华 hair 自然堂 护肤 面部精华 补水 AI");
    }

    #[test]
    fn attributes_by_kind() {
        let json = serde_json::json!({"id": "1", "title": "t", "attributes": {"防水": [true], "酒精": [false],
            "含香精": [false], "有机": [false], "是否预售": [false], "无硅油": [false], "vegan": [false],
            "净含量": [30], "颜色": ["白 色", "蓝"]}});
        let mut words: Vec<_> = text(json).split(' ').map(str::to_owned).collect();
        words.sort();
        let mut expected = [
            "t",
            "防水",
            "无酒精",
            "不含香精",
            "无机",
            "无预售",
            "no",
            "vegan",
            "净含量:30",
            "颜色:白",
            "色,蓝",
        ];
        expected.sort();
        assert_eq!(words, expected);
    }

    #[test]
    fn descriptions_are_cut_and_short_texts_are_not_counted() {
        let encoder = Characters::default();
        let template = Template::default();
        let short = product(serde_json::json!({"id": "1", "title": "面霜", "description": "滋润"}));
        assert_eq!(template.render(&short, &encoder).unwrap(), "面霜 滋润");
        assert_eq!(encoder.0.load(Ordering::Relaxed), 0);
        let long =
            product(serde_json::json!({"id": "1", "title": "面霜", "description": "滋润 ".repeat(200_000)}));
        let text = template.render(&long, &encoder).unwrap();
        assert!(text.starts_with("面霜 滋润 滋润") && text.trim_end() == text);
        assert!((255..=256).contains(&text.chars().count()));
        assert_eq!(encoder.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn templates_are_stored_and_compared() {
        let json = serde_json::to_string(&Template::default()).unwrap();
        let stored: Template = serde_json::from_str(&json).unwrap();
        assert_eq!(stored, Template::default());
        assert_ne!(stored, Template::new(vec![Part::Title], 256));
        assert_eq!(
            stored.to_string(),
            "template 1: title brand category attributes tags description, 256 tokens"
        );
        let older: Template = serde_json::from_str(&json.replace("\"version\":1", "\"version\":0")).unwrap();
        assert_ne!(older, Template::default());
        assert_eq!(content_hash("面霜"), content_hash("面霜"));
        assert_ne!(content_hash("面霜"), content_hash("面霜 "));
    }
}
