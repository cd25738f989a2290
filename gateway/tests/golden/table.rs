//! A table in a text file: cells between bars, aligned, with comment lines in between.
//!
//! Not here: what the cells mean.

use std::fmt::Write;
use std::path::PathBuf;

/// A table as its file has it.
pub(crate) struct Table {
    path: PathBuf,
    lines: Vec<Line>,
}

/// A line of the file.
enum Line {
    /// A comment, or an empty line.
    Text(String),
    /// The first is the head.
    Row(Vec<String>),
}

impl Table {
    /// The table of this name. The first row names the columns.
    pub(crate) fn read(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let line = |line: &str| {
            if line.trim().is_empty() || line.starts_with('#') {
                return Line::Text(line.to_owned());
            }
            Line::Row(line.split('|').map(|cell| cell.trim().to_owned()).collect())
        };
        let mut table = Self { lines: text.lines().map(line).collect(), path };
        let width = table.head().len();
        for cells in table.rows_mut() {
            assert!(cells.len() <= width, "more cells than columns: {cells:?}");
            cells.resize(width, String::new());
        }
        table
    }

    /// The names of the columns.
    pub(crate) fn head(&self) -> &[String] {
        let rows = self.lines.iter().filter_map(Line::cells);
        rows.map(Vec::as_slice).next().expect("a table has a head")
    }

    /// The rows below the head.
    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut Vec<String>> {
        let rows = self.lines.iter_mut().filter_map(|line| match line {
            Line::Row(cells) => Some(cells),
            Line::Text(_) => None,
        });
        rows.skip(1)
    }

    /// Compares the table with its file, or writes it when that is wanted.
    pub(crate) fn settle(self) {
        let text = self.text();
        if std::env::var_os("RILL_GOLDEN").is_some_and(|wish| wish == "write") {
            return std::fs::write(&self.path, text).unwrap();
        }
        let file = std::fs::read_to_string(&self.path).unwrap();
        let mut differences = String::new();
        for (was, is) in file.lines().zip(text.lines()).filter(|(was, is)| was != is) {
            writeln!(differences, "- {was}\n+ {is}").unwrap();
        }
        assert!(
            differences.is_empty() && file.lines().count() == text.lines().count(),
            "{} says otherwise (RILL_GOLDEN=write writes it anew):\n{differences}",
            self.path.display()
        );
    }

    fn text(&self) -> String {
        let mut widths = vec![0; self.head().len()];
        for cells in self.lines.iter().filter_map(Line::cells) {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for line in &self.lines {
            match line {
                Line::Text(comment) => text.push_str(comment),
                Line::Row(cells) => {
                    let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
                    text.push_str(padded.collect::<Vec<_>>().join(" | ").trim_end());
                }
            }
            text.push('\n');
        }
        text
    }
}

impl Line {
    fn cells(&self) -> Option<&Vec<String>> {
        match self {
            Self::Row(cells) => Some(cells),
            Self::Text(_) => None,
        }
    }
}
