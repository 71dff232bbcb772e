//! winback's side of fitting and scoring beside scikit-learn: `fit_score.py` writes the numbers, starts
//! this, and asks for one piece of work per line.
//!
//! Each answer is one line of JSON with `seconds`; results are written beside the numbers, as plain f64.

use std::error::Error;
use std::fs;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use polars::prelude::*;
use winback::features::Feature;
use winback::model::TermChoice;
use winback::snapshot::LabelWindow;
use winback::{ChurnModel, Columns, FeatureSet, Snapshots, kernels};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HORIZON_DAYS: i32 = 90;
/// The model that raw features are scored with learns from so many rows.
const TRAINING_ROWS: usize = 50_000;

/// Serves the folder named by the first argument until its input ends.
pub fn run(args: &[String]) -> Result<()> {
    let folder = Path::new(args.first().ok_or("which folder? it is the first argument")?);
    let matrix = columns(&folder.join("matrix.f64"), lines(&folder.join("matrix.txt"))?.len())?;
    let labels: Vec<bool> = fs::read(folder.join("labels.u8"))?.iter().map(|&label| label == 1).collect();
    let names = lines(&folder.join("features.txt"))?;
    let features = columns(&folder.join("features.f64"), names.len())?;
    let model = model(&names, &features, &labels)?;
    fs::write(folder.join("model.json"), model.to_json()?)?;
    fs::write(folder.join("transforms.txt"), {
        let transforms = model.features().iter().map(|feature| format!("{:?}\n", feature.transform()));
        transforms.collect::<String>()
    })?;
    let of = |column: &str| names.iter().position(|name| name == column).ok_or("a feature is missing");
    let raw: Vec<&[f64]> = model
        .features()
        .iter()
        .map(|feature| Ok(features[of(&feature.name())?].as_slice()))
        .collect::<Result<_>>()?;
    let matrix: Vec<&[f64]> = matrix.iter().map(Vec::as_slice).collect();
    let beta: Vec<f64> = floats(&fs::read(folder.join("beta.f64"))?);
    let mut out = vec![0.0; labels.len()];
    answer("ready", 0.0)?;
    for line in std::io::stdin().lock().lines() {
        let work = line?;
        let start = Instant::now();
        let (seconds, result) = match work.as_str() {
            "fit" => {
                let beta = kernels::logistic(&matrix, &labels, 1.0)?.0;
                (start.elapsed(), beta)
            }
            "score" => {
                kernels::probabilities(&matrix, &beta, &mut out);
                (start.elapsed(), out.clone())
            }
            "sum" => {
                let sum = kernels::sum(&matrix);
                (start.elapsed(), vec![sum])
            }
            "raw" => {
                let probabilities = kernels::score(&model, &raw);
                (start.elapsed(), probabilities)
            }
            other => return Err(format!("no such work: {other}").into()),
        };
        let bytes: Vec<u8> = result.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(folder.join(format!("{work}.f64")), bytes)?;
        answer(&work, seconds.as_secs_f64())?;
    }
    Ok(())
}

fn answer(work: &str, seconds: f64) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{{\"work\": \"{work}\", \"seconds\": {seconds}}}")?;
    Ok(out.flush()?)
}

fn lines(path: &Path) -> Result<Vec<String>> {
    Ok(fs::read_to_string(path)?.lines().map(str::to_owned).collect())
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let (values, _) = bytes.as_chunks::<8>();
    values.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

/// A matrix, column after column.
fn columns(path: &Path, width: usize) -> Result<Vec<Vec<f64>>> {
    let values = floats(&fs::read(path)?);
    Ok(values.chunks_exact(values.len() / width).map(<[f64]>::to_vec).collect())
}

/// A model of these features with all its terms.
fn model(names: &[String], features: &[Vec<f64>], labels: &[bool]) -> Result<ChurnModel> {
    let rows = TRAINING_ROWS.min(labels.len());
    let mut table = vec![
        Column::new("customer_id".into(), (0..rows as i64).collect::<Vec<_>>()),
        Int32Chunked::from_vec("cutoff".into(), vec![18_000; rows]).into_date().into_column(),
        Column::new(
            "churned".into(),
            labels[..rows].iter().map(|&label| i32::from(label)).collect::<Vec<_>>(),
        ),
    ];
    table.extend(names.iter().zip(features).map(|(name, values)| {
        let values = values[..rows].iter().map(|value| (!value.is_nan()).then_some(*value));
        Float64Chunked::from_iter_options(name.as_str().into(), values).into_column()
    }));
    let reading = winback::History::params(Columns::new("customer_id", "day").with_amount("amount"));
    let label = LabelWindow { lead_days: 0, horizon_days: HORIZON_DAYS };
    // The twenty that the other side rebuilds.
    let set = FeatureSet::standard(HORIZON_DAYS, &[])
        .without(&Feature::SilenceFraction)
        .without(&Feature::OwnReturn { horizon_days: HORIZON_DAYS });
    let snapshots = Snapshots::from_frame(&DataFrame::new_infer_height(table)?, &set, label, &reading)?;
    Ok(ChurnModel::params().with_l2(1.0).with_terms(TermChoice::Full).fit(&snapshots)?)
}
