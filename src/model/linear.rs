//! How are small symmetric systems solved? Dense matrices, row by row.

/// The lower Cholesky factor, row by row; `None` where the matrix is not positive definite.
pub(super) fn cholesky(matrix: &[f64], width: usize) -> Option<Vec<f64>> {
    let mut factor = vec![0.0; width * width];
    for j in 0..width {
        for i in j..width {
            let (row_i, row_j) = (&factor[i * width..][..j], &factor[j * width..][..j]);
            let sum = matrix[i * width + j] - row_i.iter().zip(row_j).map(|(a, b)| a * b).sum::<f64>();
            if i > j {
                factor[i * width + j] = sum / factor[j * width + j];
                continue;
            }
            // A pivot lost to rounding means that a column repeats others.
            if sum.is_nan() || sum <= f64::EPSILON * matrix[j * width + j].abs() {
                return None;
            }
            factor[j * width + j] = sum.sqrt();
        }
    }
    Some(factor)
}

/// Solves L Lᵀ x = b.
pub(super) fn solve(factor: &[f64], b: &[f64]) -> Vec<f64> {
    let width = b.len();
    let mut x = b.to_vec();
    for i in 0..width {
        let known: f64 = (0..i).map(|k| factor[i * width + k] * x[k]).sum();
        x[i] = (x[i] - known) / factor[i * width + i];
    }
    for i in (0..width).rev() {
        let known: f64 = (i + 1..width).map(|k| factor[k * width + i] * x[k]).sum();
        x[i] = (x[i] - known) / factor[i * width + i];
    }
    x
}

pub(super) fn invert(factor: &[f64], width: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; width * width];
    for j in 0..width {
        let mut unit = vec![0.0; width];
        unit[j] = 1.0;
        solve(factor, &unit).into_iter().enumerate().for_each(|(i, value)| inverse[i * width + j] = value);
    }
    inverse
}

pub(super) fn multiply(a: &[f64], b: &[f64], width: usize) -> Vec<f64> {
    let mut product = vec![0.0; width * width];
    for i in 0..width {
        for k in 0..width {
            let scale = a[i * width + k];
            product[i * width..][..width]
                .iter_mut()
                .zip(&b[k * width..][..width])
                .for_each(|(sum, value)| *sum += scale * value);
        }
    }
    product
}

/// Eigenvalues of a symmetric matrix, and their eigenvectors one after another; in no order.
///
/// Golub and Van Loan (2013), Matrix Computations, section 8.5: cyclic Jacobi. For matrices of a few
/// dozen columns, where it is exact to rounding.
pub(super) fn eigen(matrix: &[f64], width: usize) -> (Vec<f64>, Vec<f64>) {
    /// Convergence is quadratic: six to ten sweeps are usual.
    const MOST_SWEEPS: usize = 60;
    let mut a = matrix.to_vec();
    let mut vectors = vec![0.0; width * width];
    (0..width).for_each(|j| vectors[j * width + j] = 1.0);
    for _ in 0..MOST_SWEEPS {
        let mut turned = false;
        for p in 0..width {
            for q in p + 1..width {
                let (app, aqq, apq) = (a[p * width + p], a[q * width + q], a[p * width + q]);
                if apq.abs() <= f64::EPSILON * (app * aqq).abs().sqrt().max(f64::MIN_POSITIVE) {
                    continue;
                }
                turned = true;
                let theta = (aqq - app) / (2.0 * apq);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                for k in 0..width {
                    let (x, y) = (a[k * width + p], a[k * width + q]);
                    a[k * width + p] = cosine * x - sine * y;
                    a[k * width + q] = sine * x + cosine * y;
                }
                for k in 0..width {
                    let (x, y) = (a[p * width + k], a[q * width + k]);
                    a[p * width + k] = cosine * x - sine * y;
                    a[q * width + k] = sine * x + cosine * y;
                    let (x, y) = (vectors[p * width + k], vectors[q * width + k]);
                    vectors[p * width + k] = cosine * x - sine * y;
                    vectors[q * width + k] = sine * x + cosine * y;
                }
            }
        }
        if !turned {
            break;
        }
    }
    ((0..width).map(|j| a[j * width + j]).collect(), vectors)
}
