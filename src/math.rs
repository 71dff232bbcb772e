//! How are exponentials, logarithms and sums computed, many at a time and everywhere alike?
//!
//! Branch-free loops that the compiler turns into vectors, compiled once for each of the processor's
//! instruction sets and chosen at run time. Every operation is one that IEEE 754 rounds exactly (no fused
//! multiply-add), and sums have eight lanes whatever the width: no processor and no C library shows
//! in a result.

use fearless_simd::{Level, Simd, dispatch};

/// A loop, or a few, to be compiled for every instruction set.
pub(crate) trait Kernel {
    type Output;
    /// Must be `#[inline(always)]`, as must be what it calls: what is not inlined is compiled for the
    /// oldest processor.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs a kernel with the widest instructions that the processor has.
pub(crate) fn wide<K: Kernel>(kernel: K) -> K::Output {
    run_at(Level::new(), kernel)
}

fn run_at<K: Kernel>(level: Level, kernel: K) -> K::Output {
    dispatch!(level, simd => kernel.run(simd))
}

/// Rows are summed in so many lanes: row i in lane i mod 8.
pub(crate) const LANES: usize = 8;

/// The sum of all lanes, by pairs four, two and one apart.
#[inline(always)]
pub(crate) fn add_lanes(lanes: [f64; LANES]) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Σ a, in lanes.
#[inline(always)]
pub(crate) fn sum_of(values: &[f64]) -> f64 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += chunk[lane];
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += value;
    }
    add_lanes(lanes)
}

/// Σ a b, in lanes.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    for (lane, (a, b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += a * b;
    }
    add_lanes(lanes)
}

/// ln 2 in two parts; the first has 21 trailing zero bits, so that multiples up to 2²⁰ are exact.
const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
/// 1.5 × 2⁵²: a number added to it is rounded to an integer, which stands in the sum's low bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
const EXPONENT_BIAS: u64 = 1023;
const MANTISSA_BITS: u32 = 52;

/// e^x for x ≤ 0 or null, within 1 ulp, denormal results included.
///
/// x = k ln 2 + r; e^r by its Taylor series to the 13th power, whose rest is below 2⁻⁵⁷ for |r| ≤ ½ ln 2.
#[inline(always)]
pub(crate) fn exp_of_negative(x: f64) -> f64 {
    /// e^x is 0 from here down.
    const LEAST: f64 = -746.0;
    // A comparison with null is false, and null stays.
    let x = if x < LEAST { LEAST } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUNDER;
    let k = shifted - ROUNDER;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    // By pairs (Estrin), so that the processor need not wait for one term after the other.
    let r2 = r * r;
    let r4 = r2 * r2;
    let low = (1.0 / 2.0 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0));
    let middle = (1.0 / 720.0 + r * (1.0 / 5_040.0)) + r2 * (1.0 / 40_320.0 + r * (1.0 / 362_880.0));
    let high = (1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0))
        + r2 * (1.0 / 479_001_600.0 + r * (1.0 / 6_227_020_800.0));
    let power = 1.0 + (r + r2 * (low + r4 * (middle + r4 * high)));
    // 2^k in two factors: it may lie below the smallest normal number.
    let half = k * 0.5 + ROUNDER;
    let rest = (k - (half - ROUNDER)) + ROUNDER;
    power * power_of_two(half) * power_of_two(rest)
}

/// 2^n, where n has been added to [`ROUNDER`].
#[inline(always)]
fn power_of_two(rounded: f64) -> f64 {
    f64::from_bits(rounded.to_bits().wrapping_add(EXPONENT_BIAS) << MANTISSA_BITS)
}

/// 1 / (1 + e^−x), without overflow.
#[inline(always)]
pub(crate) fn sigmoid(x: f64) -> f64 {
    let small = exp_of_negative(-x.abs());
    let top = if x < 0.0 { small } else { 1.0 };
    top / (1.0 + small)
}

/// ln x for normal x > 0, as k ln 2 + ln(1 + f) with ½√2 ≤ 1 + f < √2, in the parts (k, f).
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    const HALF_ROOT: u64 = 0x3fe6_a09e_667f_3bcd;
    let offset = x.to_bits().wrapping_sub(HALF_ROOT);
    // The exponent's difference, sign and all, as a float: its low bits into those of the rounder.
    let k_bits = (offset >> MANTISSA_BITS) ^ 0x800;
    let k = f64::from_bits(ROUNDER.to_bits() + k_bits) - (ROUNDER + 2_048.0);
    let f = f64::from_bits((offset & ((1 << MANTISSA_BITS) - 1)).wrapping_add(HALF_ROOT)) - 1.0;
    (k, f)
}

/// ln(2^k (1 + f)) + rest, within 1 ulp.
///
/// fdlibm's (Sun Microsystems 1993): with s = f / (2 + f), ln(1 + f) = f − ½f² + s (½f² + R(s²)).
#[inline(always)]
fn ln_of(k: f64, f: f64, rest: f64) -> f64 {
    const L: [f64; 7] = [
        0.666_666_666_666_673_5,
        0.399_999_999_994_094_2,
        0.285_714_287_436_623_9,
        0.222_221_984_321_497_84,
        0.181_835_721_616_180_5,
        0.153_138_376_992_093_73,
        0.147_981_986_051_165_86,
    ];
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let odd = z * (L[0] + w * (L[2] + w * (L[4] + w * L[6])));
    let even = w * (L[1] + w * (L[3] + w * L[5]));
    let half = 0.5 * f * f;
    k * LN2_HIGH - ((half - (s * (half + (odd + even)) + (k * LN2_LOW + rest))) - f)
}

