use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::Serialize;

use crate::UnknownName;

/// A field of a product that a column can be mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductField {
    /// The shop's id; required.
    Id,
    /// The title; required.
    Title,
    /// The maker's name.
    Brand,
    /// Category path; may take several columns, the widest first.
    Category,
    /// The price.
    Price,
    /// The currency code.
    Currency,
    /// All attributes in one column.
    Attributes,
    /// Running text.
    Description,
    /// Short labels; may take several columns.
    Tags,
    /// Pieces available.
    Stock,
    /// The shop's time of change.
    UpdatedAt,
}

/// Each field's name and the headers recognised as it, the surest first, as [`normalise`] writes them.
const HEADERS: [(ProductField, &str, &[&str]); 11] = [
    (
        ProductField::Id,
        "id",
        &[
            "id",
            "productid",
            "itemid",
            "goodsid",
            "skuid",
            "sku",
            "asin",
            "spuid",
            "numiid",
            "编号",
            "商品id",
            "商品编号",
            "商品编码",
            "产品id",
            "产品编号",
            "产品编码",
            "货号",
            "款号",
            "sku编码",
            "skuid编码",
            "宝贝id",
        ],
    ),
    (
        ProductField::Title,
        "title",
        &[
            "title",
            "producttitle",
            "productname",
            "itemtitle",
            "itemname",
            "goodstitle",
            "goodsname",
            "name",
            "标题",
            "商品标题",
            "商品名称",
            "商品名",
            "产品标题",
            "产品名称",
            "产品名",
            "宝贝标题",
            "宝贝名称",
            "品名",
            "名称",
        ],
    ),
    (ProductField::Brand, "brand", &["brand", "brandname", "品牌", "品牌名称", "品牌名", "商品品牌"]),
    (
        ProductField::Category,
        "category",
        &[
            "category",
            "categories",
            "categorypath",
            "categoryname",
            "类目",
            "商品类目",
            "分类",
            "商品分类",
            "品类",
            "商品品类",
            "类别",
            "类目路径",
        ],
    ),
    (
        ProductField::Price,
        "price",
        &[
            "price",
            "saleprice",
            "sellingprice",
            "currentprice",
            "价格",
            "商品价格",
            "售价",
            "销售价",
            "销售价格",
            "现价",
            "单价",
            "价格(元)",
            "售价(元)",
            "单价(元)",
        ],
    ),
    (ProductField::Currency, "currency", &["currency", "currencycode", "pricecurrency", "币种", "货币"]),
    (
        ProductField::Attributes,
        "attributes",
        &["attributes", "attrs", "属性", "商品属性", "产品属性", "规格参数", "产品参数", "商品参数"],
    ),
    (
        ProductField::Description,
        "description",
        &[
            "description",
            "desc",
            "productdescription",
            "text",
            "描述",
            "商品描述",
            "产品描述",
            "详情",
            "商品详情",
            "简介",
            "商品简介",
            "产品简介",
        ],
    ),
    (ProductField::Tags, "tags", &["tags", "tag", "标签", "商品标签", "卖点", "商品卖点"]),
    (
        ProductField::Stock,
        "stock",
        &[
            "stock",
            "stockquantity",
            "inventory",
            "quantity",
            "库存",
            "库存数",
            "库存量",
            "库存数量",
            "商品库存",
        ],
    ),
    (
        ProductField::UpdatedAt,
        "updated_at",
        &[
            "updatedat",
            "updatetime",
            "updatedtime",
            "lastmodified",
            "modifiedat",
            "更新时间",
            "更新日期",
            "修改时间",
        ],
    ),
];

/// What stands before an attribute's name in a header.
const ATTRIBUTE_PREFIXES: [&str; 4] = ["attributes.", "attribute.", "attr.", "属性."];

impl ProductField {
    /// Every field, in the order of [`Product`](xunpin_core::Product).
    pub fn all() -> impl Iterator<Item = Self> {
        HEADERS.iter().map(|(field, ..)| *field)
    }

    /// The field's name, such as `updated_at`.
    pub fn name(self) -> &'static str {
        // The order of `HEADERS` is that of the variants; a test holds it.
        HEADERS[self as usize].1
    }

    /// The headers recognised as this field, the surest first. Case, spaces, `_` and `-` in headers do not count.
    pub fn headers(self) -> &'static [&'static str] {
        HEADERS[self as usize].2
    }

    pub(crate) fn is_required(self) -> bool {
        matches!(self, Self::Id | Self::Title)
    }

    pub(crate) fn takes_several(self) -> bool {
        matches!(self, Self::Category | Self::Tags)
    }

    /// The field that `header` is recognised as, and how sure that is (0 is the surest).
    pub(crate) fn recognise(header: &str) -> Option<(Self, usize)> {
        static KNOWN: LazyLock<HashMap<&str, (ProductField, usize)>> = LazyLock::new(|| {
            HEADERS
                .iter()
                .flat_map(|(field, _, names)| {
                    names.iter().enumerate().map(|(rank, name)| (*name, (*field, rank)))
                })
                .collect()
        });
        KNOWN.get(normalise(header).as_str()).copied()
    }
}

impl fmt::Display for ProductField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ProductField {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::all().find(|field| field.name() == name).ok_or_else(|| UnknownName {
            name: name.to_owned(),
            expected: "id, title, brand, category, price, currency, attributes, description, tags, stock, updated_at",
        })
    }
}

/// The attribute that a header such as `attr.材质` names.
pub(crate) fn attribute_name(header: &str) -> Option<&str> {
    let header = header.trim();
    ATTRIBUTE_PREFIXES
        .iter()
        .find_map(|prefix| {
            let (start, name) = header.split_at_checked(prefix.len())?;
            start.eq_ignore_ascii_case(prefix).then_some(name.trim())
        })
        .filter(|name| !name.is_empty())
}

/// A header without what shops write differently: case, white space, `_`, `-`, full-width brackets.
pub(crate) fn normalise(header: &str) -> String {
    header
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-' | '\u{feff}'))
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            '（' => '(',
            '）' => ')',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_each_header_once() {
        let mut seen = std::collections::HashSet::new();
        for (at, field) in ProductField::all().enumerate() {
            assert_eq!(field as usize, at);
            assert_eq!(field.name().parse(), Ok(field));
            for header in field.headers() {
                assert_eq!(normalise(header), *header);
                assert!(seen.insert(header), "{header} is listed twice");
            }
        }
    }

    #[test]
    fn headers_are_recognised_however_they_are_spelt() {
        for (header, field) in [
            ("Product ID", ProductField::Id),
            ("sku_id", ProductField::Id),
            ("商品 编号", ProductField::Id),
            ("ITEM-NAME", ProductField::Title),
            ("商品名称", ProductField::Title),
            ("售价（元）", ProductField::Price),
            ("update_time", ProductField::UpdatedAt),
        ] {
            assert_eq!(ProductField::recognise(header).map(|r| r.0), Some(field), "{header}");
        }
        for header in ["shop", "sale_count", "原价", ""] {
            assert_eq!(ProductField::recognise(header), None, "{header}");
        }
        assert_eq!(attribute_name("Attr.材质"), Some("材质"));
        assert_eq!(attribute_name("属性.颜色"), Some("颜色"));
        assert_eq!(attribute_name("attr."), None);
        assert_eq!(attribute_name("属性"), None);
    }
}
