//! Curves, as SVG.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::figures::Figures;
use crate::units::{grouped, show};

/// A curve, by where its points are found.
pub(crate) struct Curve {
    name: &'static str,
    row: &'static str,
    who: &'static str,
    metric: &'static str,
}

pub(crate) struct Plot {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    across: &'static str,
    unit: &'static str,
    curves: &'static [Curve],
}

const fn curve(
    name: &'static str,
    row: &'static str,
    who: &'static str,
    metric: &'static str,
) -> Curve {
    Curve {
        name,
        row,
        who,
        metric,
    }
}

const COMMIT: &str = "durable commit";
const APPEND: &str = "append + fdatasync";

pub(crate) const PLOTS: &[Plot] = &[
    Plot {
        file: "commit-latency.svg",
        title: "Until a record is durable (median)",
        across: "records in flight",
        unit: "ns",
        curves: &[
            curve("this store", COMMIT, "storage", "p50"),
            curve("limit: append + fdatasync", COMMIT, APPEND, "p50"),
            curve("redb", COMMIT, "redb", "p50"),
            curve("SQLite", COMMIT, "SQLite", "p50"),
            curve(
                "register() in this engine",
                "durable register",
                "sync manager",
                "p50",
            ),
        ],
    },
    Plot {
        file: "commit-rate.svg",
        title: "Durable records per second",
        across: "records in flight",
        unit: "/s",
        curves: &[
            curve("this store", COMMIT, "storage", "rate"),
            curve("limit: append + fdatasync", COMMIT, APPEND, "rate"),
            curve("redb", COMMIT, "redb", "rate"),
            curve("SQLite", COMMIT, "SQLite", "rate"),
            curve(
                "register() in this engine",
                "durable register",
                "sync manager",
                "rate",
            ),
        ],
    },
    Plot {
        file: "completion.svg",
        title: "One completion among many registrations",
        across: "registrations",
        unit: "ns",
        curves: &[curve(
            "sync manager",
            "one completion among many",
            "sync manager",
            "median",
        )],
    },
    Plot {
        file: "scope-match.svg",
        title: "Scope match among many registrations",
        across: "registrations",
        unit: "ns",
        curves: &[
            curve(
                "scope map, many origins",
                "scope match, many origins",
                "scope map",
                "median",
            ),
            curve(
                "scope map, one origin",
                "scope match, one origin",
                "scope map",
                "median",
            ),
            curve(
                "sorted map, many origins",
                "scope match, many origins",
                "sorted map",
                "median",
            ),
            curve(
                "sorted map, one origin",
                "scope match, one origin",
                "sorted map",
                "median",
            ),
            curve(
                "linear walk, one origin",
                "scope match, one origin",
                "linear walk",
                "median",
            ),
        ],
    },
    Plot {
        file: "come-online.svg",
        title: "The network comes back: until the last event",
        across: "pending registrations",
        unit: "ns",
        curves: &[
            curve("sync manager", "come online", "sync manager", "last"),
            curve(
                "sync manager, first event",
                "come online",
                "sync manager",
                "first",
            ),
            curve(
                "limit: as many channel sends",
                "come online",
                "channel sends",
                "last",
            ),
        ],
    },
];

impl Curve {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn points(&self, figures: &Figures) -> Vec<(f64, f64)> {
        let Self {
            row, who, metric, ..
        } = *self;
        figures
            .measured_at(row, who, metric)
            .into_iter()
            .filter_map(|at| Some((at as f64, figures.find(row, who, at, metric)?.value)))
            .filter(|(_, value)| *value > 0.0)
            .collect()
    }
}

impl Plot {
    pub(crate) fn has_data(&self, figures: &Figures) -> bool {
        self.curves
            .iter()
            .any(|curve| curve.points(figures).len() > 1)
    }

    /// Draw it into a file of the folder, both axes logarithmic.
    pub(crate) fn draw(&self, figures: &Figures, folder: &Path) -> Result<(), Box<dyn Error>> {
        if !self.has_data(figures) {
            return Ok(());
        }
        let curves: Vec<_> = self
            .curves
            .iter()
            .map(|curve| (curve.name, curve.points(figures)))
            .filter(|(_, points)| !points.is_empty())
            .collect();
        let points = || curves.iter().flat_map(|(_, points)| points);
        let (left, right) = bounds(points().map(|(x, _)| *x));
        let (bottom, top) = bounds(points().map(|(_, y)| *y));
        let path = folder.join(self.file);
        let area = SVGBackend::new(&path, (860, 520)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 22))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(84)
            .build_cartesian_2d(
                (left..right).log_scale(),
                (bottom / 1.5..top * 1.5).log_scale(),
            )?;
        chart
            .configure_mesh()
            .x_desc(self.across)
            .x_label_formatter(&|x| grouped(*x))
            .y_label_formatter(&|y| show(*y, self.unit))
            .light_line_style(BLACK.mix(0.04))
            .bold_line_style(BLACK.mix(0.12))
            .draw()?;
        for (index, (name, points)) in curves.into_iter().enumerate() {
            let color = Palette99::pick(index).to_rgba();
            chart
                .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new(vec![(x, y), (x + 18, y)], color.stroke_width(2))
                });
            let dots = points
                .into_iter()
                .map(|point| Circle::new(point, 3, color.filled()));
            chart.draw_series(dots)?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.2))
            .draw()?;
        area.present()?;
        Ok(())
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, 0.0), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}
