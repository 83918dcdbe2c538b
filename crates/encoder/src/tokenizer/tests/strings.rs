//! The same tokens as the library gives, on strings made to be difficult.

use proptest::prelude::*;

use super::{Both, fixture, gemma, small};

/// Pieces that meet each other in a string: added tokens and their beginnings, white space, marks, joiners.
const PIECES: [&str; 52] = [
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
    "<start_of_turn>",
    "<unused12>",
    "<unused",
    "<",
    "</h1>",
    "<h",
    "<image_soft_token>",
    "[multimodal]",
    "▁",
    "▁▁",
    "▁▁▁",
    " ",
    "  ",
    "   ",
    "\n",
    "\n\n",
    "\n\n\n",
    "\t",
    "\t\t",
    "\r\n",
    "\u{3000}",
    "\u{a0}",
    "\0",
    "\u{7}",
    "\u{200b}",
    "\u{200d}",
    "\u{feff}",
    "👩‍🔬",
    "👨‍👩‍👧‍👦",
    "🧴",
    "\u{301}",
    "e\u{301}",
    "\u{fe0f}",
    "<left>",
    "<right>",
    "<both>",
    "<nl>",
    "<b",
    "e d",
    "湿面",
    "保湿面霜",
    "敏感肌抗老",
    "abc",
    "aaaa",
    "text: ",
    "200ml",
    "𝔾",
    "<0x0A>",
];

fn strings() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-e ]{1,6}",
        1 => "\\PC{0,8}",
        1 => "[\u{4e00}-\u{9fff}]{1,8}",
        1 => (prop::sample::select(&PIECES[..]), 1..70usize).prop_map(|(piece, times)| piece.repeat(times)),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn small_tokenizer(text in strings()) {
        // The library panics where one token's white space swallows the start of the next.
        prop_assume!(!swallows(&text));
        small().same(&text);
        small().same_with_limits(&text);
    }

    #[test]
    fn fixture_tokenizer(text in strings()) {
        fixture().same(&text);
        fixture().same_with_limits(&text);
    }

    #[test]
    fn gemma_tokenizer(text in strings()) {
        if let Some(gemma) = gemma() {
            gemma.same(&text);
        }
    }

    #[test]
    fn any_string(text in any::<String>()) {
        for both in [Some(small()), gemma()].into_iter().flatten() {
            both.same(&text);
        }
    }
}

/// Whether the small tokenizer's added tokens of white space follow one that takes white space.
fn swallows(text: &str) -> bool {
    let after = |token: &str| {
        let mut rests = text.match_indices(token).map(|(at, _)| &text[at + token.len()..]);
        rests.any(|rest| rest.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t'))
    };
    after("<right>") || after("<both>")
}

#[test]
fn added_tokens_in_company() {
    for text in PIECES.iter().flat_map(|a| PIECES.iter().map(move |b| format!("x {a}{b} x {b} {a}"))) {
        let small = (!swallows(&text)).then(small);
        for both in [small, Some(fixture()), gemma()].into_iter().flatten() {
            both.same(&text);
        }
    }
}

#[test]
fn white_space_that_two_tokens_want() {
    // Taken by the token before: the tab is no token of its own.
    let ids = |text: &str| small().prepared.backend.ids(text).unwrap();
    assert_eq!(ids("<right>\t"), ids("<right>"));
    assert_eq!(ids("<right> \t a"), ids("<right>a"));
}

#[test]
fn long_runs() {
    let long = |both: &Both, text: &str| {
        assert_eq!(both.prepared.backend.ids(text).unwrap(), both.library.backend.ids(text).unwrap());
    };
    for piece in ["a", " ", "ab", "面霜", "\n", "👩‍🔬", "<b", "\u{301}"] {
        for both in [Some(small()), gemma()].into_iter().flatten() {
            long(both, &piece.repeat(20_000));
        }
    }
}

#[test]
fn megabytes_of_one_character_take_no_quadratic_time() {
    let both = gemma().unwrap_or_else(|| small());
    for piece in ["a", " ", "=", "哈"] {
        let text = piece.repeat(4 << 20);
        // Quadratic time would be hours.
        assert!(both.prepared.backend.count(&text).unwrap() > 10_000);
    }
}
