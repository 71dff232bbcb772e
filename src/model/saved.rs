//! How does a model survive the program that trained it?

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ChurnModel, POSITIVE_CLASS};
use crate::error::{Error, Result};
use crate::features::{Feature, FeatureSet, supply_custom};
use crate::table;

/// No fit comes near it; sums of such coefficients stay finite.
const LARGEST_COEFFICIENT: f64 = 1e6;
/// The format this version writes and reads.
const FORMAT: u64 = 1;

#[derive(Serialize)]
struct Written<'a> {
    format: u64,
    written_by: &'a str,
    positive_class: &'a str,
    model: &'a ChurnModel,
}

/// What tells one format from another; present in all of them.
#[derive(Deserialize)]
struct Header {
    format: u64,
    #[serde(default)]
    written_by: String,
    #[serde(default)]
    positive_class: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(rename = "format")]
    _format: u64,
    #[serde(rename = "written_by")]
    _written_by: String,
    #[serde(rename = "positive_class")]
    _positive_class: String,
    model: ChurnModel,
}

impl ChurnModel {
    /// Writes the model as versioned JSON, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Unwritable`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let text = self.to_json()?;
        table::write_whole(path.as_ref(), |file| {
            std::io::Write::write_all(file, text.as_bytes()).map_err(|error| error.to_string())
        })
    }

    /// Reads a model that [`save`](Self::save) wrote. It scores bit for bit as the one saved.
    ///
    /// A file of a format that this version does not read is refused, with the version that wrote it.
    ///
    /// # Errors
    /// [`Error::ModelFormat`] for another format, [`Error::ModelDamaged`] for a file that is not whole
    /// or does not fit together, [`Error::FeatureMismatch`] for a model with features of the caller's
    /// own: see [`load_with`](Self::load_with).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &[])
    }

    /// As [`load`](Self::load), with the caller's own features that the model was trained with.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with(path: impl AsRef<Path>, own_features: &[Feature]) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NoSuchFile { path: path.to_owned() },
            _ => Error::unreadable(path, error),
        })?;
        Self::parse(&bytes, &path.display().to_string(), own_features)
    }

    /// The model as [`save`](Self::save) writes it.
    ///
    /// # Errors
    /// [`Error::NotFitted`] where a number of the model is not finite.
    pub fn to_json(&self) -> Result<String> {
        let written = Written {
            format: FORMAT,
            written_by: env!("CARGO_PKG_VERSION"),
            positive_class: POSITIVE_CLASS,
            model: self,
        };
        let mut text = serde_json::to_string_pretty(&written)
            .map_err(|error| Error::NotFitted { reason: error.to_string() })?;
        text.push('\n');
        Ok(text)
    }

    /// Reads what [`to_json`](Self::to_json) returned.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_json(text: &str) -> Result<Self> {
        Self::parse(text.as_bytes(), "model", &[])
    }

    fn parse(bytes: &[u8], origin: &str, own_features: &[Feature]) -> Result<Self> {
        let damaged = |reason: String| Error::ModelDamaged { origin: origin.to_owned(), reason };
        let header: Header = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if header.format != FORMAT {
            return Err(Error::ModelFormat {
                origin: origin.to_owned(),
                found: header.format,
                expected: FORMAT,
                written_by: header.written_by,
            });
        }
        if header.positive_class != POSITIVE_CLASS {
            return Err(damaged(format!(
                "its positive class is `{}`, expected `{POSITIVE_CLASS}`",
                header.positive_class
            )));
        }
        // Of the same format by its number: whoever wrote it may have meant another one.
        let by_another = match header.written_by == env!("CARGO_PKG_VERSION") {
            true => String::new(),
            false => format!("; it was written by winback {}", header.written_by),
        };
        let Body { mut model, .. } =
            serde_json::from_slice(bytes).map_err(|error| damaged(format!("{error}{by_another}")))?;
        model.fits_together().map_err(|reason| damaged(format!("{reason}{by_another}")))?;
        supply_custom(&mut model.features, own_features).map_err(|missing| Error::FeatureMismatch {
            origin: origin.to_owned(),
            problem: format!(
                "trained with features of the caller's own that were not given: {}; load it together with them",
                missing.join(", ")
            ),
        })?;
        Ok(model)
    }

    /// Whether the parts of a model read from a file belong together.
    fn fits_together(&self) -> std::result::Result<(), String> {
        let width = self.terms.len() + 1;
        if self.beta.len() != width || self.covariance.len() != width * width {
            return Err(format!(
                "{} terms, {} coefficients and {} covariances do not belong together",
                self.terms.len(),
                self.beta.len(),
                self.covariance.len()
            ));
        }
        self.idea_weights.check(&self.beta[1..])?;
        let set = self.features.iter().cloned().fold(FeatureSet::empty(), FeatureSet::with);
        set.check().map_err(|error| error.to_string())?;
        let mut used = vec![false; self.features.len()];
        if let Some(rhythm) = &self.rhythm {
            if !self.terms.is_empty() {
                return Err("it has both a rhythm and terms".to_owned());
            }
            rhythm.check(&self.features)?.into_iter().for_each(|feature| used[feature] = true);
        }
        for feature in self.terms.iter().flat_map(|term| term.kind.features()) {
            *used.get_mut(feature).ok_or_else(|| {
                format!("feature {} of its terms is missing; there are {}", feature + 1, self.features.len())
            })? = true;
        }
        let unused = |feature: &Feature| self.fit.unused.contains(&feature.name());
        if let Some((extra, _)) =
            self.features.iter().zip(used).find(|(feature, used)| !used && !unused(feature))
        {
            return Err(format!("feature `{}` belongs to no term", extra.name()));
        }
        let numbers = self.beta.iter().chain(&self.covariance).chain([&self.at_risk_threshold, &self.fit.l2]);
        let standards = self.terms.iter().flat_map(|term| [term.mean, term.sd]);
        if numbers.copied().chain(standards).any(|number| !number.is_finite()) {
            return Err("a number is not finite".to_owned());
        }
        if self.beta.iter().any(|beta| beta.abs() > LARGEST_COEFFICIENT) {
            return Err(format!("a coefficient is larger than {LARGEST_COEFFICIENT}"));
        }
        if let Some(term) = self.terms.iter().find(|term| term.sd <= 0.0) {
            return Err(format!(
                "the standard deviation of `{}` is not above 0",
                term.kind.name(&self.features)
            ));
        }
        if !(0.0..=1.0).contains(&self.at_risk_threshold) {
            return Err(format!("the at-risk threshold {} is not a probability", self.at_risk_threshold));
        }
        self.portrait.check(self.features.len())?;
        self.label.check().map_err(|error| error.to_string())
    }
}
