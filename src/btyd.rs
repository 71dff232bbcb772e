//! What does the rhythm alone say? Models of customers who buy until they leave.
//!
//! They look at three numbers per customer, a [`Summary`], and know neither dates nor amounts nor the
//! business. Rhythm: [`MbgNbd`], where customers can leave after any purchase; [`BgNbd`], where not after
//! the first; [`Nbd`], where never. Spend per purchase: [`GammaGamma`].
//!
//! All are fitted by maximum likelihood, and say how sure they are of their parameters and whether the
//! search came to rest ([`FitReport`]). Fitted or given, a model is a plain value that serialises.
//!
//! Here, and only here, the names are those of the literature: `frequency`, `recency` and `age` for x,
//! t_x and T. For who may churn, ask `p_no_purchase`; P(alive) is not a churn score.

mod special;
mod optimise;
mod summary;
mod fit;
mod expectation;
mod dropout;
mod nbd;
mod mbg_nbd;
mod bg_nbd;
mod gamma_gamma;

pub use bg_nbd::BgNbd;
pub use fit::{FitParams, FitReport};
pub use gamma_gamma::{GammaGamma, RepeatSpend};
pub use mbg_nbd::MbgNbd;
pub use nbd::Nbd;
pub use summary::Summary;
