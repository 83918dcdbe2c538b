use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::headers::attribute_name;
use crate::plan::Plan;
use crate::{ColumnUse, MappingError, ProductField};

/// Which columns are which fields. Fields that it does not name take the column with the usual header, if there is one
/// ([`ProductField::headers`]); it wins over those.
///
/// ```toml
/// title = "商品名称"
/// category = ["一级类目", "二级类目"]   # category and tags take several columns
/// extra = ["price_old"]              # keep these as they are, whatever their headers look like
/// [attributes]
/// "材质" = "面料"                     # a Chinese key stands in quotes
/// [constants]                        # where a product has no value of its own
/// currency = "CNY"
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    pub(crate) fields: BTreeMap<ProductField, Vec<String>>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) extra: Vec<String>,
    pub(crate) constants: BTreeMap<ProductField, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl From<OneOrMore> for Vec<String> {
    fn from(value: OneOrMore) -> Self {
        match value {
            OneOrMore::One(one) => vec![one],
            OneOrMore::More(more) => more,
        }
    }
}

/// A mapping file. `attributes` is a table of columns, or one column that holds all of them.
#[derive(Deserialize)]
struct File {
    attributes: Option<AttributesEntry>,
    #[serde(default)]
    constants: BTreeMap<String, String>,
    #[serde(default)]
    extra: Vec<String>,
    #[serde(flatten)]
    fields: BTreeMap<String, OneOrMore>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AttributesEntry {
    Column(String),
    Columns(BTreeMap<String, String>),
}

impl Mapping {
    /// Reads a mapping file's text.
    pub fn from_toml(text: &str) -> Result<Self, MappingError> {
        let file: File = toml::from_str(text).map_err(|e| MappingError::Toml { source: Box::new(e) })?;
        let mut mapping = Self { extra: file.extra, ..Self::default() };
        for (name, columns) in file.fields {
            mapping.fields.insert(field(&name)?, columns.into());
        }
        match file.attributes {
            Some(AttributesEntry::Column(column)) => {
                mapping.fields.insert(ProductField::Attributes, vec![column]);
            }
            Some(AttributesEntry::Columns(columns)) => mapping.attributes = columns,
            None => {}
        }
        for (name, value) in file.constants {
            let field = field(&name)?;
            if field.is_required() {
                return Err(MappingError::Constant { field });
            }
            mapping.constants.insert(field, value);
        }
        mapping.check()?;
        Ok(mapping)
    }

    /// Reads a mapping file.
    pub fn from_file(path: &Path) -> Result<Self, MappingError> {
        let text = fs::read_to_string(path)
            .map_err(|source| MappingError::Unreadable { path: path.into(), source })?;
        Self::from_toml(text.strip_prefix('\u{feff}').unwrap_or(&text))
    }

    /// Applies pairs `field=column`, `attr.NAME=column` and `extra=column`. What they say of a field replaces what was
    /// said before; a field named twice among them takes both columns. On an error nothing is changed.
    pub fn apply(&mut self, pairs: &[impl AsRef<str>]) -> Result<(), MappingError> {
        let mut fields: BTreeMap<ProductField, Vec<String>> = BTreeMap::new();
        let mut changed = self.clone();
        for pair in pairs.iter().map(AsRef::as_ref) {
            let (name, column) = pair
                .split_once('=')
                .map(|(name, column)| (name.trim(), column.trim()))
                .filter(|(name, column)| !name.is_empty() && !column.is_empty())
                .ok_or_else(|| MappingError::Syntax { pair: pair.to_owned() })?;
            if name == "extra" {
                changed.extra.push(column.to_owned());
            } else if let Some(attribute) = attribute_name(name) {
                changed.attributes.insert(attribute.to_owned(), column.to_owned());
            } else {
                fields.entry(field(name)?).or_default().push(column.to_owned());
            }
        }
        changed.fields.extend(fields);
        changed.check()?;
        *self = changed;
        Ok(())
    }

    /// Where each of a file's columns goes.
    pub fn describe(&self, columns: &[impl AsRef<str>]) -> Vec<ColumnUse> {
        Plan::new(self, columns.iter().map(|c| c.as_ref().to_owned()).collect()).uses()
    }

    fn check(&self) -> Result<(), MappingError> {
        for (field, columns) in &self.fields {
            if columns.len() != 1 && !field.takes_several() {
                return Err(MappingError::SeveralColumns { field: *field, columns: columns.clone() });
            }
        }
        let uses = self
            .fields
            .iter()
            .flat_map(|(field, columns)| columns.iter().map(move |column| (column, field.to_string())))
            .chain(self.attributes.iter().map(|(name, column)| (column, format!("attr.{name}"))))
            .chain(self.extra.iter().map(|column| (column, "extra".to_owned())));
        let mut known = HashMap::new();
        for (column, second) in uses {
            if let Some(first) = known.insert(column, second.clone()) {
                return Err(MappingError::SharedColumn { column: column.clone(), first, second });
            }
        }
        Ok(())
    }
}

fn field(name: &str) -> Result<ProductField, MappingError> {
    name.to_ascii_lowercase().parse().map_err(|_| MappingError::UnknownField { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_and_pairs() {
        let mut mapping = Mapping::from_toml(
            "id = '商品编码'\ntitle = '名'\ncategory = ['一级', '二级']\nextra = ['旧价']\n\
             [attributes]\n\"材质\" = '面料'\n[constants]\ncurrency = 'CNY'\n",
        )
        .unwrap();
        assert_eq!(mapping.fields[&ProductField::Category], ["一级", "二级"]);
        mapping.apply(&["title = 商品名称", "attr.颜色=色", "category=类"]).unwrap();
        assert_eq!(mapping.fields[&ProductField::Title], ["商品名称"]);
        assert_eq!(mapping.fields[&ProductField::Category], ["类"]);
        assert_eq!(mapping.fields[&ProductField::Id], ["商品编码"]);
        assert_eq!(mapping.attributes.len(), 2);
        let column = Mapping::from_toml("attributes = 'props'").unwrap();
        assert_eq!(column.fields[&ProductField::Attributes], ["props"]);
    }

    #[test]
    fn mistakes_are_named() {
        let mut mapping = Mapping::default();
        for (pairs, part) in [
            (vec!["title"], "field=column"),
            (vec!["title="], "field=column"),
            (vec!["colour=x"], "`colour` is not a field"),
            (vec!["title=a", "title=b"], "takes one column"),
            (vec!["title=a", "brand=a"], "both `title` and `brand`"),
        ] {
            let message = mapping.apply(&pairs).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(mapping, Mapping::default(), "a refused pair changes nothing");
        for text in [
            "材质 = 'x'",
            "title = ",
            "title = 3",
            "colour = 'x'",
            "[constants]\nid = '1'",
            "[constants]\nprice = 1",
        ] {
            assert!(Mapping::from_toml(text).is_err(), "{text}");
        }
    }
}
