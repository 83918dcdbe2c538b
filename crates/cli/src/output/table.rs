//! Tables on a terminal or in a pipe, with Hanzi two columns wide.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A table of `rows` under `header`; columns whose index is in `right` are aligned right.
pub(crate) fn render(header: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    table.add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// `text` cut to `columns` terminal columns, with `…` where something was cut.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.width() <= columns {
        return text;
    }
    let mut width = 1;
    let kept: String = text
        .chars()
        .take_while(|c| {
            width += c.width().unwrap_or(0);
            width <= columns
        })
        .collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hanzi_are_two_columns_wide() {
        assert_eq!(cut("敏感肌抗老", 10), "敏感肌抗老");
        assert_eq!(cut("敏感肌抗老", 9), "敏感肌抗…");
        assert_eq!(cut("a\u{7}b", 9), "a b");
    }

    #[test]
    fn columns_line_up() {
        let table =
            render(&["id", "n"], &[1], vec![vec!["甲乙".into(), "7".into()], vec!["c".into(), "12".into()]]);
        let widths: Vec<usize> = table.lines().map(|l| l.width()).collect();
        assert_eq!(widths, [8, 8, 8], "{table}");
    }
}
