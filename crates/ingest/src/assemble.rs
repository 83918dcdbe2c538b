use serde_json::Value;
use xunpin_core::limits::{MAX_ID_BYTES, MAX_TAGS};
use xunpin_core::{Product, ProductError};

use crate::plan::{Plan, Target};
use crate::record::Problem;
use crate::values;
use crate::{Mapping, ProductField};

/// Makes a product of one row: `cells` are column numbers of `plan` with their values.
pub(crate) fn assemble(
    plan: &Plan,
    mapping: &Mapping,
    cells: impl Iterator<Item = (usize, Value)>,
) -> Result<Product, Box<Problem>> {
    let mut draft = Draft::default();
    for (at, value) in cells {
        draft.take(plan, at, value);
    }
    draft.finish(plan, mapping).map_err(Box::new)
}

/// `problem` of one cell, with the id that the row's other cells gave.
pub(crate) fn blame(problem: Problem, others: Result<Product, Box<Problem>>) -> Box<Problem> {
    let id = match others {
        Ok(product) => Some(product.id),
        Err(other) => other.id,
    };
    Box::new(Problem { id, ..problem })
}

#[derive(Default)]
struct Draft {
    product: Product,
    /// The currency written in the price, used where no column says it.
    price_currency: Option<&'static str>,
    /// Parts of fields that take several columns, with their order.
    category: Vec<(usize, Vec<String>)>,
    tags: Vec<(usize, Vec<String>)>,
    /// The first fault; the cells after it are still read for the id.
    problem: Option<Problem>,
}

impl Draft {
    fn take(&mut self, plan: &Plan, at: usize, value: Value) {
        if value.is_null() {
            if let Target::Extra(name) = &plan.targets[at] {
                self.product.extra.insert(name.clone(), value);
            }
            return;
        }
        match &plan.targets[at] {
            Target::Extra(name) => {
                self.product.extra.insert(name.clone(), values::extra(value));
            }
            Target::Attribute(name) => match values::attribute_column(value) {
                Ok(found) => values::add(&mut self.product.attributes, name, found),
                Err(problem) => self.fail(&plan.columns[at], &format!("attributes.{name}"), problem),
            },
            Target::Field(field) => {
                if let Err((part, problem)) = self.set(*field, plan.order[at], value) {
                    let name = match part {
                        Some(part) => format!("{field}.{part}"),
                        None => field.to_string(),
                    };
                    self.fail(&plan.columns[at], &name, problem);
                }
            }
        }
    }

    /// Sets a field; an error may name a part of it.
    fn set(
        &mut self,
        field: ProductField,
        order: usize,
        value: Value,
    ) -> Result<(), (Option<String>, String)> {
        let whole = |problem| (None, problem);
        let product = &mut self.product;
        match field {
            ProductField::Id => product.id = values::id(value).map_err(whole)?.unwrap_or_default(),
            ProductField::Title => product.title = values::text(value).map_err(whole)?.unwrap_or_default(),
            ProductField::Brand => product.brand = values::text(value).map_err(whole)?,
            ProductField::Category => self.category.push((order, values::category(value).map_err(whole)?)),
            ProductField::Price => {
                if let Some((price, currency)) = values::price(&value).map_err(whole)? {
                    product.price = Some(price);
                    self.price_currency = currency;
                }
            }
            ProductField::Currency => product.currency = values::currency(value).map_err(whole)?,
            ProductField::Attributes => {
                for (name, found) in values::attributes(value)? {
                    values::add(&mut product.attributes, &name, found);
                }
            }
            ProductField::Description => product.description = values::description(value).map_err(whole)?,
            ProductField::Tags => self.tags.push((order, values::tags(value).map_err(whole)?)),
            ProductField::Stock => product.stock = values::stock(&value).map_err(whole)?,
            ProductField::UpdatedAt => product.updated_at = values::text(value).map_err(whole)?,
        }
        Ok(())
    }

    fn fail(&mut self, column: &str, field: &str, problem: String) {
        if self.problem.is_none() {
            let column = if column == field { String::new() } else { format!(" (column `{column}`)") };
            self.problem = Some(Problem::field(field, format!("{problem}{column}")));
        }
    }

