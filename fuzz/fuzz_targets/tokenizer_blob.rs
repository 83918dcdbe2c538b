#![no_main]
//! A prepared tokenizer: refused, or it splits any text.

use libfuzzer_sys::fuzz_target;
use xunpin_encoder::fuzzing::split_with_prepared_tokenizer;
use xunpin_fuzz::within;

const TEXT: &str = "abc aaaa <left> \t<right>  保湿面霜▁▁e d👩‍🔬 <bos><b\n湿面 敏感肌 50ml";

// The last byte is the length of a text before it, the rest the blob.
fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_last() else { return };
    let (blob, text) = rest.split_at(rest.len().saturating_sub(usize::from(*length)));
    let text = String::from_utf8_lossy(text);
    for text in [&*text, TEXT] {
        let _ = within(8 << 20, || split_with_prepared_tokenizer(blob.to_vec(), text));
    }
});
