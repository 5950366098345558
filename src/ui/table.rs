//! Tables without lines, so that they can be searched and cut.

use comfy_table::{ContentArrangement, Table, presets};

use super::text::safe;

/// A table of columns that are as wide as they need to be.
pub(crate) fn table<R, C>(heads: &[&str], rows: R) -> String
where
    R: IntoIterator<Item = Vec<C>>,
    C: AsRef<str>,
{
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if !heads.is_empty() {
        table.set_header(heads);
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| safe(cell.as_ref()).into_owned()));
    }
    // Columns are padded; a line's end is not.
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}
