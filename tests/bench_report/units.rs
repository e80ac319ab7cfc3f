//! Values as people read them.

/// A value with its unit, in three digits.
pub(crate) fn show(value: f64, unit: &str) -> String {
    match unit {
        "ns" => scaled(value, 1_000.0, &["ns", "µs", "ms", "s"]),
        "bytes" => scaled(value, 1_024.0, &["B", "KiB", "MiB", "GiB"]),
        "count" => grouped(value),
        unit => format!("{} {unit}", grouped(value)),
    }
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= step && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    format!("{} {}", digits(value), units[unit])
}

/// Three digits that matter.
pub(crate) fn digits(value: f64) -> String {
    if value >= 100.0 {
        grouped(value)
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A whole number, with commas.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_unit_in_which_they_are_read_best() {
        assert_eq!(show(155_000.0, "ns"), "155 µs");
        assert_eq!(show(1_790_000_000.0, "ns"), "1.79 s");
        assert_eq!(show(157.0, "bytes"), "157 B");
        assert_eq!(show(3_500_000.0, "bytes"), "3.34 MiB");
        assert_eq!(show(69_821.4, "/s"), "69,821 /s");
        assert_eq!(show(995.0, "count"), "995");
        assert_eq!(show(1_000_000.0, "count"), "1,000,000");
    }
}
