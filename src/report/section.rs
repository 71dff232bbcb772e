//! What is a part of the page made of?

use super::figure::Figure;

/// A number that is seen first, and what it is.
pub(super) struct Card {
    pub(super) number: String,
    pub(super) what: String,
}

/// Rows under a head.
pub(super) struct Table {
    /// What it shows; empty where the lines above say so.
    pub(super) title: &'static str,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// `None` without rows. Columns in which nothing stands are left out.
    pub(super) fn of(title: &'static str, head: &[&'static str], rows: Vec<Vec<String>>) -> Option<Self> {
        let is_told: Vec<bool> = (0..head.len())
            .map(|column| rows.iter().any(|row| row.get(column).is_some_and(|cell| !cell.is_empty())))
            .collect();
        let kept = |cells: Vec<String>| -> Vec<String> {
            cells.into_iter().zip(&is_told).filter(|(_, told)| **told).map(|(cell, _)| cell).collect()
        };
        let head = head.iter().zip(&is_told).filter(|(_, told)| **told).map(|(name, _)| *name).collect();
        (!rows.is_empty()).then(|| Table { title, head, rows: rows.into_iter().map(kept).collect() })
    }
}

/// A question, what is said to it, and what shows it.
#[derive(Default)]
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) lines: Vec<String>,
    pub(super) figures: Vec<Figure>,
    pub(super) tables: Vec<Table>,
    pub(super) notes: Vec<String>,
}

/// What something says of itself, line by line, each with a capital letter.
pub(super) fn lines_of(told: &impl std::fmt::Display) -> Vec<String> {
    let lines = told.to_string();
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(capital).collect()
}

fn capital(line: &str) -> String {
    let mut letters = line.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
