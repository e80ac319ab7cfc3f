//! The comparison as a table and as a plot.

use std::fmt::Write as _;
use std::time::Duration;

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{EmptyElement, Rectangle, Text};
use plotters::style::{Color, IntoFont, RGBColor, WHITE};

use super::{Contender, Kind, Outcome, percentile};

const COLOURS: [RGBColor; 3] = [
    RGBColor(0x1B, 0x6C, 0xA8),
    RGBColor(0x8F, 0xC1, 0xE3),
    RGBColor(0xD9, 0x8E, 0x32),
];

/// The comparison as a Markdown document.
pub fn markdown(outcomes: &[Outcome], days: u32, seeds: u64) -> String {
    let mut text = format!(
        "# Delivery under bad networks\n\n{days} days, {seeds} seeds for each row; on the last day \
         nothing is written. Each registration has a tag of its own, and its handler makes one \
         request. What never arrives counts as never in medians and percentiles. Delays are from when the server could first have been reached, and from the \
         registration, to the arrival of the request.\n\n\
         | network | policy | registrations | delivered | median since possible | p95 | median \
         since registered | p95 | wasted attempts per delivery | probes per delivery |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    for outcome in outcomes {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1} % | {} | {} | {} | {} | {:.2} | {:.2} |",
            outcome.kind.name(),
            outcome.contender.name(),
            outcome.registrations,
            100.0 * outcome.share(),
            words(percentile(&outcome.since_possible, 50)),
            words(percentile(&outcome.since_possible, 95)),
            words(percentile(&outcome.since_registered, 50)),
            words(percentile(&outcome.since_registered, 95)),
            outcome.wasted(),
            outcome.probes_per_delivery(),
        );
    }
    text.push('\n');
    for kind in Kind::ALL {
        let _ = writeln!(text, "- **{}**: {}", kind.name(), kind.description());
    }
    text
}

/// A duration for people.
fn words(duration: Duration) -> String {
    if duration == Duration::MAX {
        return "never".to_owned();
    }
    let seconds = duration.as_secs_f64();
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        1..120 => format!("{seconds:.1} s"),
        120..7_200 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

type Panel = (&'static str, fn(&Outcome) -> f64);

const PANELS: [Panel; 4] = [
    ("delivered, %", |outcome| 100.0 * outcome.share()),
    ("median delay since possible, s", |outcome| {
        percentile(&outcome.since_possible, 50).as_secs_f64()
    }),
    ("95th percentile of that delay, min", |outcome| {
        let p95 = percentile(&outcome.since_possible, 95);
        if p95 == Duration::MAX {
            f64::INFINITY
        } else {
            p95.as_secs_f64() / 60.0
        }
    }),
    ("wasted attempts per delivery", Outcome::wasted),
];

/// The comparison as a plot.
///
/// # Errors
///
/// When it cannot be drawn, with the reason.
pub fn svg(outcomes: &[Outcome]) -> Result<String, String> {
    let mut text = String::new();
    draw(outcomes, &mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

type DrawingError = DrawingAreaErrorKind<std::io::Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw(outcomes: &[Outcome], text: &mut String) -> Result<(), DrawingError> {
    let area = SVGBackend::with_string(text, (960, 1_000)).into_drawing_area();
    area.fill(&WHITE)?;
    let (legend, body) = area.split_vertically(40);
    for (index, (contender, colour)) in Contender::ALL.into_iter().zip(COLOURS).enumerate() {
        let left = 60 + 260 * i32::try_from(index).unwrap_or_default();
        legend.draw(&Rectangle::new(
            [(left, 12), (left + 16, 28)],
            colour.filled(),
        ))?;
        let font = ("sans-serif", 16).into_font();
        legend.draw(&Text::new(contender.name(), (left + 24, 12), font))?;
    }
    for (panel, part) in PANELS.iter().zip(body.split_evenly((PANELS.len(), 1))) {
        draw_panel(outcomes, *panel, &part)?;
    }
    area.present()
}

#[expect(clippy::cast_precision_loss, reason = "there are a few of each")]
fn draw_panel(
    outcomes: &[Outcome],
    (title, value): Panel,
    area: &Area<'_>,
) -> Result<(), DrawingError> {
    let finite = outcomes.iter().map(value).filter(|found| found.is_finite());
    let highest = finite.fold(0.1, f64::max) * 1.15;
    let width = Kind::ALL.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(8)
        .set_label_area_size(LabelAreaPosition::Left, 60)
        .set_label_area_size(LabelAreaPosition::Bottom, 24)
        .build_cartesian_2d(0.0..width, 0.0..highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_labels(5)
        .draw()?;
    for outcome in outcomes {
        let kind = Kind::ALL.iter().position(|kind| *kind == outcome.kind);
        let contender = Contender::ALL
            .iter()
            .position(|contender| *contender == outcome.contender);
        let (Some(kind), Some(contender)) = (kind, contender) else {
            continue;
        };
        let left = kind as f64 + 0.15 + 0.24 * contender as f64;
        let found = value(outcome).min(highest);
        chart.draw_series([Rectangle::new(
            [(left, 0.0), (left + 0.22, found)],
            COLOURS[contender].filled(),
        )])?;
        let label = match value(outcome) {
            never if never.is_infinite() => "never".to_owned(),
            found => format!("{found:.1}"),
        };
        let label =
            EmptyElement::at((left, found)) + Text::new(label, (2, -14), ("sans-serif", 12));
        chart.draw_series([label])?;
        if contender == 0 {
            let name = EmptyElement::at((kind as f64 + 0.3, 0.0))
                + Text::new(outcome.kind.name(), (0, 6), ("sans-serif", 14));
            chart.draw_series([name])?;
        }
    }
    Ok(())
}
