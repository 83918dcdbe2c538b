//! What may follow a number without making it a model number.

/// Units written in letters.
const UNITS: &[&str] = &[
    "cm", "cl", "ct", "db", "dpi", "fl", "fps", "ft", "g", "gb", "gbps", "ghz", "h", "hz", "in", "inch", "k",
    "kg", "khz", "km", "kv", "kw", "kwh", "l", "lb", "lbs", "m", "mah", "mb", "mbps", "mg", "mhz", "min",
    "ml", "mm", "mp", "nm", "oz", "p", "pc", "pcs", "ppm", "ps", "rpm", "s", "tb", "ug", "v", "va", "w",
    "wh", "wp",
];

/// Units written in Hanzi that are another spelling of one in letters.
const SPELLED: &[(&str, &str)] = &[
    ("克", "g"),
    ("公斤", "kg"),
    ("千克", "kg"),
    ("毫克", "mg"),
    ("升", "l"),
    ("毫升", "ml"),
    ("毫米", "mm"),
    ("厘米", "cm"),
    ("公分", "cm"),
    ("米", "m"),
    ("毫安", "mah"),
    ("毫安时", "mah"),
    ("瓦", "w"),
    ("伏", "v"),
    ("盎司", "oz"),
];

/// Counters and units that are only written in Hanzi.
const COUNTERS: &[&str] = &[
    "片", "支", "瓶", "盒", "袋", "包", "个", "只", "条", "件", "套", "件套", "双", "对", "块", "粒", "颗",
    "枚", "张", "卷", "抽", "层", "罐", "桶", "杯", "斤", "两", "寸", "英寸", "吋", "码", "色", "岁", "月",
    "个月", "天", "年", "元", "人", "贴", "根", "台", "把", "束", "提", "串", "格", "孔", "度", "匹", "目",
    "倍", "档", "位", "口", "门", "代",
];

/// Letters that stand before a number and name a rating or a standard, not a model.
const RATINGS: &[&str] = &[
    "ac", "bt", "cat", "ddr", "hdmi", "ip", "ipx", "mp", "no", "pa", "pm", "size", "spf", "type", "upf",
    "usb", "uv", "uva", "uvb", "vol", "wifi",
];

/// True for a unit in letters, such as `ml`.
pub(crate) fn is_unit(letters: &str) -> bool {
    UNITS.contains(&letters)
}

/// True for a unit in letters that is one even after a space (`50 ml`); single letters then are too often names.
pub(crate) fn is_spaced_unit(letters: &str) -> bool {
    is_unit(letters) && (letters.len() > 1 || matches!(letters, "g" | "l"))
}

/// The unit a Hanzi word is, in the spelling that terms are made with: `毫升` is `ml`, `片` is `片`.
pub(crate) fn hanzi_unit(word: &str) -> Option<&str> {
    match SPELLED.iter().find(|(spelled, _)| *spelled == word) {
        Some((_, unit)) => Some(unit),
        None => COUNTERS.contains(&word).then_some(word),
    }
}

/// True for letters that make a rating of the number after them, such as `spf`.
pub(crate) fn is_rating(letters: &str) -> bool {
    RATINGS.contains(&letters)
}
