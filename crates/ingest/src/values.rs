//! One field's value out of what a catalogue holds for it. Errors are the part of a message after the field's name.

use std::collections::BTreeMap;

use serde_json::Value;
use xunpin_core::AttributeValue;
use xunpin_core::limits::MAX_ATTRIBUTE_VALUES;

use crate::price;
use crate::text::{clean, excerpt, split_list};

pub(crate) type Attributes = BTreeMap<String, Vec<AttributeValue>>;

/// What a value is, for a message.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(v) => v.to_string(),
        Value::Number(v) => v.to_string(),
        Value::String(v) => format!("\"{}\"", excerpt(v)),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

fn wrong(value: &Value, expected: &str) -> String {
    format!("{} is not {expected}", kind(value))
}

/// Text, trimmed and without control characters; a number is taken as its digits. Blank is absent.
pub(crate) fn text(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(clean_text(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        other => Err(wrong(&other, "text")),
    }
}

fn clean_text(mut text: String) -> Option<String> {
    clean(&mut text);
    let trimmed = text.trim();
    if trimmed.len() != text.len() {
        text = trimmed.to_owned();
    }
    (!text.is_empty()).then_some(text)
}

/// An id: text, trimmed only at its ends, or a whole number.
pub(crate) fn id(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(id) => Ok(Some(id.trim().to_owned()).filter(|id| !id.is_empty())),
        Value::Number(number) if number.is_f64() => match number.as_f64().and_then(price::whole) {
            Some(whole) => Ok(Some(whole.to_string())),
            None => Err(format!("{number} is not a whole number of up to 15 digits; write the id as text")),
        },
        Value::Number(number) => Ok(Some(number.to_string())),
        other => Err(wrong(&other, "an id; text or a whole number is expected")),
    }
}

/// Text, or an array of texts, one a line.
pub(crate) fn description(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Array(parts) => {
            let mut lines = Vec::new();
            for part in parts {
                lines.extend(text(part)?);
            }
            Ok(Some(lines.join("\n")).filter(|text| !text.is_empty()))
        }
        other => text(other),
    }
}

/// An amount, and the currency if the text names one. Range is for [`xunpin_core::Product::validate`] to check.
pub(crate) fn price(value: &Value) -> Result<Option<(f64, Option<&'static str>)>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => price::parse(text)
            .map(Some)
            .ok_or_else(|| wrong(value, "a price; one number is expected, such as 199 or \"¥1,299.00\"")),
        Value::Number(number) => Ok(number.as_f64().map(|v| (v, None))),
        other => Err(wrong(other, "a price; one number is expected, such as 199 or \"¥1,299.00\"")),
    }
}

/// A number of pieces.
pub(crate) fn stock(value: &Value) -> Result<Option<i64>, String> {
    let count = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => price::parse_count(text),
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(price::whole)),
        _ => None,
    };
    count.map(Some).ok_or_else(|| wrong(value, "a number of pieces; a whole number is expected"))
}

/// A currency code; the usual ways to write yuan become `CNY`.
pub(crate) fn currency(value: Value) -> Result<Option<String>, String> {
    Ok(text(value)?.map(|code| match code.as_str() {
        "¥" | "￥" | "元" | "人民币" | "RMB" | "rmb" => "CNY".to_owned(),
        _ if code.len() == 3 => code.to_ascii_uppercase(),
        _ => code,
    }))
}

/// The steps of a category path: a text split at `/`, `>`, `›`, `|`, or an array of steps.
pub(crate) fn category(value: Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(steps) => steps.into_iter().filter_map(|step| text(step).transpose()).collect(),
        other => Ok(text(other)?
            .map(|path| {
                path.split(['/', '>', '›', '|', '／', '＞', '｜'])
                    .map(str::trim)
                    .filter(|step| !step.is_empty())
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default()),
    }
}

/// Labels: a text split at commas and semicolons, or an array.
pub(crate) fn tags(value: Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(tags) => tags.into_iter().filter_map(|tag| text(tag).transpose()).collect(),
        other => {
            Ok(text(other)?.map(|list| split_list(&list).map(str::to_owned).collect()).unwrap_or_default())
        }
    }
}

/// All attributes: an object, its text, or `name:value;name:value`.
pub(crate) fn attributes(value: Value) -> Result<Attributes, (Option<String>, String)> {
    match value {
        Value::Null => Ok(Attributes::new()),
        Value::Object(object) => {
            let mut attributes = Attributes::new();
            for (mut name, value) in object {
                clean(&mut name);
                let values = attribute_values(value).map_err(|problem| (Some(name.clone()), problem))?;
                add(&mut attributes, name.trim(), values);
            }
            Ok(attributes)
        }
        Value::String(text) if text.trim_start().starts_with('{') => {
            match serde_json::from_str::<Value>(&text) {
                Ok(object @ Value::Object(_)) => attributes(object),
                _ => Err((None, format!("\"{}\" begins as a JSON object and is none", excerpt(&text)))),
            }
        }
        Value::String(text) => attribute_pairs(&text).map_err(|problem| (None, problem)),
        other => Err((
            None,
            wrong(&other, "a set of attributes; an object such as {\"材质\":[\"棉\"]} is expected"),
        )),
    }
}