    fn finish(mut self, plan: &Plan, mapping: &Mapping) -> Result<Product, Problem> {
        self.join_parts();
        for (field, value) in &mapping.constants {
            if self.is_unset(*field) {
                if let Err((_, problem)) = self.set(*field, 0, Value::String(value.clone())) {
                    self.fail("the mapping's constants", field.name(), problem);
                }
                self.join_parts();
            }
        }
        let product = &mut self.product;
        if product.currency.is_none() {
            product.currency = self.price_currency.map(str::to_owned);
        }
        let problem = self.problem.or_else(|| product.validate().err().map(|e| explain(e, plan)));
        match problem {
            None => Ok(self.product),
            Some(problem) => {
                // Longer ones are no ids anyway.
                let id = Some(self.product.id).filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()));
                Err(Problem { id, ..problem })
            }
        }
    }

    fn is_unset(&self, field: ProductField) -> bool {
        let product = &self.product;
        match field {
            ProductField::Id => product.id.is_empty(),
            ProductField::Title => product.title.is_empty(),
            ProductField::Brand => product.brand.is_none(),
            ProductField::Category => product.category.is_empty(),
            ProductField::Price => product.price.is_none(),
            // A currency in the price counts as given.
            ProductField::Currency => product.currency.is_none() && self.price_currency.is_none(),
            ProductField::Attributes => product.attributes.is_empty(),
            ProductField::Description => product.description.is_none(),
            ProductField::Tags => product.tags.is_empty(),
            ProductField::Stock => product.stock.is_none(),
            ProductField::UpdatedAt => product.updated_at.is_none(),
        }
    }

    fn join_parts(&mut self) {
        self.category.sort_by_key(|(order, _)| *order);
        self.product.category.extend(self.category.drain(..).flat_map(|(_, steps)| steps));
        self.tags.sort_by_key(|(order, _)| *order);
        for tag in self.tags.drain(..).flat_map(|(_, tags)| tags) {
            // One more than may be kept, as in `values::add`.
            if self.product.tags.len() <= MAX_TAGS && !self.product.tags.contains(&tag) {
                self.product.tags.push(tag);
            }
        }
    }
}

fn explain(error: ProductError, plan: &Plan) -> Problem {
    match error {
        ProductError::Missing { field } => {
            let mut problem = "missing or empty; every product needs one".to_owned();
            let known: ProductField = if field == "id" { ProductField::Id } else { ProductField::Title };
            if !plan.has(known) {
                const SHOWN: usize = 20;
                let names: Vec<_> =
                    plan.columns.iter().take(SHOWN).map(|c| crate::text::excerpt(c)).collect();
                problem +=
                    &format!("; if one of {} is it, say so with `--map {field}=NAME`", names.join(", "));
            }
            Problem::field(field, problem)
        }
        ProductError::Invalid { field, problem } => Problem::field(field, problem),
        other => Problem::line(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn product(mapping: &Mapping, row: Value) -> Result<Product, Box<Problem>> {
        let Value::Object(row) = row else { panic!("an object") };
        let plan = Plan::new(mapping, row.keys().cloned().collect());
        assemble(&plan, mapping, row.into_iter().map(|(_, value)| value).enumerate())
    }

    #[test]
    fn a_row_becomes_a_product() {
        let mapping = Mapping::from_toml("category = ['c1', 'c2']\n[constants]\nbrand = '自有'").unwrap();
        let row = json!({"sku": 7, "名称": " 面霜 ", "c2": "面霜", "c1": "护肤", "售价": "¥1,299", "库存": "12",
            "tags": ["滋润", "滋润"], "attr.肤质": "干皮,敏感肌", "shop": {"id": 3}, "note": null});
        let product = product(&mapping, row).unwrap();
        assert_eq!(
            serde_json::to_value(&product).unwrap(),
            json!({"id": "7", "title": "面霜", "brand": "自有", "category": ["护肤", "面霜"], "price": 1299.0,
                "currency": "CNY", "attributes": {"肤质": ["干皮", "敏感肌"]}, "tags": ["滋润"], "stock": 12,
                "shop": {"id": 3}, "note": null})
        );
    }

    #[test]
    fn a_fault_names_field_column_and_id() {
        let fails = |row| *product(&Mapping::default(), row).unwrap_err();
        let problem = fails(json!({"售价": "abc", "name": "t", "id": "x"}));
        assert_eq!((problem.id.as_deref(), problem.field.as_deref()), (Some("x"), Some("price")));
        assert!(problem.problem.starts_with("\"abc\" is not a price"), "{}", problem.problem);
        assert!(problem.problem.ends_with("(column `售价`)"), "{}", problem.problem);
        let problem = fails(json!({"id": "x", "title": "t", "attributes": {"a": [["b"]]}}));
        assert_eq!(problem.field.as_deref(), Some("attributes.a"));
        let problem = fails(json!({"code": "x", "title": "t"}));
        assert!(problem.problem.contains("`--map id=NAME`") && problem.problem.contains("code"));
        let problem = fails(json!({"id": "x", "title": "t", "price": -1}));
        assert_eq!(problem.field.as_deref(), Some("price"));
    }

    #[test]
    fn a_price_keeps_the_currency_of_its_column() {
        let row = json!({"id": "1", "title": "t", "price": "¥5", "currency": "jpy"});
        assert_eq!(product(&Mapping::default(), row).unwrap().currency.as_deref(), Some("JPY"));
    }
}
