//! What should a reader make of it: what is good, what is doubtful, what to do?

use super::Evaluation;
use super::quality::Quality;
use super::verdict::{Verdict, Wins, has_outcomes};
use crate::metrics::Interval;

/// A slope so near 1 does no harm, however surely it is not 1.
const HARMLESS_SLOPE: f64 = 0.1;
/// A level so near to what came does no harm either, as a share of customers.
const HARMLESS_SHIFT: f64 = 0.02;
/// Backtests whose level was off by this share of customers show a model that probabilities cannot be read off.
const FAR_OFF: f64 = 0.05;

/// One thing to know, and what it is.
pub(super) struct Remark {
    /// `good`, `doubtful` or `do`.
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// All remarks: first what is good, then what is doubtful, then what to do.
pub(super) fn remarks(evaluation: &Evaluation) -> Vec<Remark> {
    let mut notes = Notes::default();
    notes.ranking(&evaluation.all, "everyone");
    if let Some(recent) = &evaluation.recent {
        notes.ranking(recent, "recent customers");
    }
    let level_is_right = notes.level(&evaluation.all);
    let spread_is_right = notes.spread(&evaluation.all);
    notes.backtest(evaluation);
    notes.advise(evaluation, level_is_right, spread_is_right);
    let Notes { good, doubtful, to_do } = notes;
    let kinds = [("good", good), ("doubtful", doubtful), ("do", to_do)];
    kinds
        .into_iter()
        .flat_map(|(kind, texts)| texts.into_iter().map(move |text| Remark { kind, text }))
        .collect()
}

#[derive(Default)]
struct Notes {
    good: Vec<String>,
    doubtful: Vec<String>,
    to_do: Vec<String>,
}

impl Notes {
    fn ranking(&mut self, quality: &Quality, of: &str) {
        let Some(Interval { estimate, low, high, .. }) = quality.auc_over_recency else {
            self.doubtful.push(format!("among {of}, nothing can be said of the order: {}", too_few(quality)));
            return;
        };
        let text = format!("AUC {estimate:+.3} ({low:+.3} to {high:+.3})");
        if low > 0.0 {
            let top = quality.gains.first().map(|row| row.lift * quality.churned_fraction);
            let top = top.map_or_else(String::new, |top| {
                let everyone = quality.churned_fraction * 100.0;
                format!("; of its top tenth {:.0} % left, of all {everyone:.0} %", top * 100.0)
            });
            self.good.push(format!("among {of}, its order beats that of days since last: {text}{top}"));
        } else if high < 0.0 {
            self.doubtful
                .push(format!("among {of}, its order is worse than that of days since last: {text}"));
        } else {
            self.doubtful
                .push(format!("among {of}, its order may be no better than that of days since last: {text}"));
        }
    }

    /// Whether as many left as were said to.
    fn level(&mut self, quality: &Quality) -> bool {
        let (said, came) = (quality.predicted_fraction, quality.churned_fraction);
        let text = format!("{:.1} % were said to leave, {:.1} % did", said * 100.0, came * 100.0);
        let shift = quality.calibration_line.as_ref().map(|line| &line.in_the_large);
        let is_sure = shift.is_some_and(|shift| shift.low > 0.0 || shift.high < 0.0);
        let is_right = (said - came).abs() < HARMLESS_SHIFT || (shift.is_some() && !is_sure);
        match (is_right, said > came) {
            (true, _) => self.good.push(format!("the level: {text}")),
            (false, true) => self.doubtful.push(format!("the level: probabilities were too high, {text}")),
            (false, false) => self.doubtful.push(format!("the level: probabilities were too low, {text}")),
        }
        is_right
    }

    /// Whether high and low probabilities lie as far apart as they should.
    fn spread(&mut self, quality: &Quality) -> bool {
        let Some(slope) = quality.calibration_line.as_ref().map(|line| &line.slope) else { return true };
        let Interval { estimate, low, high, .. } = *slope;
        let text = format!("slope {estimate:.2}, {low:.2} to {high:.2}");
        if high < 1.0 && estimate < 1.0 - HARMLESS_SLOPE {
            self.doubtful.push(format!("the extremes: its probabilities lie too far apart ({text})"));
            return false;
        }
        if low > 1.0 && estimate > 1.0 + HARMLESS_SLOPE {
            self.doubtful.push(format!("the extremes: its probabilities lie too close together ({text})"));
            return false;
        }
        true
    }

