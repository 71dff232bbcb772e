//! Does the time of year move everybody's risk?
//!
//! A model trained in summer is too gloomy before Christmas. At every cutoff the log offers, the
//! season's residual is the shift in log-odds that would make the predicted losses equal the observed
//! ones. What the same weeks of earlier years showed, against their own year, is added when scoring.

use serde::{Deserialize, Serialize};

use super::ChurnModel;
use super::strength::overlap;
use crate::day::Day;
use crate::error::{Error, Result};
use crate::features::FeatureSet;
use crate::history::History;
use crate::math::sigmoid;
use crate::snapshot::{Cutoffs, Snapshots};

const YEAR_DAYS: f64 = 365.25;
const HALF_YEAR_DAYS: i32 = 183;
const MOST_YEARS: i32 = 10;
/// It is learned from at most so many cutoffs.
const MOST_CUTOFFS: i32 = 120;
/// About so many rows are walked at a time.
const MOST_ROWS: usize = 1 << 20;
/// A day's season is known from so long after the first cutoff on: 13 months, and the horizon before that
/// cutoff.
const LEAST_DAYS: i32 = 396;
/// They reach so far back: all years that are looked at, and what was usual around the first of them.
const MOST_DAYS: i32 = 366 * MOST_YEARS + HALF_YEAR_DAYS;
/// They lie no further apart than this, so that half a year has [`LEAST_CUTOFFS`] of them.
const LONGEST_STEP_DAYS: i32 = HALF_YEAR_DAYS / (LEAST_CUTOFFS as i32 - 1);
/// A year needs so many cutoffs around a date to tell what is usual in it.
const LEAST_CUTOFFS: usize = 4;
/// Before any year could be checked against the one before, half of what it shows is believed …
const PRIOR_STRENGTH: f64 = 0.5;
/// … with this standard deviation.
const PRIOR_SD: f64 = 0.5;

impl std::fmt::Display for Season {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(last) = self.residuals.last() else { return write!(f, "season unknown") };
        match self.is_known(last.cutoff) {
            true => write!(
                f,
                "season known from earlier years; {:.0} % of what they showed is believed",
                self.strength * 100.0
            ),
            false => write!(
                f,
                "season unknown at {}, for want of an earlier year: at another time of the year everybody's log-odds \
                 may be off by about {:.2}",
                last.cutoff, self.spread
            ),
        }
    }
}

/// The shift at one cutoff.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Residual {
    pub(crate) cutoff: Day,
    /// What must be added to every log-odds there for the losses to come out right.
    pub(crate) log_odds: f64,
    /// Its sampling error.
    pub(crate) standard_error: f64,
}

impl Residual {
    /// From the log-odds of a cutoff's customers and what came of them.
    ///
    /// A shift is held towards 0 by as much as one customer at even odds could tell, so that a cutoff at
    /// which all or none churned has one too.
    pub(super) fn new(cutoff: Day, log_odds: &[f64], churned: &[bool]) -> Self {
        const ITERATIONS: usize = 50;
        const LARGEST_STEP: f64 = 1.0;
        const HOLD: f64 = 0.25;
        let (mut shift, mut information) = (0.0_f64, HOLD);
        for _ in 0..ITERATIONS {
            let (mut gradient, mut weight) = (HOLD * shift, HOLD);
            for (eta, &label) in log_odds.iter().zip(churned) {
                let p = sigmoid(eta + shift);
                gradient += p - f64::from(u8::from(label));
                weight += p * (1.0 - p);
            }
            let step = (gradient / weight).clamp(-LARGEST_STEP, LARGEST_STEP);
            shift -= step;
            information = weight;
            if step.abs() < 1e-12 {
                break;
            }
        }
        Residual { cutoff, log_odds: shift, standard_error: 1.0 / information.sqrt() }
    }
}

/// What is known of the time of year.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Season {
    residuals: Vec<Residual>,
    /// How much of what earlier years showed is believed, 0 to 1.
    strength: f64,
    /// What a recalibration multiplied all log-odds by since.
    slope: f64,
    /// What earlier years showed at the cutoffs the model was trained on: the model has it already.
    base: f64,
    /// Standard deviation of the residuals between cutoffs, log-odds.
    spread: f64,
}

