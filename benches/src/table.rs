//! Costs beside each other, as a Markdown table.

use std::fmt;

/// What one piece of work costs.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// As callgrind counts them, if it is there.
    pub instructions: Option<f64>,
    /// In the best round.
    pub nanoseconds: f64,
    /// Allocations and reallocations.
    pub allocations: f64,
}

/// What a candidate may cost at most, compared with the first of its group.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// So many more instructions and allocations.
    Over { instructions: f64, allocations: f64 },
    /// So many times the instructions.
    Times(f64),
    /// No more allocations, whatever else it costs.
    NoAllocation,
}

/// One line of a table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub cost: Cost,
    pub goal: Option<Goal>,
}

/// Prints the rows, each compared with the first.
pub fn print(title: &str, rows: &[Row]) {
    println!("\n### {title}\n");
    println!("| | instructions | more | × | ns | × | allocations | more | goal |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|---|");
    let Some(base) = rows.first().map(|row| row.cost) else {
        return;
    };
    for Row { name, cost, goal } in rows {
        let instructions = cost.instructions.zip(base.instructions);
        println!(
            "| {name} | {} | {} | {} | {:.0} | {:.2} | {} | {} | {} |",
            or_dash(cost.instructions, |count| format!("{count:.0}")),
            or_dash(instructions, |(cost, base)| format!("{:+.0}", cost - base)),
            or_dash(instructions, |(cost, base)| format!("{:.2}", cost / base)),
            cost.nanoseconds,
            cost.nanoseconds / base.nanoseconds,
            round(cost.allocations),
            round(cost.allocations - base.allocations),
            goal.map_or_else(String::new, |goal| format!(
                "{goal}: {}",
                goal.judge(*cost, base)
            )),
        );
    }
}

impl Goal {
    fn judge(self, cost: Cost, base: Cost) -> &'static str {
        let allocations_more = cost.allocations - base.allocations;
        let counted = cost.instructions.zip(base.instructions);
        let met = match (self, counted) {
            (Self::NoAllocation, _) => allocations_more <= 0.05,
            (_, None) => return "not counted",
            (Self::Times(times), Some((own, base))) => own / base <= times,
            (
                Self::Over {
                    instructions,
                    allocations,
                },
                Some((own, base)),
            ) => own - base <= instructions && allocations_more <= allocations + 0.05,
        };
        if met { "met" } else { "missed" }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over {
                instructions,
                allocations,
            } => write!(f, "at most +{instructions} and +{allocations}"),
            Self::Times(times) => write!(f, "at most {times} ×"),
            Self::NoAllocation => write!(f, "no allocation"),
        }
    }
}

fn or_dash<T>(value: Option<T>, format: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".into(), format)
}

/// Writes a count without its fraction when it has none to speak of.
fn round(count: f64) -> String {
    if (count - count.round()).abs() < 0.05 {
        format!("{:.0}", count.round() + 0.0)
    } else {
        format!("{count:.1}")
    }
}
