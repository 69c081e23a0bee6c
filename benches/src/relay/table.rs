//! Figures beside each other, as Markdown tables.

use super::measure::{Measure, Sample};

/// A candidate's samples of one measure; none if it is not installed.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    pub samples: Option<Vec<Sample>>,
}

/// The middle of some figures, the least and the most.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Row {
    /// What is measured.
    #[must_use]
    pub fn figure(&self) -> Option<Spread> {
        self.spread(|sample| Some(sample.figure))
    }

    /// The proxy's processor time for a piece of it.
    #[must_use]
    pub fn micros(&self) -> Option<Spread> {
        self.spread(|sample| sample.micros)
    }

    fn ends(&self) -> Option<Spread> {
        self.spread(|sample| sample.ends)
    }

    fn spread(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        let samples = self.samples.iter().flatten();
        let mut sorted: Vec<f64> = samples.filter_map(of).collect();
        sorted.sort_by(f64::total_cmp);
        Some(Spread {
            median: *sorted.get(sorted.len() / 2)?,
            least: *sorted.first()?,
            most: *sorted.last()?,
        })
    }

    fn others(&self) -> f64 {
        let samples = self.samples.iter().flatten();
        samples.map(|sample| sample.others).fold(0.0, f64::max)
    }
}

/// Prints what was measured, each compared with the row of that name.
pub fn print(measure: Measure, rows: &[Row], base: &str) {
    let (unit, piece) = (measure.unit(), measure.piece());
    println!("\n### {measure}\n");
    println!(
        "| | {unit} | × {base} | from – to | CPU µs a {piece} | × {base} | from – to | both ends' | others |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    let base = rows.iter().find(|row| row.name == base);
    let (figure, micros) = (base.and_then(Row::figure), base.and_then(Row::micros));
    for row in rows {
        if row.samples.is_none() {
            println!("| {} | not installed | | | | | | | |", row.name);
            continue;
        }
        println!(
            "| {} | {} | {} | {} | {:.2} |",
            row.name,
            cells(row.figure(), figure),
            cells(row.micros(), micros),
            row.ends().map_or_else(none, |ends| number(ends.median)),
            row.others()
        );
    }
}

/// Prints all medians in one table, each with its ratio to the column of that name.
pub fn summary(tables: &[(Measure, Vec<Row>)], base: &str) {
    let Some((_, first)) = tables.first() else {
        return;
    };
    let names: Vec<_> = first.iter().map(|row| row.name).collect();
    println!("\n### All of it, and × {base}\n");
    println!("| | {} |", names.join(" | "));
    println!("|---|{}", "--:|".repeat(names.len()));
    for (measure, rows) in tables {
        let (unit, piece) = (measure.unit(), measure.piece());
        line(&format!("{measure}: {unit}"), rows, base, Row::figure);
        line(&format!("CPU µs a {piece}"), rows, base, Row::micros);
    }
}

fn line(title: &str, rows: &[Row], base: &str, of: fn(&Row) -> Option<Spread>) {
    if !rows.iter().any(|row| of(row).is_some()) {
        return;
    }
    let base = rows.iter().find(|row| row.name == base).and_then(of);
    let cells: Vec<_> = rows.iter().map(|row| cell(of(row), base)).collect();
    println!("| {title} | {} |", cells.join(" | "));
}

fn cell(own: Option<Spread>, base: Option<Spread>) -> String {
    match (own, base) {
        (None, _) => none(),
        (Some(own), None) => number(own.median),
        (Some(own), Some(base)) => {
            format!("{} ({:.2})", number(own.median), own.median / base.median)
        }
    }
}

fn cells(own: Option<Spread>, base: Option<Spread>) -> String {
    let Some(own) = own else {
        return "– | – | –".into();
    };
    let times = base.map_or_else(none, |base| format!("{:.2}", own.median / base.median));
    format!(
        "{} | {times} | {} – {}",
        number(own.median),
        number(own.least),
        number(own.most)
    )
}

fn none() -> String {
    "–".into()
}

/// Writes three digits, or all there are before the point, by thousands.
fn number(number: f64) -> String {
    if number.abs() < 10.0 {
        return format!("{number:.2}");
    }
    if number.abs() < 100.0 {
        return format!("{number:.1}");
    }
    let digits = format!("{:.0}", number.abs());
    let mut written = String::from(if number < 0.0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            written.push(',');
        }
        written.push(digit);
    }
    written
}
