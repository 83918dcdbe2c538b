use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use crate::headers::{attribute_name, normalise};
use crate::text::clean;
use crate::{Mapping, ProductField};

/// Where a column's values go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A field of the product.
    Field(ProductField),
    /// The attribute of that name.
    Attribute(String),
    /// Kept as it is, under that name.
    Extra(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => field.fmt(f),
            Self::Attribute(name) => write!(f, "attr.{name}"),
            Self::Extra(_) => f.write_str("extra"),
        }
    }
}

/// A column of a catalogue and where its values go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnUse {
    /// The column's name in the file.
    pub column: String,
    /// Where its values go.
    pub target: Target,
}

/// Names that a product's own fields have when it is stored; an unknown column of that name gets another.
fn is_reserved(name: &str) -> bool {
    ProductField::all().any(|field| field.name() == name)
}

/// Where each column of a file goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) columns: Vec<String>,
    pub(crate) targets: Vec<Target>,
    /// For fields that take several columns, the place of each column among them.
    pub(crate) order: Vec<usize>,
    /// Mapped columns that the file lacks, with the field each is mapped to.
    pub(crate) missing: Vec<(String, String)>,
}

impl Plan {
    pub(crate) fn new(mapping: &Mapping, columns: Vec<String>) -> Self {
        let mut targets: Vec<Option<Target>> = vec![None; columns.len()];
        let mut order = vec![0; columns.len()];
        let mut missing = Vec::new();

        let mut assign = |targets: &mut Vec<Option<Target>>, name: &str, target: Target| match find(
            &columns, targets, name,
        ) {
            Some(at) => {
                targets[at] = Some(target);
                Some(at)
            }
            None => {
                if !matches!(target, Target::Extra(_)) {
                    missing.push((target.to_string(), name.to_owned()));
                }
                None
            }
        };
        for (field, names) in &mapping.fields {
            for (place, name) in names.iter().enumerate() {
                if let Some(at) = assign(&mut targets, name, Target::Field(*field)) {
                    order[at] = place;
                }
            }
        }
        for (attribute, name) in &mapping.attributes {
            assign(&mut targets, name, Target::Attribute(attribute.clone()));
        }
        for name in &mapping.extra {
            assign(&mut targets, name, Target::Extra(name.clone()));
        }
        recognise(mapping, &columns, &mut targets);
        Self { targets: name_extras(&columns, targets), columns, order, missing }
    }

    pub(crate) fn uses(&self) -> Vec<ColumnUse> {
        self.columns
            .iter()
            .zip(&self.targets)
            .map(|(column, target)| ColumnUse { column: column.clone(), target: target.clone() })
            .collect()
    }

    pub(crate) fn has(&self, field: ProductField) -> bool {
        self.targets.contains(&Target::Field(field))
    }

    /// The required field that no column goes to.
    pub(crate) fn lacks(&self) -> Option<ProductField> {
        ProductField::all().find(|field| field.is_required() && !self.has(*field))
    }
}

/// The column called `name`: exactly, or else but for spelling.
fn find(columns: &[String], targets: &[Option<Target>], name: &str) -> Option<usize> {
    let free = |at: &usize| targets[*at].is_none();
    (0..columns.len()).filter(free).find(|at| columns[*at] == name).or_else(|| {
        let name = normalise(name);
        (0..columns.len()).filter(free).find(|at| normalise(&columns[*at]) == name)
    })
}

/// Gives each field that is not mapped the column with the surest header.
fn recognise(mapping: &Mapping, columns: &[String], targets: &mut [Option<Target>]) {
    let mut best: HashMap<ProductField, (usize, usize)> = HashMap::new();
    for (at, column) in columns.iter().enumerate() {
        if targets[at].is_some() {
            continue;
        }
        match ProductField::recognise(column) {
            Some((field, rank)) if !mapping.fields.contains_key(&field) => {
                let held = best.entry(field).or_insert((rank, at));
                *held = (*held).min((rank, at));
            }
            Some(_) => {}
            None => targets[at] = attribute_name(column).map(|name| Target::Attribute(name.to_owned())),
        }
    }
    for (field, (_, at)) in best {
        targets[at] = Some(Target::Field(field));
    }
}

/// Makes the columns that remain extras, under names that neither a field nor another extra has.
fn name_extras(columns: &[String], targets: Vec<Option<Target>>) -> Vec<Target> {
    let mut used = HashSet::new();
    let mut free_name = |column: &str| {
        let mut base = column.to_owned();
        clean(&mut base);
        let mut name = base.clone();
        let mut n = 2;
        while is_reserved(&name) || !used.insert(name.clone()) {
            name = format!("{base}_{n}");
            n += 1;
        }
        name
    };
    columns
        .iter()
        .zip(targets)
        .map(|(column, target)| match target {
            Some(Target::Extra(_)) | None => Target::Extra(free_name(column)),
            Some(target) => target,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(mapping: &Mapping, columns: &[&str]) -> Vec<String> {
        mapping.describe(columns).iter().map(|u| format!("{}={}", u.column, u.target)).collect()
    }

    #[test]
    fn the_surest_header_wins_and_the_others_are_kept() {
        assert_eq!(
            uses(&Mapping::default(), &["SKU", "name", "Title", "商品编号", "现价", "属性.材质", "shop"]),
            [
                "SKU=id",
                "name=extra",
                "Title=title",
                "商品编号=extra",
                "现价=price",
                "attr.材质=attr.材质",
                "shop=extra"
            ]
            .map(|s| s.replace("attr.材质=", "属性.材质="))
        );
    }

    #[test]
    fn a_mapping_wins_over_recognition() {
        let mut mapping = Mapping::default();
        mapping
            .apply(&["title=Long Name", "category=c2", "category=c1", "attr.色=colour", "extra=price"])
            .unwrap();
        let columns = ["id", "title", "long_name", "c1", "c2", "colour", "price"];
        assert_eq!(
            uses(&mapping, &columns),
            [
                "id=id",
                "title=extra",
                "long_name=title",
                "c1=category",
                "c2=category",
                "colour=attr.色",
                "price=extra"
            ]
        );
        let plan = Plan::new(&mapping, columns.map(str::to_owned).to_vec());
        assert_eq!(plan.targets[1], Target::Extra("title_2".into()), "a stored product has one title");
        assert_eq!((plan.order[3], plan.order[4]), (1, 0));
        let plan = Plan::new(&mapping, vec!["id".into(), "title".into()]);
        assert_eq!(plan.lacks(), Some(ProductField::Title), "no falling back on a header when one is mapped");
        assert_eq!(plan.missing[0], ("title".to_owned(), "Long Name".to_owned()));
    }

    #[test]
    fn extras_have_names_of_their_own() {
        let plan =
            Plan::new(&Mapping::default(), ["id", "title", "x", "x", "x_2"].map(str::to_owned).to_vec());
        let names: Vec<_> = plan.targets[2..].to_vec();
        assert_eq!(names, ["x", "x_2", "x_2_2"].map(|n| Target::Extra(n.into())));
    }
}
