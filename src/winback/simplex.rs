//! Where is the highest of a few planes lowest, within a box? The master problem of the dual.

/// A plane below a convex function: value + slope·x.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub(super) value: f64,
    pub(super) slope: Vec<f64>,
}

/// Smaller reduced costs and pivots are taken for 0.
const NEGLIGIBLE: f64 = 1e-12;
/// Dantzig's rule may cycle; after so many steps Bland's rule, which cannot, goes on.
const DANTZIG_STEPS: usize = 500;
const MOST_STEPS: usize = 5_000;

/// The point of the box at which the highest plane is lowest, and how high that is; at least one plane.
///
/// By the simplex method on the linear programme's dual, which has as many rows as x has components, and one,
/// and always a first feasible point:
/// ```text
/// max Σ b α − Σ w β,  Σ_k g_ki α_k + β_i − s_i = 0,  Σ α = 1;  b = value + slope·low, w = high − low
/// ```
pub(super) fn lowest(planes: &[Plane], low: &[f64], high: &[f64]) -> (Vec<f64>, f64) {
    let (d, k) = (low.len(), planes.len());
    let width = k + 2 * d + 1;
    let mut costs = vec![0.0; width];
    let mut rows = vec![vec![0.0; width]; d + 1];
    for (j, plane) in planes.iter().enumerate() {
        costs[j] = plane.value + plane.slope.iter().zip(low).map(|(g, low)| g * low).sum::<f64>();
        (0..d).for_each(|i| rows[i][j] = plane.slope[i]);
        rows[d][j] = 1.0;
    }
    for i in 0..d {
        costs[k + i] = low[i] - high[i];
        rows[i][k + i] = 1.0;
        rows[i][k + d + i] = -1.0;
    }
    rows[d][width - 1] = 1.0;
    // The first plane alone.
    let mut basis = vec![0; d + 1];
    for i in 0..d {
        let slope = planes[0].slope[i];
        basis[i] = if slope <= 0.0 { k + i } else { k + d + i };
        let last = rows[d].clone();
        let sign = if slope <= 0.0 { 1.0 } else { -1.0 };
        rows[i].iter_mut().zip(&last).for_each(|(value, last)| *value = sign * (*value - slope * last));
    }
    let mut reduced = costs.clone();
    for (row, &column) in rows.iter().zip(&basis) {
        let cost = costs[column];
        reduced.iter_mut().zip(row).for_each(|(reduced, value)| *reduced -= cost * value);
    }
    let scale = costs.iter().fold(1e-300_f64, |most, cost| most.max(cost.abs()));
    for step in 0..MOST_STEPS {
        let candidates = (0..width - 1).filter(|&j| reduced[j] > NEGLIGIBLE * scale);
        let entering = match step < DANTZIG_STEPS {
            true => candidates.max_by(|&a, &b| reduced[a].total_cmp(&reduced[b])),
            false => candidates.min(),
        };
        let Some(entering) = entering else { break };
        let leaving = (0..=d).filter(|&i| rows[i][entering] > NEGLIGIBLE).min_by(|&a, &b| {
            let ratio = |i: usize| rows[i][width - 1] / rows[i][entering];
            ratio(a).total_cmp(&ratio(b)).then(basis[a].cmp(&basis[b]))
        });
        let Some(leaving) = leaving else { break };
        let pivot = rows[leaving][entering];
        rows[leaving].iter_mut().for_each(|value| *value /= pivot);
        let pivot_row = rows[leaving].clone();
        for (i, row) in rows.iter_mut().enumerate() {
            let factor = row[entering];
            if i != leaving && factor != 0.0 {
                row.iter_mut().zip(&pivot_row).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
        let factor = reduced[entering];
        reduced.iter_mut().zip(&pivot_row).for_each(|(value, pivot)| *value -= factor * pivot);
        basis[leaving] = entering;
    }
    let point: Vec<f64> = (0..d).map(|i| (low[i] - reduced[k + d + i]).clamp(low[i], high[i])).collect();
    (point, -reduced[width - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(value: f64, slope: &[f64]) -> Plane {
        Plane { value, slope: slope.to_vec() }
    }

    #[test]
    fn corners_and_crossings() {
        let (x, t) = lowest(&[plane(1.0, &[2.0])], &[-1.0], &[3.0]);
        assert_eq!((x[0], t), (-1.0, -1.0));
        let (x, t) = lowest(&[plane(0.0, &[1.0]), plane(2.0, &[-1.0])], &[-5.0], &[5.0]);
        assert!((x[0] - 1.0).abs() < 1e-12 && (t - 1.0).abs() < 1e-12);
        let planes = [
            plane(0.0, &[1.0, 0.0]),
            plane(0.0, &[-1.0, 0.5]),
            plane(0.0, &[0.0, -1.0]),
            plane(0.5, &[0.0, 0.0]),
        ];
        let (_, t) = lowest(&planes, &[-5.0, -5.0], &[5.0, 5.0]);
        assert!((t - 0.5).abs() < 1e-12);
    }
}
