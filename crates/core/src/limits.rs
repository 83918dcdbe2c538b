//! How much a product may hold. Shops' products have a tenth of it at most; what has more is damaged, or made to hold up
//! whoever reads it: paths of a category, repeated values and long lists cost more than their length.

/// Longest id, in bytes; ids are keys of the store.
pub const MAX_ID_BYTES: usize = 512;
/// Most steps of a category path. A filter looks at each beginning of the path.
pub const MAX_CATEGORY_STEPS: usize = 32;
/// Most tags.
pub const MAX_TAGS: usize = 1_000;
/// Most attributes.
pub const MAX_ATTRIBUTES: usize = 1_000;
/// Most values of one attribute.
pub const MAX_ATTRIBUTE_VALUES: usize = 1_000;
/// Most fields that have no place of their own; and most columns of a catalogue.
pub const MAX_FIELDS: usize = 4_096;
/// Deepest nesting of arrays and objects in a field. What reads JSON gives up at 128.
pub const MAX_NESTING: usize = 64;
