//! Which facts drive a score, and what does each add to it?

use rayon::prelude::*;

use super::words::Words;
use crate::features::{Feature, Idea, Transform};
use crate::model::{ChurnModel, IdeaWeights, Rhythm, Term};
use crate::snapshot::LabelWindow;

/// How many customers' drivers are computed at a time.
const ROWS_PER_BLOCK: usize = 1 << 10;
/// How many drivers a score table names.
pub(super) const MOST_NAMED: usize = 3;

/// One idea's share of a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Driver {
    /// The idea.
    pub idea: Idea,
    /// The facts behind it, and which way they push.
    pub words: String,
    /// What it adds to the log-odds that is not known from the ideas before it in [`Idea::ALL`],
    /// against the average customer in training. All ideas add up to the score.
    pub log_odds: f64,
}

/// Where one customer's log-odds of churning come from.
///
/// # Formula
/// ```text
/// ln(p / (1 − p)) = base + season + Σ ideas
/// ```
/// where p is the churn probability. Both sides are summed in another order, so that their last digits
/// differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Drivers {
    /// The log-odds of the average row in training.
    pub base_log_odds: f64,
    /// What the time of year adds to everybody's; 0 for a model without a season, a day whose season is
    /// unknown, and features computed elsewhere.
    pub season_log_odds: f64,
    /// Every idea of the model, in the order of [`Idea::ALL`]; one that says nothing of this customer has 0.
    /// A model of the rhythm alone has one.
    pub ideas: Vec<Driver>,
}

impl Drivers {
    /// All of it together: the log-odds of churning.
    #[must_use]
    pub fn log_odds(&self) -> f64 {
        let ideas: f64 = self.ideas.iter().map(|driver| driver.log_odds).sum();
        self.base_log_odds + self.season_log_odds + ideas
    }
}

/// What drivers are told from: the features that were scored, and what the model makes of them.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    features: Vec<Feature>,
    transforms: Vec<Transform>,
    terms: Vec<Term>,
    ideas: IdeaWeights,
    base_log_odds: f64,
    season_log_odds: f64,
    /// Feature by feature, and recent spend where no feature of the model says it.
    columns: Vec<Vec<f64>>,
    /// Which column is what a customer brought in the last two horizons; `None` where amounts are unknown.
    recent_spend: Option<usize>,
    /// A model of the rhythm, which has no terms, and its label.
    rhythm: Option<(Rhythm, LabelWindow)>,
}

impl Facts {
    pub(super) fn new(
        model: &ChurnModel,
        columns: Vec<Vec<f64>>,
        recent_spend: Option<usize>,
        season_log_odds: f64,
    ) -> Self {
        Facts {
            features: model.features.clone(),
            transforms: model.features.iter().map(Feature::transform).collect(),
            terms: model.terms.clone(),
            ideas: model.idea_weights.clone(),
            base_log_odds: model.beta[0],
            season_log_odds,
            columns,
            recent_spend,
            rhythm: model.rhythm.clone().map(|rhythm| (rhythm, model.label)),
        }
    }

    /// What a customer brought in the last two horizons; NaN where amounts are unknown.
    pub(super) fn recent_spend(&self, row: usize) -> f64 {
        self.recent_spend.map_or(f64::NAN, |column| self.columns[column][row])
    }

    /// The features scored, column by column; recent spend may follow the model's own.
    pub(super) fn columns(&self) -> &[Vec<f64>] {
        &self.columns
    }

    /// All drivers of a row.
    pub(super) fn drivers(&self, row: usize) -> Drivers {
        let words = Words::new(&self.features);
        let ideas = self.ideas(row).into_iter().map(|share| self.driver(row, share, &words)).collect();
        Drivers { base_log_odds: self.base_log_odds, season_log_odds: self.season_log_odds, ideas }
    }

    /// The strongest drivers of some rows, the strongest first.
    pub(super) fn strongest(&self, rows: &[usize]) -> Vec<[Option<Driver>; MOST_NAMED]> {
        let words = Words::new(&self.features);
        self.each(rows, |row| {
            let mut ideas = self.ideas(row);
            ideas.retain(|(_, log_odds)| *log_odds != 0.0);
            // A stable sort: ties stay in the order of the ideas.
            ideas.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
            std::array::from_fn(|place| Some(self.driver(row, *ideas.get(place)?, &words)))
        })
    }

    /// Everything that makes up the log-odds of some rows, by the name of a column; first their sum.
    pub(super) fn all(&self, rows: &[usize]) -> Vec<(String, Vec<f64>)> {
        let shares = self.each(rows, |row| self.ideas(row));
        let fixed = self.base_log_odds + self.season_log_odds;
        let sum = |ideas: &Vec<(Idea, f64)>| fixed + ideas.iter().map(|(_, log_odds)| log_odds).sum::<f64>();
        let mut columns = vec![
            ("log_odds".to_owned(), shares.iter().map(sum).collect()),
            ("base_log_odds".to_owned(), vec![self.base_log_odds; rows.len()]),
            ("season_log_odds".to_owned(), vec![self.season_log_odds; rows.len()]),
        ];
        let ideas = match self.rhythm {
            Some(_) => vec![Idea::Rhythm],
            None => self.ideas.ideas(),
        };
        for (place, idea) in ideas.into_iter().enumerate() {
            columns
                .push((format!("{}_log_odds", idea.name()), shares.iter().map(|row| row[place].1).collect()));
        }
        columns
    }

    fn each<T: Send>(&self, rows: &[usize], of: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let blocks: Vec<Vec<T>> =
            rows.par_chunks(ROWS_PER_BLOCK).map(|rows| rows.iter().map(|&row| of(row)).collect()).collect();
        blocks.into_iter().flatten().collect()
    }

    /// What every idea adds to a row's log-odds.
    fn ideas(&self, row: usize) -> Vec<(Idea, f64)> {
        let value = |feature: usize| self.columns[feature][row];
        if let Some((rhythm, label)) = &self.rhythm {
            return vec![(Idea::Rhythm, rhythm.share(&self.features, *label, &value))];
        }
        let transforms = self.transforms.iter().enumerate();
        let transformed: Vec<f64> =
            transforms.map(|(feature, transform)| transform.apply(value(feature))).collect();
        let terms = self.terms.iter();
        let row: Vec<f64> = terms.map(|term| term.standardised(&|feature| transformed[feature])).collect();
        self.ideas.log_odds(&row)
    }

    fn driver(&self, row: usize, (idea, log_odds): (Idea, f64), words: &Words) -> Driver {
        let value = |feature: usize| self.columns[feature][row];
        let words = match self.rhythm {
            Some(_) => words.rhythm(log_odds, &value),
            None => words.driver(idea, log_odds, &value),
        };
        Driver { idea, words, log_odds }
    }
}
