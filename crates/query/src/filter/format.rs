use std::fmt::Write;

use xunpin_core::{CompareOp, Field, Filter, Literal};

use super::{ATTRIBUTE_PREFIX, field_from, is_word, keyword};

/// Writes a filter in the grammar of [`parse_filter`](crate::parse_filter), in its standard spelling: ASCII signs,
/// lower-case keywords, texts in double quotes, English names of the standard fields. What `parse_filter` gave is
/// read back as the same tree. A filter that was built by hand and has no spelling of its own (an `And` of one
/// part, a number compared with a text field) becomes one that means the same, as far as the grammar can say it.
pub fn format_filter(filter: &Filter) -> String {
    let mut out = String::new();
    write_filter(&mut out, filter, Place::Top);
    out
}

/// Where a part stands; it decides about parentheses.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Top,
    InOr,
    InAnd,
    InNot,
}

fn write_filter(out: &mut String, filter: &Filter, place: Place) {
    if let Some((field, values)) = as_list(filter) {
        return write_list(out, field, "in", &values);
    }
    match filter {
        Filter::And(parts) => match parts.as_slice() {
            [] => out.push_str("true"),
            [only] => write_filter(out, only, place),
            _ => join(out, parts, " and ", Place::InAnd, matches!(place, Place::InAnd | Place::InNot)),
        },
        Filter::Or(parts) => match parts.as_slice() {
            [] => out.push_str("false"),
            [only] => write_filter(out, only, place),
            _ => join(out, parts, " or ", Place::InOr, place != Place::Top),
        },
        Filter::Not(part) => write_not(out, part),
        Filter::Compare { field, op, value } => write_compare(out, field, sign(*op), value),
        Filter::Exists(field) => {
            out.push_str("exists ");
            write_field(out, field);
        }
    }
}

fn write_not(out: &mut String, part: &Filter) {
    match (as_list(part), part) {
        (Some((field, values)), _) => write_list(out, field, "not in", &values),
        (_, Filter::Compare { field, op: CompareOp::Equal, value }) => write_compare(out, field, "!=", value),
        (_, Filter::Compare { field, op: CompareOp::Contains, value }) => {
            write_compare(out, field, "not contains", value);
        }
        _ => {
            out.push_str("not ");
            write_filter(out, part, Place::InNot);
        }
    }
}

fn join(out: &mut String, parts: &[Filter], separator: &str, place: Place, parentheses: bool) {
    if parentheses {
        out.push('(');
    }
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.push_str(separator);
        }
        write_filter(out, part, place);
    }
    if parentheses {
        out.push(')');
    }
}

/// The field and values of an `or` of two or more equalities of one field.
fn as_list(filter: &Filter) -> Option<(&Field, Vec<&Literal>)> {
    let Filter::Or(parts) = filter else { return None };
    let [Filter::Compare { field: first, .. }, _, ..] = parts.as_slice() else { return None };
    let value = |part| match part {
        &Filter::Compare { ref field, op: CompareOp::Equal, ref value } if field == first => Some(value),
        _ => None,
    };
    Some((first, parts.iter().map(value).collect::<Option<_>>()?))
}

fn write_list(out: &mut String, field: &Field, keyword: &str, values: &[&Literal]) {
    write_field(out, field);
    out.push(' ');
    out.push_str(keyword);
    for (at, value) in values.iter().enumerate() {
        out.push_str(if at == 0 { " (" } else { ", " });
        write_value(out, value);
    }
    out.push(')');
}

fn write_compare(out: &mut String, field: &Field, sign: &str, value: &Literal) {
    write_field(out, field);
    out.push(' ');
    out.push_str(sign);
    out.push(' ');
    write_value(out, value);
}

fn sign(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Equal => "=",
        CompareOp::Less => "<",
        CompareOp::LessOrEqual => "<=",
        CompareOp::Greater => ">",
        CompareOp::GreaterOrEqual => ">=",
        CompareOp::Contains => "contains",
    }
}

fn write_field(out: &mut String, field: &Field) {
    let mut name = field.to_string();
    if matches!(field, Field::Named(_)) && field_from(&name) != *field {
        name.insert_str(0, ATTRIBUTE_PREFIX);
    }
    if !name.is_empty() && name.chars().all(is_word) && keyword(&name).is_none() {
        out.push_str(&name);
    } else {
        write_quoted(out, &name, '`');
    }
}

fn write_value(out: &mut String, value: &Literal) {
    match value {
        Literal::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Literal::Text(text) => write_quoted(out, text, '"'),
        Literal::Number(number) => {
            let ordinary = *number == 0.0 || (1e-5..1e15).contains(&number.abs());
            // Writing to a string cannot fail.
            let _ = if ordinary { write!(out, "{number}") } else { write!(out, "{number:e}") };
        }
    }
}

fn write_quoted(out: &mut String, text: &str, quote: char) {
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c == '\\' || c == quote => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push(quote);
}