fn attribute_pairs(text: &str) -> Result<Attributes, String> {
    let mut attributes = Attributes::new();
    for pair in text.split([';', '；', '\n']).map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, values)) = pair.split_once([':', '：']).filter(|(name, _)| !name.trim().is_empty())
        else {
            return Err(format!("\"{}\" is not of the form name:value;name:value", excerpt(pair)));
        };
        let mut name = name.to_owned();
        clean(&mut name);
        add(&mut attributes, name.trim(), attribute_column(Value::String(values.to_owned()))?);
    }
    Ok(attributes)
}

/// One attribute out of a column of its own: lists are split, `true` and `false` are no texts.
pub(crate) fn attribute_column(value: Value) -> Result<Vec<AttributeValue>, String> {
    let Value::String(mut list) = value else { return attribute_values(value) };
    clean(&mut list);
    Ok(split_list(&list)
        .map(|value| match value.to_ascii_lowercase().as_str() {
            "true" => AttributeValue::Bool(true),
            "false" => AttributeValue::Bool(false),
            _ => AttributeValue::Text(value.to_owned()),
        })
        .collect())
}

/// Values out of JSON: a scalar, or an array of scalars. Blank and null are absent.
fn attribute_values(value: Value) -> Result<Vec<AttributeValue>, String> {
    let scalar = |value: Value| match value {
        Value::Null => Ok(None),
        Value::Bool(v) => Ok(Some(AttributeValue::Bool(v))),
        Value::Number(v) => Ok(v.as_f64().map(AttributeValue::Number)),
        Value::String(v) => Ok(clean_text(v).map(AttributeValue::Text)),
        other => Err(wrong(
            &other,
            "an attribute's value; text, a number, true or false, or an array of them is expected",
        )),
    };
    match value {
        Value::Array(values) => values.into_iter().filter_map(|value| scalar(value).transpose()).collect(),
        other => Ok(scalar(other)?.into_iter().collect()),
    }
}

/// Adds values that are not there yet; one more than may be kept at most, which the product's check then finds: looking
/// through a list that is as long as the line would take the square of its length.
pub(crate) fn add(attributes: &mut Attributes, name: &str, values: Vec<AttributeValue>) {
    if name.is_empty() || values.is_empty() {
        return;
    }
    let held = attributes.entry(name.to_owned()).or_default();
    for value in values {
        if held.len() <= MAX_ATTRIBUTE_VALUES && !held.contains(&value) {
            held.push(value);
        }
    }
}

/// A value of an unknown field, without control characters.
pub(crate) fn extra(mut value: Value) -> Value {
    fn visit(value: &mut Value) {
        match value {
            Value::String(text) => clean(text),
            Value::Array(values) => values.iter_mut().for_each(visit),
            Value::Object(object) => object.values_mut().for_each(visit),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    visit(&mut value);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(values: &[&str]) -> Vec<AttributeValue> {
        values.iter().map(|v| AttributeValue::Text((*v).into())).collect()
    }

    #[test]
    fn ids_are_texts_or_exact_numbers() {
        assert_eq!(id(json!(" A 1 ")), Ok(Some("A 1".into())));
        assert_eq!(id(json!(12345678901234567890u64)), Ok(Some("12345678901234567890".into())));
        assert_eq!(id(json!(7.0)), Ok(Some("7".into())));
        assert_eq!(id(json!("")), Ok(None));
        for value in [json!(1.5), json!(1e30), json!(true), json!(["a"])] {
            assert!(id(value).is_err());
        }
    }

    #[test]
    fn attributes_in_three_forms() {
        let expected =
            Attributes::from([("材质".into(), texts(&["棉"])), ("颜色".into(), texts(&["白", "蓝"]))]);
        assert_eq!(
            attributes(json!({"材质": "棉", "颜色": ["白", "蓝", "白"], "空": []})),
            Ok(expected.clone())
        );
        assert_eq!(attributes(json!("{\"材质\":[\"棉\"],\"颜色\":[\"白\",\"蓝\"]}")), Ok(expected.clone()));
        assert_eq!(attributes(json!("材质:棉；颜色：白，蓝")), Ok(expected));
        assert_eq!(
            attributes(json!({"防水": true, "容量": 30, "旧": null})),
            Ok(Attributes::from([
                ("防水".into(), vec![AttributeValue::Bool(true)]),
                ("容量".into(), vec![AttributeValue::Number(30.0)])
            ]))
        );
        assert_eq!(attributes(json!({"材质": {"面": "棉"}})).unwrap_err().0.as_deref(), Some("材质"));
        for value in [json!(["棉"]), json!("纯棉"), json!("{\"材质\":"), json!(3)] {
            assert!(attributes(value).is_err());
        }
        assert_eq!(
            attribute_column(json!("是,TRUE")),
            Ok(vec![texts(&["是"])[0].clone(), AttributeValue::Bool(true)])
        );
    }

    #[test]
    fn paths_and_lists() {
        assert_eq!(
            category(json!("护肤 > 精华/ 面部精华｜")),
            Ok(vec!["护肤".into(), "精华".into(), "面部精华".into()])
        );
        assert_eq!(category(json!(["a/b", " ", "c"])), Ok(vec!["a/b".into(), "c".into()]));
        assert!(category(json!([["a"]])).is_err());
        assert_eq!(tags(json!("美白，补水;x")), Ok(vec!["美白".into(), "补水".into(), "x".into()]));
        assert_eq!(description(json!(["一", null, "二"])), Ok(Some("一\n二".into())));
        assert_eq!(currency(json!("usd")), Ok(Some("USD".into())));
        assert_eq!(extra(json!({"a": ["x\0y"]})), json!({"a": ["x y"]}));
    }
}