impl Season {
    /// Learns from residuals by ascending cutoff, of label windows so long; `trained_at` are the model's own
    /// cutoffs.
    pub(super) fn learn(residuals: Vec<Residual>, horizon_days: i32, trained_at: &[Day]) -> Self {
        let shifts: Vec<f64> = residuals.iter().map(|residual| residual.log_odds).collect();
        let spread = variance(&shifts).sqrt();
        let mut season = Season { residuals, strength: 0.0, slope: 1.0, base: 0.0, spread };
        let cutoffs: Vec<Day> = season.residuals.iter().map(|residual| residual.cutoff).collect();
        season.strength = season.learn_strength(overlap(&cutoffs, horizon_days));
        let known: Vec<f64> = trained_at.iter().filter_map(|&cutoff| season.at(cutoff)).collect();
        season.base = if known.is_empty() { 0.0 } else { mean(&known) };
        season
    }

    /// What to add to everybody's log-odds of churned when scoring as of that day. 0 while the season is
    /// unknown.
    #[must_use]
    pub fn offset(&self, day: Day) -> f64 {
        match self.earlier_years(day) {
            Some(shown) => self.slope * self.strength * (shown - self.base),
            None => 0.0,
        }
    }

    /// Whether earlier years say anything of that day.
    #[must_use]
    pub fn is_known(&self, day: Day) -> bool {
        self.earlier_years(day).is_some()
    }

    /// Standard deviation, between cutoffs, of the shift that would have made predictions right,
    /// log-odds: the doubt that remains about any one day while its season is unknown.
    #[must_use]
    pub fn spread(&self) -> f64 {
        self.spread
    }

    /// How much of what earlier years showed is believed, 0 to 1.
    #[must_use]
    pub fn strength(&self) -> f64 {
        self.strength
    }

    /// Multiplies all offsets, as the coefficients are multiplied.
    pub(super) fn scale(&mut self, factor: f64) {
        self.slope *= factor;
    }

    /// How well the year before told what came: the slope of residuals on those a year earlier, held
    /// towards one half by a prior. Where label windows of neighbouring cutoffs overlap, several count as one.
    fn learn_strength(&self, overlap: f64) -> f64 {
        let pairs: Vec<(f64, f64)> = self
            .residuals
            .iter()
            .filter_map(|residual| {
                let around = self.around(residual.cutoff)?;
                Some((self.earlier_years(residual.cutoff)?, residual.log_odds - around))
            })
            .collect();
        let (xx, xy) = pairs.iter().fold((0.0, 0.0), |(xx, xy), (x, y)| (xx + x * x, xy + x * y));
        let noise = pairs.iter().map(|(x, y)| (y - x * xy / xx.max(f64::MIN_POSITIVE)).powi(2)).sum::<f64>();
        let noise = overlap * (noise / pairs.len().max(1) as f64).max(1e-4);
        let prior = 1.0 / (PRIOR_SD * PRIOR_SD);
        ((PRIOR_STRENGTH * prior + xy / noise) / (prior + xx / noise)).clamp(0.0, 1.0)
    }

    /// What a day's own time of year shows: earlier years, or else its own residual.
    fn at(&self, day: Day) -> Option<f64> {
        self.earlier_years(day).or_else(|| Some(self.residual_at(day)? - self.around(day)?))
    }

    /// The mean, over earlier years, of the residual at the same date against what was usual around it.
    ///
    /// None within 13 months of the first cutoff: where a year before is only just reached, half of what was
    /// usual around it is missing.
    fn earlier_years(&self, day: Day) -> Option<f64> {
        if day.days_since(self.residuals.first()?.cutoff) < LEAST_DAYS {
            return None;
        }
        let shown: Vec<f64> = (1..=MOST_YEARS)
            .filter_map(|years| {
                let back = (YEAR_DAYS * f64::from(years)).round() as i32;
                let then = day.plus_days(-back);
                Some(self.residual_at(then)? - self.around(then)?)
            })
            .collect();
        (!shown.is_empty()).then(|| mean(&shown))
    }

    /// The residual at a day between cutoffs, each pulled towards 0 by its sampling error.
    fn residual_at(&self, day: Day) -> Option<f64> {
        let after = self.residuals.partition_point(|residual| residual.cutoff < day);
        let right = self.residuals.get(after)?;
        let left = match after.checked_sub(1) {
            Some(before) if right.cutoff != day => &self.residuals[before],
            Some(_) => right,
            None if right.cutoff == day => right,
            None => return None,
        };
        let span = right.cutoff.days_since(left.cutoff);
        let share = if span == 0 { 0.0 } else { f64::from(day.days_since(left.cutoff)) / f64::from(span) };
        Some(left.log_odds * (1.0 - share) + right.log_odds * share).map(|shift| shift * self.reliability())
    }