    fn backtest(&mut self, evaluation: &Evaluation) {
        let rows = &evaluation.backtest;
        if rows.is_empty() {
            return;
        }
        let wins = Wins::before(&evaluation.test_cutoffs, rows);
        let Wins { won, tied, of } = wins;
        let ties = match tied {
            0 => String::new(),
            1 => ", and as well at one".to_owned(),
            several => format!(", and as well at {several}"),
        };
        let text = format!("it ranked better than days since last at {won} of {of} earlier cutoffs{ties}");
        match (of, wins.are_most()) {
            (0, _) => {}
            (_, true) => self.good.push(text),
            (_, false) => self.doubtful.push(text),
        }
        let off = |row: &super::BacktestRow| row.predicted_fraction - row.churned_fraction;
        let (low, high) = rows
            .iter()
            .map(off)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), off| (low.min(off), high.max(off)));
        if high - low > FAR_OFF {
            self.doubtful.push(format!(
                "the level drifts, by season or trend: at the cutoffs above it was off by {:+.0} to {:+.0} points",
                low * 100.0,
                high * 100.0
            ));
        }
    }

    fn advise(&mut self, evaluation: &Evaluation, level_is_right: bool, spread_is_right: bool) {
        match evaluation.verdict {
            Some(Verdict::Better) => self.to_do.push("choose whom to look after by its order".to_owned()),
            Some(Verdict::NoBetterThanRecency) => {
                let gains = gains_beside(evaluation);
                if gains.is_empty() {
                    self.to_do.push(
                        "sort customers by days since last: nothing here shows that this model adds to that"
                            .to_owned(),
                    );
                    return;
                }
                self.to_do.push(format!(
                    "{}; yet {}: test it again on more customers or a later cutoff before you settle on either",
                    why_not_better(evaluation),
                    gains.join(", and ")
                ));
            }
            Some(Verdict::TooLittleData) => {
                self.to_do.push(
                    match has_outcomes(&evaluation.all) {
                        false => {
                            "rest nothing on these numbers: fewer than 25 customers left, or fewer than 25 stayed; \
                             bring a longer log or more customers, or choose another horizon"
                        }
                        true => {
                            "rest nothing on these numbers: they are those of one day, and there is no earlier cutoff \
                             to test at; bring a longer log, or choose a shorter horizon"
                        }
                    }
                    .to_owned(),
                );
                return;
            }
            None => {}
        }
        match level_is_right && spread_is_right {
            true => self.to_do.push("read its probabilities as they are".to_owned()),
            false => self.to_do.push(
                "trust the order, not the numbers: for a budget take the observed shares of the calibration table, or \
                 recalibrate on newer labels of the same time of year"
                    .to_owned(),
            ),
        }
        if let Some(profit) = &evaluation.profit {
            self.to_do.push(match (profit.fraction > 0.0, profit.chosen.realised_amount > 0.0) {
                (false, _) if profit.chosen_at.is_none() => {
                    "no campaign under the terms assumed: the probabilities promise none that pays".to_owned()
                }
                (false, _) => "no campaign under the terms assumed: none would have paid at the earlier cutoff".to_owned(),
                (true, true) if profit.is_no_better() => format!(
                    "if the campaign's terms are yours, know that the {:.0} % with the highest probability × value brought \
                     no more than as many by days since last; contact either, and hold out a random part of them to see \
                     what it really brings",
                    profit.fraction * 100.0
                ),
                (true, true) => format!(
                    "if the campaign's terms are yours, contact the {:.0} % with the highest probability × value, and \
                     hold out a random part of them to see what it really brings",
                    profit.fraction * 100.0
                ),
                (true, false) => format!(
                    "no campaign under the terms assumed yet: the {:.0} % that {} lost money at the test",
                    profit.fraction * 100.0,
                    if profit.chosen_at.is_some() { "paid before" } else { "promise most" }
                ),
            });
        }
    }
}

/// Why no order could be judged.
fn too_few(quality: &Quality) -> String {
    let churned = (quality.churned_fraction * quality.rows as f64).round() as usize;
    match (churned, quality.rows - churned) {
        (0, _) => "nobody left".to_owned(),
        (_, 0) => "nobody stayed".to_owned(),
        (_, 1) => "only one customer stayed, too few for an interval".to_owned(),
        (1, _) => "only one customer left, too few for an interval".to_owned(),
        (left, stayed) => format!("{left} left and {stayed} stayed, too few for an interval"),
    }
}

/// What keeps the verdict from *better*.
fn why_not_better(evaluation: &Evaluation) -> &'static str {
    match evaluation.all.auc_over_recency.as_ref() {
        Some(Interval { high, .. }) if *high < 0.0 => {
            "among everyone, its order is worse than days since last"
        }
        Some(Interval { low, .. }) if *low > 0.0 => {
            "its order is better at this cutoff only, or by too little to matter"
        }
        _ => "among everyone, its order is not surely better than days since last",
    }
}

/// What speaks for the model although the verdict does not.
fn gains_beside(evaluation: &Evaluation) -> Vec<String> {
    let mut gains = Vec::new();
    let all = &evaluation.all;
    if evaluation
        .recent
        .as_ref()
        .and_then(|recent| recent.auc_over_recency.as_ref())
        .is_some_and(|over| over.low > 0.0)
    {
        gains.push("among recent customers its order is surely better".to_owned());
    }
    let wins = Wins::before(&evaluation.test_cutoffs, &evaluation.backtest);
    if wins.are_most() {
        gains.push(format!("it ranked better at {} of {} earlier cutoffs", wins.won, wins.of));
    }
    let recency = all.baselines.recency.log_loss;
    if all.log_loss < recency {
        gains.push(format!(
            "its probabilities fit better (log-loss {:.4} against {recency:.4})",
            all.log_loss
        ));
    }
    gains
}
