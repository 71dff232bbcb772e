//! Who among the lost would come back by themselves? Learned from the log's own lapses.

use std::fmt;

use rayon::prelude::*;
use serde::Serialize;

use super::matrix::{Matrix, Scaled, fold_of};
use crate::day::{Day, Window};
use crate::error::Result;
use crate::evidence::{Cause, Evidence, IncidentKind};
use crate::history::History;
use crate::losses::{Lapse, Lapses};
use crate::math::sigmoid;
use crate::metrics::{log_loss, roc_auc};
use crate::model::{clustered_covariance, fit_logistic};

/// ½ λ ‖β‖² on standardised columns, as for past attempts.
const L2: f64 = 1.0;
/// Earlier days to look from, a horizon apart.
const MOST_DAYS: i32 = 8;
/// With fewer returns, or fewer who stayed away, there is one rate for all.
const LEAST_OUTCOMES: usize = 30;
const FOLDS: usize = 10;
const COLUMNS: usize = 5;

/// The chance that a customer who is lost buys within a horizon without being asked to.
///
/// At each earlier day, a horizon apart, everybody who was lost on it stands in a row, with what was known then
/// and whether they bought in the horizon after it. With 30 returns and 30 who stayed away, a logistic
/// regression is fitted to these; with fewer, or where it does no better on customers held back (ten folds, mean log-loss),
/// everyone has the same chance, (returned + ½) / (rows + 1); without any row nothing is known.
///
/// # Formula
/// ```text
/// ln(p₀ / (1 − p₀)) = β₀ + Σ β x,   x: ln(1 + days lost), ln(1 + days of the first life), ln purchases,
///                     of the first life, lives before this one, ln(1 + incidents), and one column per stated cause of 10 rows or more
/// ```
/// Standard errors are clustered by customer, those of one rate too; the penalty is ½ ‖β‖² on standardised columns.
#[derive(Clone, Debug, Serialize)]
pub struct NaturalReturns {
    /// The window in which a purchase is a return, in days.
    pub horizon_days: i32,
    /// Customers lost on earlier days, each counted on every such day.
    pub rows: usize,
    /// Those who bought in the horizon after it.
    pub returned: usize,
    /// Area under the ROC curve on customers that the fit did not see; `None` for one rate for all.
    pub auc: Option<f64>,
    /// Mean log-loss on those.
    pub log_loss: Option<f64>,
    /// Per customer lost on the day, by rank: the chance, and the standard error of its log-odds.
    #[serde(skip)]
    chances: Vec<(u32, f64, f64)>,
}

/// One who was lost on some day.
struct Lost {
    rank: u32,
    facts: [f64; COLUMNS],
    cause: Cause,
    returned: bool,
}

impl NaturalReturns {
    /// Learns from the lapses of a log, and applies it to those who are lost on the day.
    ///
    /// # Errors
    /// Only where the fit cannot be finished.
    pub fn learn(history: &History, lapses: &Lapses, evidence: &Evidence) -> Result<Self> {
        let as_of = lapses.as_of();
        let horizon_days = lapses.rule().horizon_days();
        let placed = evidence.incidents().map_or_else(Vec::new, |table| table.placed(history));
        let incidents: Vec<_> = placed.iter().map(|one| (one.rank, one.day, one.kind)).collect();
        let lost_on = |on: Day| {
            // What was said later was not known then.
            let causes = evidence.reasons().map(|reasons| reasons.known_by(on).causes(history));
            lost_on(history, lapses, (&causes.unwrap_or_default(), &incidents), on)
        };
        let mut past = Vec::new();
        for back in 1..=MOST_DAYS {
            past.extend(lost_on(as_of.plus_days(-back * horizon_days)));
        }
        // Rows of one customer stand together.
        past.sort_by_key(|lost| lost.rank);
        let now = lost_on(as_of);
        let labels: Vec<bool> = past.iter().map(|lost| lost.returned).collect();
        let returned = labels.iter().filter(|back| **back).count();
        let mut found = NaturalReturns {
            horizon_days,
            rows: labels.len(),
            returned,
            auc: None,
            log_loss: None,
            chances: Vec::new(),
        };
        if labels.is_empty() {
            return Ok(found);
        }
        if returned.min(labels.len() - returned) < LEAST_OUTCOMES || !found.fit(&past, &labels, &now)? {
            let rate = (returned as f64 + 0.5) / (labels.len() as f64 + 1.0);
            let error = error_of_one_rate(&past, rate);
            found.chances = now.iter().map(|lost| (lost.rank, rate, error)).collect();
        }
        Ok(found)
    }