    /// The share of the residuals' variance that is not sampling error.
    fn reliability(&self) -> f64 {
        let errors: Vec<f64> =
            self.residuals.iter().map(|residual| residual.standard_error * residual.standard_error).collect();
        let variance = self.spread * self.spread;
        if variance > 0.0 { (1.0 - mean(&errors) / variance).max(0.0) } else { 0.0 }
    }

    /// The mean residual within half a year of a day.
    fn around(&self, day: Day) -> Option<f64> {
        let near: Vec<f64> = self
            .residuals
            .iter()
            .filter(|residual| residual.cutoff.days_since(day).abs() <= HALF_YEAR_DAYS)
            .map(|residual| residual.log_odds)
            .collect();
        (near.len() >= LEAST_CUTOFFS).then(|| mean(&near) * self.reliability())
    }
}

/// The days looked at, ascending: half a horizon apart, further where the log is so long that its earlier years
/// would not be reached otherwise, and nearer where a year would have too few.
fn cutoffs(first: Day, last: Day, horizon_days: i32) -> Vec<Day> {
    let days = last.days_since(first).clamp(0, MOST_DAYS);
    let step =
        (horizon_days / 2).clamp(1, LONGEST_STEP_DAYS).max((days + MOST_CUTOFFS - 2) / (MOST_CUTOFFS - 1));
    (0..=days / step)
        .rev()
        .map(|back| last.plus_days(-step * back))
        .filter(|cutoff| *cutoff >= first)
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (values.len() - 1) as f64
}

