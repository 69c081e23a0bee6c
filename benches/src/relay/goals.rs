//! What the tunnel is to reach, beside the programs that one would take in its place.

use super::{
    measure::Measure,
    table::{Row, Spread},
};

/// Prints whether the row of that name reaches what it should, as far as it was measured.
pub fn print(tables: &[(Measure, Vec<Row>)], own: &str, nginx: &str, haproxy: &str) {
    println!("\n### Goals of {own}\n");
    println!("| | goal | is | |");
    println!("|---|---|--:|---|");
    for (measure, rows) in tables {
        let of = |name: &str, what: fn(&Row) -> Option<Spread>| {
            let row = rows.iter().find(|row| row.name == name)?;
            Some(what(row)?.median)
        };
        let figure = |name| of(name, Row::figure);
        let both = figure(nginx).zip(figure(haproxy));
        match measure {
            Measure::Bulk { connections: 8, .. } => {
                let more = quotient(figure(own), figure(haproxy));
                line(measure, &format!("at least 1.3 × {haproxy}"), more, |is| {
                    is >= 1.3
                });
                let spent = quotient(of(own, Row::micros), of(haproxy, Row::micros));
                let goal = format!("at most 0.6 × {haproxy}'s CPU");
                line(measure, &goal, spent, |is| is <= 0.6);
            }
            Measure::RoundTrips { connections: 32 } => {
                let most = both.map(|(one, other)| one.max(other));
                let goal = format!("no fewer than {nginx} and {haproxy}");
                line(measure, &goal, quotient(figure(own), most), |is| is >= 1.0);
            }
            Measure::Idle { .. } => {
                let least = both.map(|(one, other)| one.min(other));
                let goal = format!("below {nginx} and {haproxy}");
                line(measure, &goal, quotient(figure(own), least), |is| is < 1.0);
            }
            _ => {}
        }
    }
}

fn quotient(own: Option<f64>, other: Option<f64>) -> Option<f64> {
    own.zip(other).map(|(own, other)| own / other)
}

fn line(measure: &Measure, goal: &str, is: Option<f64>, is_met: impl Fn(f64) -> bool) {
    if let Some(is) = is {
        let judgement = if is_met(is) { "met" } else { "missed" };
        println!("| {measure} | {goal} | {is:.2} × | {judgement} |");
    }
}