    /// Whether it told customers apart whom it had not seen; then the chances are its own.
    fn fit(&mut self, past: &[Lost], labels: &[bool], now: &[Lost]) -> Result<bool> {
        let mut matrix = Matrix { rows: past.len() + now.len(), columns: Vec::new() };
        let names = [
            "days lost",
            "days of the first life",
            "purchases of the first life",
            "lives before",
            "incidents",
        ];
        let rows = || past.iter().chain(now);
        for (at, name) in names.into_iter().enumerate() {
            matrix.add_numbers(name, &rows().map(|lost| lost.facts[at]).collect::<Vec<_>>());
        }
        if rows().any(|lost| lost.cause != Cause::Unknown) {
            let causes: Vec<String> = rows().map(|lost| lost.cause.name().to_owned()).collect();
            matrix.add_values("cause", &causes);
        }
        let groups: Vec<u32> = past.iter().map(|lost| lost.rank).collect();
        let all: Vec<usize> = (0..past.len()).collect();
        // By customer, so that nobody helps to judge themselves.
        let fold = |row: usize| fold_of(groups[row] as usize, FOLDS);
        let mut predicted = vec![f64::NAN; past.len()];
        for one in 0..FOLDS {
            let (test, train): (Vec<usize>, Vec<usize>) = all.iter().partition(|&&row| fold(row) == one);
            let own: Vec<bool> = train.iter().map(|&row| labels[row]).collect();
            if test.is_empty() || own.iter().all(|back| *back) || own.iter().all(|back| !*back) {
                continue;
            }
            let scaled = Scaled::new(&matrix, &train);
            let fit = fit_logistic(&scaled, &own, L2, None)?;
            for row in test {
                predicted[row] = sigmoid(scaled.log_odds(&matrix, row, &fit.beta));
            }
        }
        let seen: Vec<usize> = all.iter().copied().filter(|&row| !predicted[row].is_nan()).collect();
        let (p, y): (Vec<f64>, Vec<bool>) = seen.iter().map(|&row| (predicted[row], labels[row])).unzip();
        let rate = y.iter().filter(|back| **back).count() as f64 / y.len().max(1) as f64;
        let own_loss = log_loss(&p, &y);
        // One rate for all, and the very rate of those judged at that, is the least that it has to beat.
        if own_loss.is_nan() || own_loss >= log_loss(&vec![rate; y.len()], &y) {
            return Ok(false);
        }
        (self.auc, self.log_loss) = (roc_auc(&p, &y), Some(own_loss));
        let scaled = Scaled::new(&matrix, &all);
        let fit = fit_logistic(&scaled, labels, L2, None)?;
        let covariance = clustered_covariance(&scaled, labels, &groups, &fit);
        let width = fit.beta.len();
        let chance = |(at, lost): (usize, &Lost)| {
            let row = past.len() + at;
            let x = scaled.row(&matrix, row);
            let variance: f64 = (0..width)
                .map(|i| (0..width).map(|j| x[i] * covariance[i * width + j] * x[j]).sum::<f64>())
                .sum();
            (lost.rank, sigmoid(scaled.log_odds(&matrix, row, &fit.beta)), variance.max(0.0).sqrt())
        };
        self.chances = now.par_iter().enumerate().map(chance).collect();
        Ok(true)
    }

