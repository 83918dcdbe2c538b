//! Inputs of a given number of tokens, cut from running text.

use std::collections::HashSet;

use xunpin::{Encoder, Role};

use crate::exit::WrongUse;

/// Text beyond this many bytes a token is not looked at; no text is that dense for long.
const BYTES_PER_TOKEN: usize = 32;
/// Inputs that may turn out equal to earlier ones, for each that is wanted, before it is left at that.
const TRIES: usize = 8;

/// Up to `wanted` different inputs of `tokens` tokens each, special ones included, when encoded in [`Role::Raw`]. They are
/// cut one after the other from `texts`, written one behind the other, again and again where those are short. A cut may
/// cost a token: count them.
pub(super) fn inputs(
    encoder: &dyn Encoder,
    texts: &[&str],
    tokens: usize,
    wanted: usize,
) -> anyhow::Result<Vec<String>> {
    let special = encoder.count_tokens("", Role::Raw)?;
    if tokens <= special {
        let message = format!("an input of {tokens} tokens has no room for text; give more than {special}");
        return Err(WrongUse(message).into());
    }
    let room = tokens - special;
    let mut more = texts.iter().cycle();
    let mut rest = String::new();
    let mut seen = HashSet::new();
    let mut made = Vec::new();
    for _ in 0..wanted * TRIES {
        if made.len() == wanted {
            break;
        }
        let cut = loop {
            let window = &rest[..rest.floor_char_boundary(room * BYTES_PER_TOKEN)];
            let cut = encoder.fit(window, room)?.len();
            if cut < rest.len() {
                break cut;
            }
            // All of it fits: there may be room for more.
            let Some(text) = more.next() else { break cut };
            rest.push(' ');
            rest.push_str(text.trim());
        };
        // A first character of more tokens than there is room for is passed over.
        let cut = if cut == 0 { rest.ceil_char_boundary(1) } else { cut };
        let input = rest[..cut].trim().to_owned();
        rest = rest[cut..].trim_start().to_owned();
        if !input.is_empty() && seen.insert(input.clone()) {
            made.push(input);
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xunpin::{EncodeError, Fingerprint, Matrix};

    /// One token a character, and two special ones.
    struct Characters;

    impl Encoder for Characters {
        fn fingerprint(&self) -> &Fingerprint {
            unreachable!("not asked for")
        }
        fn encode(&self, _: &[&str], _: Role) -> Result<Matrix, EncodeError> {
            unreachable!("not asked for")
        }
        fn count_tokens(&self, text: &str, _: Role) -> Result<usize, EncodeError> {
            Ok(text.chars().count() + 2)
        }
        fn fit<'a>(&self, text: &'a str, max_tokens: usize) -> Result<&'a str, EncodeError> {
            Ok(&text[..text.char_indices().nth(max_tokens).map_or(text.len(), |(at, _)| at)])
        }
    }

    #[test]
    fn inputs_are_different_and_as_long_as_asked_for() {
        let texts = ["温和A醇精华", "儿童雨鞋 防滑", "面霜"];
        for tokens in [4, 9, 40] {
            let made = inputs(&Characters, &texts, tokens, 5).unwrap();
            assert_eq!(made.len(), 5, "{made:?}");
            let distinct: HashSet<&String> = made.iter().collect();
            assert_eq!(distinct.len(), 5);
            for input in &made {
                let count = Characters.count_tokens(input, Role::Raw).unwrap();
                // A blank at a cut is trimmed away.
                assert!((tokens - 2..=tokens).contains(&count), "{tokens}: {input}");
            }
        }
    }

    #[test]
    fn too_little_text_gives_fewer() {
        assert_eq!(inputs(&Characters, &["a"], 3, 5).unwrap(), ["a"]);
        assert!(inputs(&Characters, &["a"], 2, 5).is_err());
    }
}
