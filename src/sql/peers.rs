//! How are peers counted in a query? By home value, and without the customer's own fold.

use super::Part;
use crate::dialect::Dialect;
use crate::features::{FOLD_SALT, FOLDS, Feature, PeerColumns};
use crate::history::Columns;

/// The peers of one segment column and horizon.
pub(super) struct PeerPart {
    column: String,
    /// The segment column's place among them, from 1.
    place: usize,
    horizon_days: i32,
}

impl PeerPart {
    /// Those that the features ask for, each once.
    pub(super) fn of(features: &[Feature], columns: &Columns) -> Vec<Self> {
        let mut parts: Vec<PeerPart> = Vec::new();
        for feature in features {
            let (Feature::PeerLoss { column, horizon_days } | Feature::OverallLoss { column, horizon_days }) =
                feature
            else {
                continue;
            };
            let place = columns.segments.iter().position(|name| name == column);
            if let Some(place) = place.filter(|_| !parts.iter().any(|part| part.is_of(column, *horizon_days)))
            {
                parts.push(PeerPart {
                    column: column.clone(),
                    place: place + 1,
                    horizon_days: *horizon_days,
                });
            }
        }
        parts
    }

    pub(super) fn is_of(&self, column: &str, horizon_days: i32) -> bool {
        self.column == column && self.horizon_days == horizon_days
    }

    fn name(&self, what: &str) -> String {
        format!("peers_{}_{}_days_{what}", self.place, self.horizon_days)
    }

    /// The part with the counts of every customer's peers.
    pub(super) fn of_customers(&self) -> String {
        self.name("of_customers")
    }

    /// What that part is called where it is joined.
    pub(super) fn alias(&self) -> String {
        format!("peers_{}_{}", self.place, self.horizon_days)
    }

    pub(super) fn columns(&self) -> PeerColumns {
        let of = |column: &str| format!("{}.{column}", self.alias());
        PeerColumns {
            bought: of("bought"),
            lost: of("lost"),
            all_bought: of("all_bought"),
            all_lost: of("all_lost"),
        }
    }

    /// The home values of customers, at the end of so many days before each cutoff.
    fn homes(&self, dialect: Dialect, looks_once: bool, what: &str, days_before: i32) -> Part {
        let segment = format!("segment_{}", self.place);
        let fold = format!("{} % {FOLDS}", dialect.salted_hash(FOLD_SALT, "id"));
        let (until, then) = match days_before {
            0 => (String::new(), String::new()),
            days => (format!(" - {days}"), format!(" {days} days before the cutoff")),
        };
        let cutoff = if looks_once { "" } else { "cutoff_day, " };
        let query = format!(
            "SELECT cutoff_day, id, {segment} AS home, {fold} AS fold\n  FROM (\n    SELECT *, row_number() OVER (PARTITION BY \
             {cutoff}id ORDER BY n DESC, latest DESC) AS place\n    FROM (\n      SELECT looked.cutoff_day, bought.id, \
             bought.{segment}, count(*) AS n, max(bought.on_day) AS latest\n      FROM cutoffs AS looked\n      JOIN purchases AS \
             bought ON bought.on_day <= looked.cutoff_day{until}\n      WHERE bought.{segment} IS NOT NULL\n      GROUP BY \
             looked.cutoff_day, bought.id, bought.{segment}\n    ) AS counted\n  ) AS ranked\n  WHERE place = 1"
        );
        Part::new(
            self.name(what),
            format!("`{}` of most purchases{then}, ties to the latest", self.column),
            query,
        )
    }

    fn parts(&self, dialect: Dialect, looks_once: bool) -> Vec<Part> {
        let h = self.horizon_days;
        let [homes, homes_before, exposed, counts, values, folds, all] =
            ["homes", "homes_before", "exposed", "counts", "by_value", "by_fold", "overall"]
                .map(|what| self.name(what));
        let sum = |what: &str, keys: &str, about: &str| {
            let query = format!(
                "SELECT {keys}, count(*) AS bought, sum(was_lost) AS lost\n  FROM {exposed}\n  GROUP BY {keys}"
            );
            Part::new(what, about, query)
        };
        let who = format!(
            "SELECT h.cutoff_day, h.home, h.fold, CASE WHEN max(bought.on_day) > h.cutoff_day - {h} THEN 0 ELSE 1 END AS \
             was_lost\n  FROM {homes_before} AS h\n  JOIN purchases AS bought ON bought.id = h.id AND bought.on_day <= \
             h.cutoff_day AND bought.on_day > h.cutoff_day - 2 * {h}\n  GROUP BY h.cutoff_day, h.home, h.fold, h.id\n  HAVING \
             min(bought.on_day) <= h.cutoff_day - {h}"
        );
        let of_customers = format!(
            "SELECT h.cutoff_day, h.id,\n    coalesce(by_value.bought, 0) - coalesce(by_both.bought, 0) AS bought,\n    \
             coalesce(by_value.lost, 0) - coalesce(by_both.lost, 0) AS lost,\n    coalesce(overall.bought, 0) - \
             coalesce(by_fold.bought, 0) AS all_bought,\n    coalesce(overall.lost, 0) - coalesce(by_fold.lost, 0) AS all_lost\n  \
             FROM {homes} AS h\n  LEFT JOIN {values} AS by_value ON by_value.cutoff_day = h.cutoff_day AND by_value.home = h.home\n  \
             LEFT JOIN {counts} AS by_both\n    ON by_both.cutoff_day = h.cutoff_day AND by_both.home = h.home AND by_both.fold = h.fold\n  \
             LEFT JOIN {all} AS overall ON overall.cutoff_day = h.cutoff_day\n  LEFT JOIN {folds} AS by_fold ON by_fold.cutoff_day = \
             h.cutoff_day AND by_fold.fold = h.fold"
        );
        vec![
            self.homes(dialect, looks_once, "homes", 0),
            self.homes(dialect, looks_once, "homes_before", h),
            Part::new(
                exposed.as_str(),
                format!(
                    "who bought {h} to {} days before the cutoff, and whether not since",
                    2 * i64::from(h)
                ),
                who,
            ),
            sum(&counts, "cutoff_day, home, fold", "by home value and fold of the id's hash"),
            sum(&values, "cutoff_day, home", "by home value"),
            sum(&folds, "cutoff_day, fold", "by fold"),
            sum(&all, "cutoff_day", "all"),
            Part::new(
                self.of_customers(),
                "counts of every customer's peers, and of all customers, without the customer's own fold",
                of_customers,
            ),
        ]
    }
}

pub(super) fn peer_parts(dialect: Dialect, peers: &[PeerPart], looks_once: bool) -> Vec<Part> {
    peers.iter().flat_map(|peer| peer.parts(dialect, looks_once)).collect()
}