    /// The chance of a customer who is lost on the day, by rank, and the standard error of its log-odds; `None`
    /// where nothing is known.
    pub(crate) fn of(&self, rank: u32) -> Option<(f64, f64)> {
        let at = self.chances.binary_search_by_key(&rank, |&(rank, ..)| rank).ok()?;
        Some((self.chances[at].1, self.chances[at].2))
    }

    /// The mean chance of those who are lost on the day; `None` where nothing is known.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let n = self.chances.len();
        (n > 0).then(|| self.chances.iter().map(|(_, p, _)| p).sum::<f64>() / n as f64)
    }
}

/// The standard error of the log-odds of one rate for all. Rows of one customer (they stand together) are alike, so that it is
/// that of their sums, and no less than that of so many independent rows.
fn error_of_one_rate(past: &[Lost], rate: f64) -> f64 {
    let rows = past.len() as f64 + 1.0;
    let apart = |own: &[Lost]| {
        let returned = own.iter().filter(|lost| lost.returned).count() as f64;
        (returned - rate * own.len() as f64).powi(2)
    };
    let of_customers: f64 = past.chunk_by(|one, other| one.rank == other.rank).map(apart).sum();
    let spread = rate * (1.0 - rate);
    (of_customers / rows).max(spread).sqrt() / (spread * rows.sqrt())
}

/// What customers stated, by rank, and what happened to them.
type Told<'a> = (&'a [Option<Cause>], &'a [(u32, Day, IncidentKind)]);

/// Everybody who was lost on a day, by rank.
fn lost_on(history: &History, lapses: &Lapses, (causes, incidents): Told, on: Day) -> Vec<Lost> {
    let horizon_days = lapses.rule().horizon_days();
    let mut lost: Vec<(&Lapse, Day)> = Vec::new();
    for own in lapses.lapses().chunk_by(|one, other| one.rank() == other.rank()) {
        let is_lost =
            |lapse: &&Lapse| lapse.lapsed_on <= on && lapse.returned_on.is_none_or(|back| back > on);
        lost.extend(own.iter().find(is_lost).map(|lapse| (lapse, own[0].last_purchase)));
    }
    let of = |&(lapse, first_life_until): &(&Lapse, Day)| {
        let rank = lapse.rank();
        let run = history.run(rank as usize);
        let first_life = run.until(first_life_until).days;
        let first = first_life.first().copied().unwrap_or_default();
        let from = incidents.partition_point(|incident| incident.0 < rank);
        let own = incidents[from..].iter().take_while(|incident| incident.0 == rank);
        let incidents = own.filter(|incident| incident.1 <= on && incident.2 != IncidentKind::Praise).count();
        Lost {
            rank,
            facts: [
                f64::from(on.days_since(lapse.lapsed_on)).ln_1p(),
                f64::from(first_life_until.days_since_epoch() - first).ln_1p(),
                (first_life.len().max(1) as f64).ln(),
                f64::from(lapse.life - 1),
                (incidents as f64).ln_1p(),
            ],
            cause: causes.get(rank as usize).copied().flatten().unwrap_or(Cause::Unknown),
            returned: !Window::label(on, 0, horizon_days).range_in(run.days).is_empty(),
        }
    };
    lost.par_iter().map(of).collect()
}

impl fmt::Display for NaturalReturns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { horizon_days, rows, returned, .. } = self;
        if *rows == 0 {
            return write!(
                f,
                "natural return: nobody was lost {horizon_days} days ago or earlier, so that it is not known"
            );
        }
        write!(
            f,
            "natural return: of {rows} who were lost on earlier days, {returned} bought within {horizon_days} days by \
             themselves ({:.1} %)",
            100.0 * *returned as f64 / *rows as f64
        )?;
        match self.auc {
            Some(auc) => write!(f, "; told apart with AUC {auc:.2}"),
            None => write!(f, "; they cannot be told apart, one chance for all"),
        }
    }
}
