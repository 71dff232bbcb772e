//! What does the rhythm alone say? Models of customers who buy until they leave.
//!
//! They look at three numbers per customer, a [`Summary`], and know neither dates nor amounts nor the
//! business. Rhythm: [`MbgNbd`], where customers can leave after any purchase; [`BgNbd`], where not after
//! the first; [`Nbd`], where never. Spend per purchase: [`GammaGamma`].
//!
//! All are fitted by maximum likelihood (MBG/NBD also under a stated prior, [`MbgNbdPosterior`]), and say how sure they are of their parameters and whether the
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
mod beta_geometric;
mod posterior;
mod gamma_gamma;

pub use beta_geometric::{AfterAnyPurchase, AfterRepeatPurchases, BetaGeometric, BgNbd, Leaves, MbgNbd};
pub use fit::{FitParams, FitReport};
pub use gamma_gamma::{GammaGamma, RepeatSpend};
pub use nbd::Nbd;
pub use posterior::MbgNbdPosterior;
pub use summary::Summary;
