//! Printing of floating point numbers like C's `%g`, used for durations.

/// `value` as C's `%.{precision}g` prints it.
pub(crate) fn format_g(value: f64, precision: usize) -> String {
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    if value.is_nan() {
        return "nan".to_owned();
    }
    let precision = precision.clamp(1, 17);
    // The exponent is that of the rounded number, which `{:e}` has done.
    let scientific = format!("{value:.*e}", precision - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= precision as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!(
            "{}e{sign}{:02}",
            without_trailing_zeros(mantissa),
            exponent.unsigned_abs()
        );
    }
    let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
    without_trailing_zeros(&format!("{value:.decimals$}")).to_owned()
}

fn without_trailing_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_in_c() {
        for (value, precision, text) in [
            (0.0, 6, "0"),
            (1.0, 6, "1"),
            (1.5, 6, "1.5"),
            (0.1, 6, "0.1"),
            (123456.0, 6, "123456"),
            (1234567.0, 6, "1.23457e+06"),
            (999999.5, 6, "1e+06"),
            (0.0001, 6, "0.0001"),
            (0.00001, 6, "1e-05"),
            (1.021, 4, "1.021"),
            (61.234 / 60.0, 4, "1.021"),
            (100000.0 / 86400.0, 4, "1.157"),
            (1e100, 6, "1e+100"),
            (f64::INFINITY, 6, "inf"),
        ] {
            assert_eq!(format_g(value, precision), text, "{value} {precision}");
        }
    }
}
