//! What does a model say of itself?

use std::fmt;

use super::terms::TermChoice;
use super::{ChurnModel, FitSummary, ModelKind, POSITIVE_CLASS, Provenance, StrengthChoice};

impl fmt::Display for ChurnModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Provenance { rows, customers, first_cutoff, last_cutoff, churned_fraction, .. } =
            &self.provenance;
        let cutoffs = match self.provenance.cutoffs.len() {
            1 => format!("one cutoff, {last_cutoff}"),
            several => format!("{several} cutoffs from {first_cutoff} to {last_cutoff}"),
        };
        let name = match self.kind() {
            ModelKind::Logistic => "logistic model",
            ModelKind::Rhythm { is_mostly_prior: false } => {
                "rhythm model (MBG/NBD, too little data for a logistic one)"
            }
            ModelKind::Rhythm { is_mostly_prior: true } => "stated prior (MBG/NBD, next to no data)",
        };
        write!(f, "{name} of {POSITIVE_CLASS}: no purchase in {} days", self.label.horizon_days)?;
        if self.label.lead_days > 0 {
            write!(f, " that begin {} days after the cutoff", self.label.lead_days)?;
        }
        write!(
            f,
            "\n  trained on {rows} rows of {customers} customers at {cutoffs}, {:.1} % churned",
            churned_fraction * 100.0
        )?;
        if let Some(rhythm) = &self.rhythm {
            write!(f, "\n  {}\n  season unknown: so few rows show none", rhythm.posterior)?;
            if !self.fit.ignored.is_empty() {
                let ignored = self.fit.ignored.join(", ");
                write!(f, "\n  no columns, so that these settings play no part: {ignored}")?;
            }
            return self.write_at_risk(f);
        }
        write!(
            f,
            "\n  {} columns from {} features, {} in {}, {}",
            self.terms.len(),
            self.features.len(),
            if self.fit.converged { "converged" } else { "NOT converged" },
            match self.fit.iterations {
                1 => "1 Newton step".to_owned(),
                steps => format!("{steps} Newton steps"),
            },
            strength(&self.fit),
        )?;
        if self.fit.rows < *rows {
            write!(f, "\n  fitted on {} of these rows, chosen by customer", self.fit.rows)?;
        }
        if self.fit.terms == TermChoice::Core {
            write!(f, "\n  too little to learn many columns from: only the core ones, strongly shrunk")?;
        }
        if self.fit.separated {
            write!(
                f,
                "\n  the classes are perfectly separated in training: probabilities are held by the shrinkage alone"
            )?;
        }
        if let Some(season) = &self.season {
            write!(f, "\n  {season}")?;
        }
        self.write_at_risk(f)
    }
}

/// What the L2 strength is, and who says so.
fn strength(fit: &FitSummary) -> String {
    let l2 = fit.l2;
    match fit.strength_choice {
        None | Some(StrengthChoice::Given) => format!("L2 strength {l2} as given"),
        Some(StrengthChoice::Events) => format!("L2 strength {l2} by the number of events"),
        Some(StrengthChoice::ForwardInTime) => format!("L2 strength {l2}, which did better forward in time"),
        Some(StrengthChoice::Evidence { determined_columns }) => {
            format!("L2 strength {l2:.1} by the evidence, which determines {determined_columns:.1} columns")
        }
    }
}

impl ChurnModel {
    fn write_at_risk(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  at risk: recent customers from {:.1} % on", self.at_risk_threshold * 100.0)
    }
}
