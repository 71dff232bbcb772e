//! What is gathered of a customer at a cutoff, and which features come of it?

use super::Part;
use super::orders::Orders;
use super::peers::{PeerPart, peer_parts};
use crate::dialect::Dialect;
use crate::error::Result;
use crate::features::{Feature, longer_column, purchases_column, spend_column};
use crate::history::Columns;
use crate::snapshot::LabelWindow;

/// Facts and features of customers at cutoffs.
pub(super) struct Facts<'a> {
    pub(super) dialect: Dialect,
    pub(super) orders: &'a Orders<'a>,
    pub(super) features: &'a [Feature],
    /// The share of customers looked at, where purchases are those of more.
    pub(super) fraction: Option<f64>,
    /// Whether there is a single cutoff. Then no window asks for it: DataFusion does not sort by what is the same in all rows, and
    /// Ballista's executors, which no longer know that it is, refuse the window.
    pub(super) looks_once: bool,
}

impl Facts<'_> {
    /// Whether features are computed of other customers too.
    pub(super) fn has_peers(features: &[Feature], columns: &Columns) -> bool {
        !PeerPart::of(features, columns).is_empty()
    }

    /// Everything from purchases and cutoffs to features.
    pub(super) fn parts(&self, label: Option<LabelWindow>) -> Result<Vec<Part>> {
        let peers = PeerPart::of(self.features, self.orders.columns());
        let mut parts = vec![self.known(), self.customers()];
        if self.has_refunds() {
            parts.extend([self.orders.returns(), returned()]);
        }
        parts.extend(label.map(came_back));
        parts.extend(peer_parts(self.dialect, &peers, self.looks_once));
        parts.push(self.features(&peers, label.is_some())?);
        Ok(parts)
    }

    fn has_refunds(&self) -> bool {
        self.features.iter().any(|feature| matches!(feature, Feature::RefundFraction))
    }

    fn has_own_return(&self) -> bool {
        self.features.iter().any(|feature| matches!(feature, Feature::OwnReturn { .. }))
    }

    fn known(&self) -> Part {
        let is_sampled = |fraction| format!("\n  WHERE {}", self.orders.is_sampled("bought.id", fraction));
        let sampled = self.fraction.map_or(String::new(), is_sampled);
        let cutoff = if self.looks_once { "" } else { "looked.cutoff_day, " };
        let silence = match self.has_own_return() {
            true => format!(
                ",\n    looked.cutoff_day - max(bought.on_day) OVER (PARTITION BY {cutoff}bought.id) AS silence"
            ),
            false => String::new(),
        };
        let query = format!(
            "SELECT looked.cutoff, looked.cutoff_day, bought.*{silence}\n  FROM cutoffs AS looked\n  JOIN purchases AS bought ON bought.on_day <= \
             looked.cutoff_day{sampled}"
        );
        Part::new("known_purchases", "what was known of purchases at each cutoff, and nothing later", query)
    }

    fn customers(&self) -> Part {
        let is_latest = "next_day IS NULL OR next_day > cutoff_day";
        let mut select: Vec<String> = [
            "customer_id",
            "id",
            "cutoff",
            "cutoff_day",
            "count(*) AS n_purchases",
            "min(on_day) AS first_day",
            "max(on_day) AS last_day",
            // The interval before the first purchase is null.
            "max(interval_days) AS longest_interval",
            "sum(interval_days * interval_days) AS squared_intervals",
        ]
        .map(str::to_owned)
        .into();
        select.push(format!("max(CASE WHEN {is_latest} THEN interval_days END) AS latest_interval"));
        if self.orders.has_amount() {
            select.push("sum(net) AS net_amount".to_owned());
            select.push("sum(refunded) AS refunded_amount".to_owned());
            select.push(format!("max(CASE WHEN {is_latest} THEN net END) AS latest_amount"));
        }
        if self.orders.columns().discount.is_some() {
            select.push("sum(discount) AS discount_amount".to_owned());
        }
        if self.has_own_return() {
            select.push("count(CASE WHEN interval_days > silence THEN 1 END) AS longer_intervals".to_owned());
        }
        for feature in self.features {
            let column = match feature {
                Feature::PurchasesIn { days } => format!(
                    "count(CASE WHEN on_day > cutoff_day - {days} THEN 1 END) AS {}",
                    purchases_column(*days)
                ),
                Feature::SpendIn { days } => format!(
                    "sum(CASE WHEN on_day > cutoff_day - {days} THEN net ELSE 0 END) AS {}",
                    spend_column(*days)
                ),
                Feature::OwnReturn { horizon_days } => format!(
                    "count(CASE WHEN interval_days > silence + {horizon_days} THEN 1 END) AS {}",
                    longer_column(*horizon_days)
                ),
                _ => continue,
            };
            select.push(column);
        }
        let query = format!(
            "SELECT {}\n  FROM known_purchases\n  GROUP BY customer_id, id, cutoff, cutoff_day",
            select.join(",\n    ")
        );
        Part::new("customers", "facts of each customer at each cutoff", query)
    }

    fn features(&self, peers: &[PeerPart], is_labelled: bool) -> Result<Part> {
        let mut select: Vec<String> =
            ["customers.customer_id", "customers.cutoff", "customers.cutoff_day"].map(str::to_owned).into();
        if is_labelled {
            select.push("CASE WHEN came_back.id IS NULL THEN 1 ELSE 0 END AS churned".to_owned());
        }
        for feature in self.features {
            let expression = feature.to_sql(self.dialect, |column, horizon_days| {
                let peer = peers.iter().find(|peer| peer.is_of(column, horizon_days));
                peer.unwrap_or(&peers[0]).columns()
            })?;
            // Only the table of customers holds these; what went back may be nothing.
            let expression = expression
                .replace("returned_amount", "coalesce(returned.returned_amount, 0)")
                .replace("cutoff_day", "customers.cutoff_day");
            select.push(format!("{expression} AS {}", self.dialect.identifier(&feature.name())?));
        }
        let on = |part: &str| {
            format!(
                "\n  LEFT JOIN {part} ON {part}.id = customers.id AND {part}.cutoff_day = customers.cutoff_day"
            )
        };
        let mut joins = if self.has_refunds() { on("returned") } else { String::new() };
        if is_labelled {
            joins += &on("came_back");
        }
        for peer in peers {
            let (part, alias) = (peer.of_customers(), peer.alias());
            joins += &format!(
                "\n  LEFT JOIN {part} AS {alias}\n    ON {alias}.id = customers.id AND {alias}.cutoff_day = customers.cutoff_day"
            );
        }
        let query = format!("SELECT {}\n  FROM customers{joins}", select.join(",\n    "));
        Ok(Part::new("features", "the features; null where undefined", query))
    }
}

fn returned() -> Part {
    let query = "SELECT looked.cutoff_day, sent.id, sum(sent.returned) AS returned_amount\n  FROM cutoffs AS looked\n  JOIN \
                 returns AS sent ON sent.on_day <= looked.cutoff_day\n  GROUP BY looked.cutoff_day, sent.id";
    Part::new("returned", "what went back until the cutoff on such days", query)
}

/// Who bought in the label window.
fn came_back(label: LabelWindow) -> Part {
    let after = if label.lead_days > 0 { format!(" + {}", label.lead_days) } else { String::new() };
    let until = label.days();
    let query = format!(
        "SELECT DISTINCT looked.cutoff_day, bought.id\n  FROM cutoffs AS looked\n  JOIN purchases AS bought\n    ON bought.on_day > \
         looked.cutoff_day{after} AND bought.on_day <= looked.cutoff_day + {until}"
    );
    Part::new("came_back", "who bought in the label window, and so did not churn", query)
}