/// ln x, within 1 ulp; null below 0, −∞ at 0.
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    const UP: f64 = 18_014_398_509_481_984.0; // 2⁵⁴
    let is_denormal = x < f64::MIN_POSITIVE;
    let (k, f) = split(if is_denormal { x * UP } else { x });
    let value = ln_of(if is_denormal { k - 54.0 } else { k }, f, 0.0);
    ends(x, x, value)
}

/// ln(1 + x), within 2 ulp; null below −1, −∞ at −1.
///
/// The sum u = 1 + x loses e; ln(1 + x) = ln u + e / u.
#[inline(always)]
pub(crate) fn ln_1p(x: f64) -> f64 {
    let u = 1.0 + x;
    // Knuth's sum of two: exact whichever is the larger.
    let carried = u - 1.0;
    let lost = (x - carried) + (1.0 - (u - carried));
    let (k, f) = split(u);
    let value = ln_of(k, f, lost / u);
    // 0 keeps its sign.
    ends(u, x, if x == 0.0 { x } else { value })
}

/// What becomes of arguments outside (0, ∞).
#[inline(always)]
fn ends(argument: f64, given: f64, value: f64) -> f64 {
    let at_zero = if argument == 0.0 { f64::NEG_INFINITY } else { f64::NAN };
    let inside = if argument > 0.0 { value } else { at_zero };
    if given < f64::INFINITY { inside } else { given }
}

/// Replaces each value by a function of it, which should be one of those above.
pub(crate) fn map(values: &mut [f64], function: impl Fn(f64) -> f64) {
    wide(Map { values, function });
}

struct Map<'a, F> {
    values: &'a mut [f64],
    function: F,
}

impl<F: Fn(f64) -> f64> Kernel for Map<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        self.values.iter_mut().for_each(|value| *value = (self.function)(*value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units in the last place from the standard library's result, which is itself within one.
    const MOST_ULPS: u64 = 2;

    /// All orders of magnitude, both signs, and the ends.
    fn values() -> Vec<f64> {
        let mut state = 7_u64;
        let mut random = move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
        };
        let mut values = vec![
            0.0,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            -5e-324,
            1e-310,
            1.0,
            -1.0,
            -1.0 + f64::EPSILON / 2.0,
            1.0 - f64::EPSILON / 2.0,
            1e-20,
            -1e-20,
            -708.4,
            -745.13,
            -745.2,
            -746.0,
            1.7e16,
        ];
        values.extend((0..200_000).map(|_| f64::from_bits(random())));
        let unit = |bits: u64| (bits >> 11) as f64 / (1_u64 << 53) as f64;
        values.extend((0..200_000).map(|_| 1_600.0 * unit(random()) - 800.0));
        values.extend((0..200_000).map(|_| 4.0 * unit(random()) - 2.0));
        values
    }

    fn ulps(a: f64, b: f64) -> u64 {
        if a == b || (a.is_nan() && b.is_nan()) {
            return 0;
        }
        let place = |x: f64| {
            let magnitude = (x.to_bits() & (u64::MAX >> 1)) as i128;
            if x.is_sign_negative() { -magnitude } else { magnitude }
        };
        place(a).abs_diff(place(b)) as u64
    }

    fn check(function: fn(f64) -> f64, standard: fn(f64) -> f64, values: &[f64]) {
        for &x in values {
            let (found, expected) = (function(x), standard(x));
            assert!(ulps(found, expected) <= MOST_ULPS, "at {x:e}: {found:e} is not {expected:e}");
        }
    }

    #[test]
    fn functions_are_the_standard_ones_within_two_ulps() {
        let values = values();
        check(ln, f64::ln, &values);
        check(ln_1p, f64::ln_1p, &values);
        let negative: Vec<f64> = values.iter().copied().filter(|x| x.is_nan() || *x <= 0.0).collect();
        check(exp_of_negative, f64::exp, &negative);
        let expected = |x: f64| {
            let small = (-x.abs()).exp();
            if x >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) }
        };
        check(sigmoid, expected, &values);
        assert!(ln_1p(-0.0).is_sign_negative());
    }

    /// The bits of a kernel's results.
    fn bits(level: Level, function: impl Fn(f64) -> f64) -> Vec<u64> {
        let mut values = values();
        run_at(level, Map { values: &mut values, function });
        values.iter().map(|value| if value.is_nan() { u64::MAX } else { value.to_bits() }).collect()
    }

    #[test]
    fn no_processor_shows_in_a_result() {
        let own: [fn(f64) -> f64; 3] = [ln, ln_1p, sigmoid];
        for function in own {
            let alone: Vec<f64> = values().into_iter().map(function).collect();
            let alone: Vec<u64> =
                alone.iter().map(|value| if value.is_nan() { u64::MAX } else { value.to_bits() }).collect();
            assert!(bits(Level::baseline(), function) == alone);
            assert!(bits(Level::new(), function) == alone);
        }
        // Not through a pointer, so that the loops are vectors.
        assert!(bits(Level::baseline(), sigmoid) == bits(Level::new(), sigmoid));
        assert!(bits(Level::baseline(), ln_1p) == bits(Level::new(), ln_1p));
        assert!(bits(Level::baseline(), ln) == bits(Level::new(), ln));
    }

    #[test]
    fn sums_know_their_remainder() {
        for rows in 0..40 {
            let values: Vec<f64> = (0..rows).map(f64::from).collect();
            assert_eq!(sum_of(&values), values.iter().sum::<f64>());
            assert_eq!(dot(&values, &values), values.iter().map(|x| x * x).sum::<f64>());
        }
    }
}
