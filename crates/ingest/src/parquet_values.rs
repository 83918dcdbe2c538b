//! Parquet's values as JSON.

use parquet::data_type::Decimal;
use parquet::record::Field;
use serde_json::{Map, Number, Value};

/// A value as JSON, and whether some of it was bytes that are not UTF-8 text, which JSON cannot hold (null stands for
/// them). Numbers that are not finite become text. Dates and times become ISO 8601 text without a zone:
/// UTC where the file keeps UTC, else local.
pub(crate) fn json(field: &Field, binary: &mut bool) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(v) => (*v).into(),
        Field::Byte(v) => (*v).into(),
        Field::Short(v) => (*v).into(),
        Field::Int(v) => (*v).into(),
        Field::Long(v) => (*v).into(),
        Field::UByte(v) => (*v).into(),
        Field::UShort(v) => (*v).into(),
        Field::UInt(v) => (*v).into(),
        Field::ULong(v) => (*v).into(),
        // Through their shortest decimal form, so that 19.9 stays 19.9.
        Field::Float16(v) => decimal_text(&v.to_string()),
        Field::Float(v) => decimal_text(&v.to_string()),
        Field::Double(v) => Number::from_f64(*v).map_or_else(|| Value::String(v.to_string()), Value::Number),
        Field::Decimal(v) => decimal(v),
        Field::Str(v) => Value::String(v.clone()),
        Field::Bytes(v) => match std::str::from_utf8(v.data()) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => {
                *binary = true;
                Value::Null
            }
        },
        Field::Date(days) => Value::String(date(i64::from(*days))),
        Field::TimeMillis(v) => Value::String(time(i64::from(*v) * 1_000_000)),
        Field::TimeMicros(v) => Value::String(time(v.saturating_mul(1000))),
        Field::TimestampMillis(v) => Value::String(timestamp(*v, 1000)),
        Field::TimestampMicros(v) => Value::String(timestamp(*v, 1_000_000)),
        Field::Group(row) => {
            let object: Map<_, _> =
                row.get_column_iter().map(|(name, field)| (name.clone(), json(field, binary))).collect();
            Value::Object(object)
        }
        Field::ListInternal(list) => list.elements().iter().map(|field| json(field, binary)).collect(),
        Field::MapInternal(map) => {
            let mut object = Map::new();
            for (key, value) in map.entries() {
                let key = match json(key, binary) {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                object.insert(key, json(value, binary));
            }
            Value::Object(object)
        }
    }
}

/// Bytes of text in a value.
pub(crate) fn text_bytes(field: &Field) -> usize {
    match field {
        Field::Str(v) => v.len(),
        Field::Bytes(v) => v.len(),
        Field::Group(row) => row.get_column_iter().map(|(_, field)| text_bytes(field)).sum(),
        Field::ListInternal(list) => list.elements().iter().map(text_bytes).sum(),
        Field::MapInternal(map) => map.entries().iter().map(|(k, v)| text_bytes(k) + text_bytes(v)).sum(),
        _ => 0,
    }
}

fn decimal(value: &Decimal) -> Value {
    decimal_text(&Field::Decimal(value.clone()).to_string())
}

/// A number if JSON can hold it without loss of its digits, else text.
fn decimal_text(text: &str) -> Value {
    let text = text.strip_suffix('.').unwrap_or(text);
    let number = match text.parse::<i64>() {
        Ok(whole) => Some(Number::from(whole)),
        Err(_) if text.contains('.') || text.contains('e') => text.parse().ok().and_then(Number::from_f64),
        Err(_) => None,
    };
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

/// The date of a day counted from 1970-01-01, by Howard Hinnant's `civil_from_days`.
fn date(days: i64) -> String {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A time of day from nanoseconds after midnight; the fraction as far as there is one.
fn time(nanos: i64) -> String {
    let (seconds, fraction) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:09}") };
    format!("{h:02}:{m:02}:{s:02}{}", fraction.trim_end_matches('0'))
}

/// An instant from units after 1970, `per_second` of them.
pub(crate) fn timestamp(units: i64, per_second: i64) -> String {
    let (seconds, fraction) = (units.div_euclid(per_second), units.rem_euclid(per_second));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let nanos = second * 1_000_000_000 + fraction * (1_000_000_000 / per_second);
    format!("{}T{}", date(days), time(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(timestamp(1_478_908_800_000, 1000), "2016-11-12T00:00:00");
        assert_eq!(timestamp(-1, 1_000_000), "1969-12-31T23:59:59.999999");
        assert_eq!(timestamp(1_500, 1000), "1970-01-01T00:00:01.5");
        timestamp(i64::MIN, 1000);
        timestamp(i64::MAX, 1);
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(json(&Field::Float(19.9), &mut false), 19.9);
        assert_eq!(json(&Field::Double(f64::NAN), &mut false), "NaN");
        assert_eq!(json(&Field::Float(f32::INFINITY), &mut false), "inf");
        assert_eq!(decimal_text("12.50"), 12.5);
        assert_eq!(decimal_text("7."), 7);
        assert_eq!(decimal_text("12345678901234567890"), "12345678901234567890");
    }
}
