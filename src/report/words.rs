//! How are numbers written for those who do not read decimals?

/// Without decimals, thousands apart: `-12,345`. Small amounts keep two digits.
pub(super) fn whole(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value != 0.0 && value.abs() < 10.0 && (value - value.round()).abs() > 1e-9 {
        return format!("{value:.2}");
    }
    let rounded = value.round();
    let digits = format!("{:.0}", rounded.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if rounded < 0.0 { format!("-{text}") } else { text }
}

/// A share in percent; the sign does not leave its number.
pub(super) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}\u{a0}%", 100.0 * share) } else { "–".to_owned() }
}

/// A number with three digits after the point.
pub(super) fn short(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { "–".to_owned() }
}

/// As told, or a dash.
pub(super) fn or_dash(value: Option<f64>, told: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), told)
}

/// `low to high`, or nothing.
pub(super) fn between(ends: Option<(f64, f64)>, told: impl Fn(f64) -> String) -> String {
    ends.map_or_else(String::new, |(low, high)| format!("{} to {}", told(low), told(high)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let told: Vec<String> =
            [0.0, 7.0, 999.4, 1_000.0, -12_345.6, 86_403.64, 1e9, 0.25, f64::NAN].map(whole).into();
        assert_eq!(told, ["0", "7", "999", "1,000", "-12,346", "86,404", "1,000,000,000", "0.25", "–"]);
    }
}
