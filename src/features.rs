//! What did we know of each customer at the cutoff?
//!
//! A [`Feature`] is defined once: its name, its meaning and its kernel are matches over one enum. A
//! [`FeatureSet`] is a list of them, resolved against the history it is asked of.

mod view;
mod recency;
mod rhythm;
mod money;
mod trend;
mod refunds;
mod peers;
mod custom;
mod idea;
mod feature;
mod fragment;
mod walk;
mod set;
mod disk;

pub use self::custom::{CustomFeature, Transform};
pub(crate) use self::disk::{DiskWalk, everybody};
pub use self::feature::Feature;
pub(crate) use self::feature::supply_custom;
pub(crate) use self::fragment::PeerColumns;
pub use self::idea::{Description, Idea};
pub(crate) use self::money::sql::spend as spend_column;
pub(crate) use self::peers::{FOLD_SALT, FOLDS, salted_hash};
pub(crate) use self::rhythm::sql::longer_by as longer_column;
pub use self::set::FeatureSet;
pub(crate) use self::set::{HORIZON_DAYS, SPAN_DAYS, ascending};
pub(crate) use self::trend::sql::purchases as purchases_column;
pub use self::view::CustomerView;
pub use self::walk::Population;
pub(crate) use self::walk::{Panel, panel_at, walk, walk_each};
