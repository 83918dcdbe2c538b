/// Signs and words that stand before or after an amount, and the currency each means; `$` alone may be any dollar.
const CURRENCIES: [(&str, Option<&str>); 19] = [
    ("人民币", Some("CNY")),
    ("元", Some("CNY")),
    ("¥", Some("CNY")),
    ("￥", Some("CNY")),
    ("RMB", Some("CNY")),
    ("CNY", Some("CNY")),
    ("US$", Some("USD")),
    ("USD", Some("USD")),
    ("美元", Some("USD")),
    ("HK$", Some("HKD")),
    ("HKD", Some("HKD")),
    ("NT$", Some("TWD")),
    ("TWD", Some("TWD")),
    ("JPY", Some("JPY")),
    ("€", Some("EUR")),
    ("EUR", Some("EUR")),
    ("£", Some("GBP")),
    ("GBP", Some("GBP")),
    ("$", None),
];

/// A price as shops write it: `199`, `¥1,299.00`, `199元`, `USD 20`. Gives the amount and the currency if one is
/// written. Signs are kept (the product's own check refuses negative prices); NaN and infinities are no prices.
pub(crate) fn parse(text: &str) -> Option<(f64, Option<&'static str>)> {
    let plain: String = text.chars().map(to_ascii).collect();
    let mut rest = plain.trim();
    let mut currency = None;
    for (sign, code) in CURRENCIES {
        if let Some(inner) = strip(rest, sign) {
            rest = inner;
            currency = currency.or(code);
        }
    }
    Some((amount(rest)?, currency))
}

/// A number of pieces: `12`, `1,200`, `12.0`.
pub(crate) fn parse_count(text: &str) -> Option<i64> {
    let plain: String = text.chars().map(to_ascii).collect();
    let plain = plain.trim();
    match plain.parse() {
        Ok(count) => Some(count),
        Err(_) => whole(amount(plain)?),
    }
}

/// `value` if it is a whole number that `f64` holds exactly.
pub(crate) fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() < EXACT).then_some(value as i64)
}

/// Full-width digits and signs as ASCII.
fn to_ascii(c: char) -> char {
    match c {
        '０'..='９' | '．' | '，' | '－' | '＋' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        c => c,
    }
}

fn strip<'a>(text: &'a str, sign: &str) -> Option<&'a str> {
    let before = text.get(..sign.len()).filter(|start| start.eq_ignore_ascii_case(sign));
    if before.is_some() {
        return Some(text[sign.len()..].trim_start());
    }
    let at = text.len().checked_sub(sign.len())?;
    text.get(at..).filter(|end| end.eq_ignore_ascii_case(sign)).map(|_| text[..at].trim_end())
}

/// A decimal number with or without commas between groups of three digits.
fn amount(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let mantissa = digits.split(['.', 'e', 'E']).next()?;
    if mantissa.contains(',') {
        let mut groups = mantissa.split(',');
        let first = groups.next()?;
        if !(1..=3).contains(&first.len()) || groups.any(|g| g.len() != 3) {
            return None;
        }
    }
    text.replace(',', "")
        .parse()
        .ok()
        .filter(|v: &f64| v.is_finite() && !digits[mantissa.len()..].contains(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_as_shops_write_them() {
        let cny = Some("CNY");
        for (text, expected) in [
            ("199", (199.0, None)),
            (" 0.5 ", (0.5, None)),
            (".5", (0.5, None)),
            ("¥199.00", (199.0, cny)),
            ("￥1,299", (1299.0, cny)),
            ("1,299,000.50", (1_299_000.5, None)),
            ("199元", (199.0, cny)),
            ("人民币 199 元", (199.0, cny)),
            ("１９９．５", (199.5, None)),
            ("rmb199", (199.0, cny)),
            ("$20", (20.0, None)),
            ("20 USD", (20.0, Some("USD"))),
            ("HK$ 30", (30.0, Some("HKD"))),
            ("-5", (-5.0, None)),
            ("1e3", (1000.0, None)),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "abc",
            "NaN",
            "inf",
            "-infinity",
            "1e999",
            "99-199",
            "1,29",
            "12,34,567",
            "1.5,000",
            "元",
            "面议",
            "0x10",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn counts_are_whole() {
        assert_eq!(parse_count(" 1,200 "), Some(1200));
        assert_eq!(parse_count("12.0"), Some(12));
        assert_eq!(parse_count("-3"), Some(-3));
        assert_eq!(parse_count("9223372036854775807"), Some(i64::MAX));
        for text in ["1.5", "有货", "10+", "1e300", ""] {
            assert_eq!(parse_count(text), None, "{text}");
        }
    }
}
