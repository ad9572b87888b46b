//! Tables that show ours first and everybody else as a ratio to it.

use std::fmt;

/// Rows of one figure; the first row is what the others are compared with.
#[derive(Clone, Debug)]
pub struct Table {
    title: String,
    unit: String,
    rows: Vec<(String, f64, String)>,
}

impl Table {
    /// A table of figures in this unit; less is better.
    pub fn new(title: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { title: title.into(), unit: unit.into(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, name: impl Into<String>, figure: f64) -> &mut Self {
        self.row_with(name, figure, "")
    }

    /// Adds a row with a remark, such as the allocations it took.
    pub fn row_with(&mut self, name: impl Into<String>, figure: f64, remark: impl Into<String>) -> &mut Self {
        self.rows.push((name.into(), figure, remark.into()));
        self
    }
}

/// Whether a row is to be measured: all are, unless the program was given a part of their names.
pub fn is_wanted(name: &str) -> bool {
    std::env::args().nth(1).is_none_or(|part| name.contains(&part))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { title, unit, rows } = self;
        let width =
            rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0).max(title.chars().count());
        writeln!(f, "{title:<width$} {unit:>12} {:>10}", "ratio")?;
        let reference = rows.first().map_or(f64::NAN, |&(_, figure, _)| figure);
        for (name, figure, remark) in rows {
            let line = format!("{name:<width$} {figure:>12.2} {:>8.2} x  {remark}", figure / reference);
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_compared_with_the_first_row() {
        let mut table = Table::new("counter, one thread", "ns");
        table.row("ours", 0.5).row_with("raw fetch_add", 5.0, "the limit of shared atomics");
        assert_eq!(
            table.to_string(),
            "counter, one thread           ns      ratio\n\
             ours                        0.50     1.00 x\n\
             raw fetch_add               5.00    10.00 x  the limit of shared atomics\n"
        );
    }
}
