//! What is printed: for people as wide as their terminal is, for programs as JSON.
//!
//! Keys and values come from elsewhere, so no control character in them reaches the terminal.

use std::borrow::Cow;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _};

use serde::Serialize;

use crate::failure::Failure;

/// See the module.
pub(crate) struct Out {
    writer: BufWriter<StdoutLock<'static>>,
    pub(crate) json: bool,
    width: usize,
}

impl Out {
    pub(crate) fn new(json: bool) -> Self {
        let stdout = io::stdout();
        Self {
            width: width(stdout.is_terminal()),
            writer: BufWriter::new(stdout.lock()),
            json,
        }
    }

    /// One line, however long.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        Ok(writeln!(self.writer, "{}", plain(line.as_ref()))?)
    }

    /// Words, on as many lines as they need; all but the first begin with `indent` blanks.
    pub(crate) fn text(&mut self, text: &str, indent: usize) -> Result<(), Failure> {
        for line in wrapped(text, self.width, indent) {
            self.line(line)?;
        }
        Ok(())
    }

    /// Names and what is to be said of each.
    pub(crate) fn facts(&mut self, facts: &[(&str, String)]) -> Result<(), Failure> {
        let names = facts.iter().map(|(name, _)| name.chars().count());
        let column = names.max().unwrap_or(0) + 2;
        for (name, fact) in facts {
            for (at, line) in fact.lines().enumerate() {
                let name = if at == 0 { name } else { "" };
                self.text(&format!("{name:column$}{line}"), column)?;
            }
        }
        Ok(())
    }

    /// Rows under a head, or where these are too wide, each row as a line and what there is to say of it.
    pub(crate) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([head[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..head.len()).map(width).collect();
        let whole = widths.iter().sum::<usize>() + 2 * (head.len() - 1);
        if whole > self.width {
            return rows.iter().try_for_each(|row| self.stacked(head, row));
        }
        let head: Vec<_> = head.iter().map(|name| (*name).to_owned()).collect();
        for row in std::iter::once(&head).chain(rows) {
            let cells = row.iter().zip(&widths);
            let cells: Vec<_> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            self.line(cells.join("  ").trim_end())?;
        }
        Ok(())
    }

    fn stacked(&mut self, head: &[&str], row: &[String]) -> Result<(), Failure> {
        self.line(&row[0])?;
        let rest = head.iter().zip(row).skip(1);
        let rest = rest.filter(|(_, cell)| !cell.is_empty());
        let rest: Vec<_> = rest.map(|(name, cell)| format!("{name} {cell}")).collect();
        self.text(&format!("  {}", rest.join(", ")), 2)
    }

    pub(crate) fn json(&mut self, answer: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.writer, answer)?;
        Ok(writeln!(self.writer)?)
    }

    /// One line of many.
    pub(crate) fn json_line(&mut self, answer: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.writer, answer)?;
        Ok(writeln!(self.writer)?)
    }

    /// As it is.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.writer.write_all(bytes)?)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.writer.flush()?)
    }
}

/// Of the terminal, or what `COLUMNS` says of one; any where there is none.
fn width(is_terminal: bool) -> usize {
    const NARROWEST: usize = 20;
    let told = std::env::var("COLUMNS").ok();
    let told = told.and_then(|columns| columns.parse().ok());
    let seen = || terminal_size::terminal_size().map(|(width, _)| width.0.into());
    let width = told.or_else(|| is_terminal.then(seen).flatten());
    width.map_or(usize::MAX, |width: usize| width.max(NARROWEST))
}

/// Without control characters, which a terminal might obey.
fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect::<String>().into()
}

/// Breaks at blanks alone, so that what is to be copied stays whole.
fn wrapped(text: &str, width: usize, indent: usize) -> Vec<String> {
    let (mut lines, mut line, mut has_word) = (Vec::new(), String::new(), false);
    for word in text.split_inclusive(' ') {
        let length = line.chars().count() + word.trim_end().chars().count();
        let fits = length <= width;
        if !fits && has_word && !line.trim().is_empty() {
            lines.push(line.trim_end().to_owned());
            line = " ".repeat(indent.min(width / 2));
        }
        line.push_str(word);
        has_word |= !word.trim().is_empty();
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// How many, in words.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}

/// To the second, or below one to the millisecond.
pub(crate) fn time(time: std::time::Duration) -> String {
    use std::time::Duration;
    let rounded = match time.as_secs() {
        0 => Duration::from_millis(time.as_millis() as u64),
        seconds => Duration::from_secs(seconds),
    };
    match rounded.is_zero() {
        true => "0ms".to_owned(),
        false => humantime::format_duration(rounded).to_string(),
    }
}

pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut units = UNITS.iter();
    let (mut number, mut unit) = (bytes as f64, None);
    while number >= 1024.0 {
        let Some(next) = units.next() else { break };
        (number, unit) = (number / 1024.0, Some(next));
    }
    match unit {
        None => format!("{bytes} B"),
        Some(unit) => format!("{number:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_break_at_blanks_and_words_stay_whole() {
        assert_eq!(wrapped("kind   value", 40, 7), ["kind   value"]);
        assert_eq!(
            wrapped("reader  would not take it", 16, 8),
            ["reader  would", "        not take", "        it"]
        );
        let key = "user:".repeat(9);
        assert_eq!(wrapped(&key, 20, 2), std::slice::from_ref(&key));
    }

    #[test]
    fn no_control_character_reaches_a_terminal() {
        assert_eq!(plain("user:\u{1b}[2J\u{9b}x"), "user:\\u{1b}[2J\\u{9b}x");
        assert_eq!(plain("Köln"), "Köln");
    }

    #[test]
    fn times_and_sizes_are_short() {
        let times = [0, 12, 999, 1500, 600_000].map(|ms| time(Duration::from_millis(ms)));
        assert_eq!(times, ["0ms", "12ms", "999ms", "1s", "10m"]);
        let sizes = [0, 1023, 1536, 64 << 20].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.5 KiB", "64.0 MiB"]);
    }
}
