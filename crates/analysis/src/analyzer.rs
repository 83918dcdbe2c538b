use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use jieba_rs::Jieba;

use crate::normalize::{is_hanzi, normalize};
use crate::segment::segment;
use crate::stop_words::is_stop_word;
use crate::term::{Term, TermKind, Terms};

/// Longest word, in characters, that is added to the dictionary; longer ones are phrases.
pub const MAX_WORD_CHARS: usize = 12;

/// Cuts text into words. Cheap to clone; may be used from many threads.
#[derive(Clone)]
pub struct Analyzer {
    inner: Arc<Inner>,
}

struct Inner {
    jieba: Jieba,
    dictionary: Vec<String>,
}

impl Analyzer {
    /// An analyser that knows jieba's own words and `words`, such as a catalogue's brands and attribute values, brought
    /// to normal form. Ignored are words without Hanzi (letters and digits are cut by rule), of one character, of more
    /// than [`MAX_WORD_CHARS`], and with anything but Hanzi, letters and digits in them. The order does not matter.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let words: BTreeSet<String> = words.into_iter().map(normalize).filter(|w| is_addable(w)).collect();
        let mut jieba = plain_jieba().clone();
        for word in &words {
            // Without a frequency jieba takes the lowest one that keeps the word whole.
            jieba.add_word(word, None, None);
        }
        Self { inner: Arc::new(Inner { jieba, dictionary: words.into_iter().collect() }) }
    }

    /// The added words, sorted: `Analyzer::new` of them gives the same analyser.
    pub fn dictionary(&self) -> &[String] {
        &self.inner.dictionary
    }

    /// The text's words in order, without overlap, in normal form; punctuation is dropped. `WH-1000XM5` is
    /// `wh1000xm5`, `50 毫升` is `50ml`.
    pub fn words(&self, text: &str) -> Vec<String> {
        let text = normalize(text);
        segment(&self.inner.jieba, &text).iter().map(|s| s.word(&text)).collect()
    }

    /// The terms a text is indexed under: each word, then its parts at the same position.
    pub fn terms(&self, text: &str) -> Vec<Term> {
        let text = normalize(text);
        let mut terms = Terms::default();
        for word in segment(&self.inner.jieba, &text) {
            word.terms(&self.inner.jieba, &text, &mut terms);
        }
        terms.into_list()
    }

    /// The terms a query is searched by: [`terms`](Self::terms) without stop words and their parts, unless nothing
    /// would be left.
    pub fn query_terms(&self, text: &str) -> Vec<Term> {
        let all = self.terms(text);
        let mut stopped = None;
        let kept: Vec<Term> = all
            .iter()
            .filter(|term| {
                let stop = is_stop_word(&term.text);
                // The whole comes first at its position.
                if stop && matches!(term.kind, TermKind::Word) {
                    stopped = Some(term.position);
                }
                !stop && stopped != Some(term.position)
            })
            .cloned()
            .collect();
        if kept.is_empty() { all } else { kept }
    }
}

impl Default for Analyzer {
    /// An analyser with jieba's own words alone.
    fn default() -> Self {
        Self::new([])
    }
}

impl fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Analyzer").field("added_words", &self.inner.dictionary.len()).finish_non_exhaustive()
    }
}

/// jieba with its own dictionary. Unpacking it takes far longer than copying it.
fn plain_jieba() -> &'static Jieba {
    static PLAIN: OnceLock<Jieba> = OnceLock::new();
    PLAIN.get_or_init(Jieba::new)
}

