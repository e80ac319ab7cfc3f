//! Tables in Markdown.

use bench_support::Figure;

use crate::comparisons::{Against, Aim, COMPARISONS, Comparison};
use crate::figures::Figures;
use crate::units::{digits, grouped, show};

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn count(at: u64) -> String {
    grouped(at as f64)
}

/// Every figure that has an aim or a peer.
pub(crate) fn comparisons(figures: &Figures) -> String {
    let mut text = String::from(
        "| What | with | figure | against | ratio | aim | |\n|---|--:|--:|---|--:|--:|---|\n",
    );
    for comparison in COMPARISONS {
        let Comparison {
            row, who, metric, ..
        } = *comparison;
        let at = match comparison.at {
            [] => figures.measured_at(row, who, metric),
            at => at.to_vec(),
        };
        for at in at {
            if let Some(figure) = figures.find(row, who, at, metric) {
                text.push_str(&comparison_line(figures, comparison, figure));
            }
        }
    }
    text
}

fn comparison_line(figures: &Figures, comparison: &Comparison, figure: &Figure) -> String {
    let (name, against) = against(figures, comparison, figure);
    let ratio = against
        .filter(|against| *against > 0.0)
        .map(|against| figure.value / against);
    let (aim, reached) = match comparison.aim {
        Aim::Ratio(most) => (
            format!("≤ {} ×", short(most)),
            ratio.map(|ratio| ratio <= most),
        ),
        Aim::RatioAtLeast(least) => (
            format!("≥ {} ×", short(least)),
            ratio.map(|ratio| ratio >= least),
        ),
        Aim::Value(most) => (
            format!("≤ {}", show(most, &figure.unit)),
            Some(figure.value <= most),
        ),
        Aim::Nothing => (String::new(), None),
    };
    let reached = match reached {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    };
    let against = match against {
        Some(value) => format!("{name}: {}", show(value, &figure.unit)),
        None => String::new(),
    };
    format!(
        "| {} | {} | {} | {against} | {} | {aim} | {reached} |\n",
        comparison.what,
        count(figure.at),
        show(figure.value, &figure.unit),
        ratio.map_or(String::new(), |ratio| format!("{} ×", digits(ratio))),
    )
}

/// An aim as it was written down.
fn short(number: f64) -> String {
    format!("{number}")
}

fn against(figures: &Figures, comparison: &Comparison, figure: &Figure) -> (String, Option<f64>) {
    let value = |who: &str, at| {
        figures
            .find(comparison.row, who, at, comparison.metric)
            .map(|figure| figure.value)
    };
    match comparison.against {
        Against::Who(who) => (who.to_owned(), value(who, figure.at)),
        Against::ItselfAt(at) => (
            format!("itself with {}", count(at)),
            value(comparison.who, at).filter(|_| at != figure.at),
        ),
        Against::Constant(name, value) => (name.to_owned(), Some(value)),
        Against::Nothing => (String::new(), None),
    }
}

/// Everybody who did the same durable work, with the ratio to the disk's limit.
pub(crate) fn contestants(figures: &Figures, row: &str) -> String {
    let names = figures.contestants(row, "p50");
    let Some(limit) = names.iter().find(|name| **name == "append + fdatasync") else {
        return "Not measured.\n".to_owned();
    };
    let mut text = String::from(
        "Latency until a record is durable, records per second, and their ratio to appending the \
         same records to a file with one `fdatasync` for as many as are in flight.\n\n| in flight |",
    );
    for name in &names {
        text.push_str(&format!(" {name} |"));
    }
    text.push_str("\n|--:|");
    text.push_str(&"--:|".repeat(names.len()));
    text.push('\n');
    for at in figures.measured_at(row, limit, "p50") {
        text.push_str(&format!("| {} |", count(at)));
        for name in &names {
            let find = |who: &str, metric| figures.find(row, who, at, metric).map(|f| f.value);
            let cell = || {
                let ratio = find(name, "rate")? / find(limit, "rate")?;
                Some(format!(
                    "{} (p99 {}), {} /s, {} ×",
                    show(find(name, "p50")?, "ns"),
                    show(find(name, "p99")?, "ns"),
                    grouped(find(name, "rate")?),
                    digits(ratio)
                ))
            };
            text.push_str(&format!(" {} |", cell().unwrap_or_default()));
        }
        text.push('\n');
    }
    text
}

/// Everything that was measured.
pub(crate) fn everything(figures: &Figures) -> String {
    let mut text = String::from("| What | who | with | metric | value |\n|---|---|--:|---|--:|\n");
    for figure in figures.all() {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            figure.row,
            figure.who,
            count(figure.at),
            figure.metric,
            show(figure.value, &figure.unit)
        ));
    }
    text
}