impl ChurnModel {
    /// Learns the time of year from the log the model was trained on (or a longer one, read the same
    /// way): how far predictions were off at cutoffs of earlier years.
    ///
    /// Only labels that ended by the model's own last one are looked at. Where the log is shorter than 13
    /// months plus a horizon the season stays unknown, and [`Season::spread`] says how much that may
    /// matter. A model of the rhythm alone ([`ModelKind::Rhythm`](super::ModelKind::Rhythm)) stays without a season: so few rows show
    /// none.
    ///
    /// # Errors
    /// [`Error::PolicyMismatch`] for a log read another way, and what [`Snapshots`] refuses.
    pub fn with_season(mut self, history: &History) -> Result<ChurnModel> {
        self.check_policy(history)?;
        if self.rhythm.is_some() {
            return Ok(self);
        }
        let features = self.features_in(history)?;
        let horizon_days = self.label.horizon_days;
        let first = history.observed_from().plus_days(horizon_days);
        let last = self.provenance.last_cutoff.min(history.observed_until().plus_days(-self.label.days()));
        let cutoffs = cutoffs(first, last, horizon_days);
        let mut residuals = Vec::with_capacity(cutoffs.len());
        // A few at a time: one walk for all of them, and a long log does not need all its panels at once.
        let at_a_time = (MOST_ROWS / history.customers().max(1)).clamp(1, cutoffs.len().max(1));
        for cutoffs in cutoffs.chunks(at_a_time) {
            let built =
                Snapshots::params(features.iter().cloned().fold(FeatureSet::empty(), FeatureSet::with))
                    .with_horizon_days(horizon_days)
                    .with_lead_days(self.label.lead_days)
                    .with_population(self.population)
                    .with_cutoffs(Cutoffs::explicit(cutoffs.iter().copied()))
                    .build(history);
            match built {
                Ok(snapshots) => residuals.extend(self.residuals(&snapshots)),
                Err(Error::BeforeFirstPurchase { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let season = Season::learn(residuals, horizon_days, &self.provenance.cutoffs);
        self.season = Some(season);
        Ok(self)
    }

    /// One residual per cutoff at which there was anybody.
    fn residuals(&self, snapshots: &Snapshots) -> Vec<Residual> {
        let log_odds = self.log_odds(snapshots.columns());
        let mut of_cutoffs: Vec<(Vec<f64>, Vec<bool>)> = vec![Default::default(); snapshots.cutoffs().len()];
        for ((&position, eta), &label) in snapshots.positions().iter().zip(log_odds).zip(snapshots.labels()) {
            let (log_odds, churned) = &mut of_cutoffs[position as usize];
            log_odds.push(eta);
            churned.push(label);
        }
        let cutoffs =
            snapshots.cutoffs().iter().zip(of_cutoffs).filter(|(_, (log_odds, _))| !log_odds.is_empty());
        cutoffs.map(|(&cutoff, (log_odds, churned))| Residual::new(cutoff, &log_odds, &churned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn residuals(days: i32, shift: impl Fn(f64) -> f64) -> Vec<Residual> {
        (0..days / 30)
            .map(|step| {
                let cutoff = Day::from_days_since_epoch(18_000 + 30 * step);
                let log_odds = shift(std::f64::consts::TAU * f64::from(30 * step) / YEAR_DAYS);
                Residual { cutoff, log_odds, standard_error: 0.01 }
            })
            .collect()
    }

    #[test]
    fn a_repeated_season_is_learned_and_carried_on() {
        let season = Season::learn(residuals(1_400, |angle| 0.5 * angle.sin()), 60, &[]);
        assert!(season.strength() > 0.8, "{season:?}");
        for step in 0..12 {
            let day = Day::from_days_since_epoch(18_000 + 1_400 + 30 * step);
            let angle = std::f64::consts::TAU * f64::from(1_400 + 30 * step) / YEAR_DAYS;
            assert!((season.offset(day) - 0.5 * angle.sin()).abs() < 0.15, "{step}: {}", season.offset(day));
        }
    }

    #[test]
    fn noise_is_not_taken_for_a_season() {
        // A pattern that never repeats from year to year.
        let mut state = 7_u64;
        let noise = residuals(1_500, |_| 0.0).into_iter().map(|residual| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Residual { log_odds: 0.4 * ((state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5), ..residual }
        });
        let season = Season::learn(noise.collect(), 60, &[]);
        assert!(season.strength() < 0.35, "{}", season.strength());
    }

    #[test]
    fn a_short_log_knows_no_season() {
        let season = Season::learn(residuals(300, |angle| angle.sin()), 60, &[]);
        let day = Day::from_days_since_epoch(18_300);
        assert!(!season.is_known(day));
        assert_eq!(season.offset(day), 0.0);
        assert!(season.spread() > 0.5);
    }

    #[test]
    fn a_season_is_known_thirteen_months_after_the_first_cutoff() {
        for days in [360, 390, 420, 450] {
            let season = Season::learn(residuals(days + 30, |angle| angle.sin()), 60, &[]);
            let day = Day::from_days_since_epoch(18_000 + days);
            assert_eq!(season.is_known(day), days >= LEAST_DAYS, "{days}");
            assert_eq!(season.offset(day) != 0.0, days >= LEAST_DAYS, "{days}");
        }
    }

    /// Whatever the horizon and the log: two years are enough for a year before the last one.
    #[test]
    fn cutoffs_reach_earlier_years_and_fill_half_a_year() {
        let last = Day::from_days_since_epoch(20_000);
        for horizon_days in (1..=30).chain([45, 60, 90, 180, 365, 9_125]) {
            for days in [0, 100, 400, 730, 1_500, 3_650, 9_000] {
                let found = cutoffs(last.plus_days(-days), last, horizon_days);
                assert!(found.len() <= MOST_CUTOFFS as usize && found.last() == Some(&last));
                let back = last.days_since(found[0]);
                assert!(
                    back <= days && back + LONGEST_STEP_DAYS > days.min(MOST_DAYS),
                    "{horizon_days} {days}"
                );
                let step = found.get(1).map_or(1, |second| second.days_since(found[0]));
                assert!(step <= LONGEST_STEP_DAYS, "{horizon_days} {days}: {step}");
                let near = found.iter().filter(|cutoff| last.days_since(**cutoff) <= HALF_YEAR_DAYS).count();
                assert!(days < HALF_YEAR_DAYS || near >= LEAST_CUTOFFS, "{horizon_days} {days}: {near}");
            }
        }
        assert!(cutoffs(last.plus_days(1), last, 7).is_empty());
    }

    #[test]
    fn a_residual_makes_the_losses_come_out_right() {
        let log_odds: Vec<f64> = (0..2_000).map(|row| f64::from(row % 7) / 2.0 - 2.0).collect();
        let churned: Vec<bool> = (0..2_000).map(|row| row % 3 == 0).collect();
        let residual = Residual::new(Day::FIRST, &log_odds, &churned);
        let expected: f64 = log_odds.iter().map(|eta| sigmoid(eta + residual.log_odds)).sum();
        let observed = churned.iter().filter(|&&label| label).count() as f64;
        assert!((expected - observed).abs() < 0.2);
        let all = Residual::new(Day::FIRST, &log_odds, &[true; 2_000]);
        assert!(all.log_odds.is_finite() && all.log_odds > 3.0);
    }
}