fn is_addable(word: &str) -> bool {
    (2..=MAX_WORD_CHARS).contains(&word.chars().count())
        && word.chars().any(is_hanzi)
        && word.chars().all(|c| is_hanzi(c) || c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn analyzer() -> &'static Analyzer {
        static ANALYZER: OnceLock<Analyzer> = OnceLock::new();
        ANALYZER.get_or_init(|| {
            Analyzer::new([
                "露弥芙",
                "包裹A醇",
                "神經酰胺",
                "神经酰胺精华",
                "BB霜",
                "敏感肌",
                "12",
                "水",
                "no hanzi",
            ])
        })
    }

    fn words(text: &str) -> String {
        analyzer().words(text).join(" ")
    }

    fn terms(text: &str) -> Vec<String> {
        analyzer().terms(text).into_iter().map(|t| t.text).collect()
    }

    #[track_caller]
    fn holds(text: &str, expected: &[&str]) {
        let terms = terms(text);
        for term in expected {
            assert!(terms.iter().any(|t| t == term), "{text}: {term} is not in {terms:?}");
        }
    }

    #[test]
    fn the_dictionary_is_given_back_sorted_and_makes_the_same_analyser() {
        assert_eq!(
            analyzer().dictionary(),
            ["bb霜", "包裹a醇", "敏感肌", "神经酰胺", "神经酰胺精华", "露弥芙"]
        );
        let again = Analyzer::new(analyzer().dictionary().iter().map(String::as_str));
        let text = "露弥芙神经酰胺精华BB霜敏感肌可用";
        assert_eq!(again.terms(text), analyzer().terms(text));
        assert!(Analyzer::default().dictionary().is_empty());
    }

    #[test]
    fn words_do_not_overlap() {
        for (text, expected) in [
            ("露弥芙 溫和A醇精華，30ml！", "露弥芙 温和 a醇 精华 30ml"),
            ("SK-II神仙水 230 毫升", "skii 神仙 水 230ml"),
            ("维C精华 纯棉T恤 BB霜", "维c 精华 纯棉 t恤 bb霜"),
            ("防晒霜SPF50+ PA+++", "防晒霜 spf50+ pa+++"),
            ("烟酰胺5% 面膜5片", "烟酰胺 5% 面膜 5片"),
            ("🙂 ，。!", ""),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn long_words_are_met_by_their_parts() {
        holds("神经酰胺精华", &["神经酰胺精华", "神经酰胺", "神经", "精华"]);
        holds("包裹A醇", &["包裹a醇", "包裹", "醇"]);
        holds("男士洗面奶", &["男士", "洗面奶"]);
    }

    #[test]
    fn guessed_words_are_met_by_their_pairs() {
        let plain = Analyzer::default();
        for term in plain.terms("玻色因") {
            assert!(plain.terms("3%玻色因紧致面霜").iter().any(|t| t.text == term.text), "{}", term.text);
        }
        // jieba cuts 遮瑕 into characters in most places.
        assert!(plain.terms("遮瑕好的气垫").iter().any(|t| t.text == "遮瑕"));
        assert!(!plain.terms("水的霜").iter().any(|t| t.kind == TermKind::SubWord));
    }

    #[test]
    fn model_numbers_and_sizes() {
        for query in ["wh1000xm5", "WH 1000XM5", "1000xm5", "wh-1000xm5", "XM5"] {
            for text in ["索尼WH-1000XM5耳机", "索尼WH1000XM5耳机"] {
                let held = terms(text);
                assert!(terms(query).iter().any(|t| held.contains(t) && t.contains("xm5")), "{query} {text}");
            }
        }
        holds("SPF50+", &["spf50+", "spf50", "spf", "50"]);
        for spelling in ["50ml", "50 ML", "50毫升", "５０ｍｌ", "50㎖"] {
            assert_eq!(terms(spelling), ["50ml", "50", "ml"], "{spelling}");
        }
        assert_eq!(terms("40ml+20ml"), ["40ml", "40", "ml", "20ml", "20", "ml"]);
        assert_eq!(terms("0.1%"), ["0.1%", "0.1"]);
        assert_eq!(terms("SK-II"), ["skii", "sk", "ii"]);
        assert_eq!(terms("sk2"), ["sk2", "sk"]);
        holds("面膜25片装", &["25片", "25"]);
        assert_eq!(terms("3 l'oreal"), ["3", "loreal", "oreal"]);
    }

    #[test]
    fn letters_join_the_word_they_touch() {
        holds("温和A醇精华", &["a醇", "醇", "温和", "精华"]);
        holds("维C精华", &["维c", "精华"]);
        holds("维生素C精华", &["维生素c", "维生素", "精华"]);
        holds("纯棉t恤", &["t恤"]);
        holds("b5面膜", &["b5", "面膜"]);
        holds("好用的A醇", &["a醇"]);
        assert!(!terms("温和A醇精华").contains(&"a".to_owned()));
        assert_eq!(terms("a 醇"), ["a", "醇"]);
    }

    #[test]
    fn kinds_tell_wholes_from_parts() {
        use TermKind::*;
        let kinds = |text: &str| analyzer().terms(text).into_iter().map(|t| t.kind).collect::<Vec<_>>();
        assert_eq!(kinds("wh-1000xm5"), [Code, Part, Part, Part, Part, Part]);
        assert_eq!(kinds("50ml"), [Number, Part, Part]);
        assert_eq!(kinds("敏感肌"), [Word, SubWord]);
        let positions: Vec<u32> = analyzer().terms("敏感肌 50ml 水").iter().map(|t| t.position).collect();
        assert_eq!(positions, [0, 0, 1, 1, 1, 2]);
    }

    #[test]
    fn queries_lose_their_asking() {
        let kept = |text: &str| {
            let terms = analyzer().query_terms(text);
            terms.iter().filter(|t| t.kind != TermKind::SubWord).map(|t| t.text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(kept("请问有没有敏感肌用的面霜"), ["敏感肌", "面霜"]);
        assert_eq!(kept("求推荐一款便宜的口红"), ["便宜", "口红"]);
        assert_eq!(kept("有没有"), ["有没有"], "nothing else is left");
        assert!(kept("").is_empty());
    }

    #[test]
    fn shared_between_threads() {
        fn check<T: Send + Sync + Clone>(_: &T) {}
        check(analyzer());
    }

    fn any_text() -> impl Strategy<Value = String> {
        let shop = "(露弥芙|a醇|维c|t恤|bb霜|50ml|5片|WH-1000XM5|spf50\\+|0\\.1%|精华|敏感肌|[一-龥]{1,4}|[a-z]{1,3}|[0-9.]{1,4}| |-|的){0,12}";
        prop_oneof!["\\PC{0,40}", "[\\s\\S]{0,40}", shop]
    }

    proptest! {
        #[test]
        fn any_text_is_cut(text in any_text()) {
            let terms = analyzer().terms(&text);
            let words = analyzer().words(&text);
            prop_assert!(terms.iter().all(|t| !t.text.is_empty() && !t.text.contains(char::is_whitespace)));
            // One whole a position, and the wholes are the words.
            let mut wholes: Vec<(u32, &str)> = terms.iter().map(|t| (t.position, t.text.as_str())).collect();
            wholes.dedup_by_key(|w| w.0);
            prop_assert!(wholes.iter().enumerate().all(|(at, w)| w.0 as usize == at));
            prop_assert_eq!(wholes.iter().map(|w| w.1).collect::<Vec<_>>(), words);
        }

        #[test]
        fn a_text_finds_itself(text in any_text()) {
            let terms = analyzer().terms(&text);
            let query = analyzer().query_terms(&text);
            prop_assert!(query.iter().all(|q| terms.contains(q)));
            prop_assert_eq!(query.is_empty(), terms.is_empty());
        }

        #[test]
        fn spelling_does_not_matter(text in any_text()) {
            prop_assert_eq!(analyzer().terms(&normalize(&text)), analyzer().terms(&text));
        }
    }
}
