//! Who is left alone, so that the campaign can be measured? Arms drawn by a keyed hash.

use std::collections::BTreeMap;
use std::fmt;

use md5::{Digest, Md5};
use serde::Serialize;

use super::planned::Arm;
use crate::error::{Error, Result};

/// Customers held out in a stratum, at least: with fewer, strata are merged.
const LEAST_HELD_OUT: f64 = 5.0;
/// Bands of risk, and of value within each.
const BANDS: [&str; 3] = ["low", "middle", "high"];
/// What is added to the name of a stratum whose customers get an offer by lot.
const BY_LOT: &str = ", offer by lot";
/// What is added to the name of a stratum whose arms were drawn for an earlier plan.
const BEFORE: &str = ", drawn before";

/// A customer the plan would contact.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The id as in the log.
    pub customer_id: &'a str,
    /// The chance of staying away, or anything that grows with it.
    pub risk: f64,
    /// What they are worth, an amount; NaN where amounts are unknown.
    pub value: f64,
    /// The household: all of it is in one arm.
    pub household: Option<&'a str>,
    /// The arm of an earlier plan that still runs.
    pub earlier: Option<EarlierArm<'a>>,
    /// How many offers could be made, for the lot; with 1 there is nothing to draw.
    pub offers: usize,
}

/// The arm a customer was given by an earlier plan.
#[derive(Clone, Copy, Debug)]
pub struct EarlierArm<'a> {
    /// Treated or holdout.
    pub arm: Arm,
    /// The stratum it was drawn in.
    pub stratum: &'a str,
}

/// How arms are drawn.
///
/// | setting | default |
/// |---|---|
/// | fraction held out | .1 |
/// | fraction who get an offer by lot | 0 |
/// | seed | 1 |
#[derive(Clone, Debug, PartialEq)]
pub struct HoldoutParams {
    campaign: String,
    seed: u64,
    fraction: f64,
    explore_fraction: f64,
}

impl HoldoutParams {
    /// Sets the share of customers (households, where these are given) held out, from 0 to below 1.
    #[must_use]
    pub fn with_fraction(mut self, fraction: f64) -> Self {
        self.fraction = fraction;
        self
    }

    /// Sets the share who get an offer by lot out of those that could be made, 0 to 1, so that offers can be
    /// compared with each other.
    #[must_use]
    pub fn with_explore_fraction(mut self, fraction: f64) -> Self {
        self.explore_fraction = fraction;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Draws: one assignment per candidate, in their order.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a fraction out of range, or an earlier arm that is none.
    pub fn draw(&self, candidates: &[Candidate]) -> Result<Holdout> {
        if !(0.0..1.0).contains(&self.fraction) {
            return Err(Error::parameter("holdout fraction", self.fraction, "from 0 to below 1"));
        }
        if !(0.0..=1.0).contains(&self.explore_fraction) {
            return Err(Error::parameter("explore fraction", self.explore_fraction, "0 to 1"));
        }
        let is_none = |one: &&Candidate| one.earlier.is_some_and(|earlier| earlier.arm == Arm::None);
        if let Some(one) = candidates.iter().find(is_none) {
            let found = format!("none, of customer {}", one.customer_id);
            return Err(Error::parameter("earlier arm", found, "treated or holdout"));
        }
        let units = units(candidates);
        let mut assignments = vec![Assignment::default(); candidates.len()];
        let mut names: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let fresh: Vec<&Unit> = units.iter().filter(|unit| unit.earlier.is_none()).collect();
        for unit in units.iter().filter(|unit| unit.earlier.is_some()) {
            let Some(earlier) = unit.earlier else { continue };
            let name = format!("{}{BEFORE}", earlier.stratum.trim_end_matches(BEFORE));
            for &row in &unit.rows {
                // Who has an arm of their own keeps it, should a household have been split.
                assignments[row].arm = candidates[row].earlier.map_or(earlier.arm, |own| own.arm);
            }
            names.entry(name).or_default().extend(&unit.rows);
        }
        for (is_by_lot, group) in self.lots(&fresh) {
            for stratum in self.strata(&group) {
                let drawn = self.lowest("holdout", &stratum.units, stratum.held_out);
                for (unit, is_drawn) in stratum.units.iter().zip(drawn) {
                    for &row in &unit.rows {
                        assignments[row].arm = if is_drawn { Arm::Holdout } else { Arm::Treated };
                        if is_by_lot && candidates[row].offers > 0 {
                            let hash = self.hash("offer", unit) % candidates[row].offers as u128;
                            assignments[row].by_lot = Some(hash as usize);
                        }
                    }
                    let ending = if is_by_lot { BY_LOT } else { "" };
                    names.entry(format!("{}{ending}", stratum.name)).or_default().extend(&unit.rows);
                }
            }
        }
        let mut strata = Vec::with_capacity(names.len());
        for (place, (name, rows)) in names.into_iter().enumerate() {
            let held_out = rows.iter().filter(|&&row| assignments[row].arm == Arm::Holdout).count();
            rows.iter().for_each(|&row| assignments[row].stratum = place);
            strata.push(StratumSize { name, treated: rows.len() - held_out, held_out });
        }
        Ok(Holdout { assignments, strata })
    }

    /// The units whose offers are chosen, and those whose offers are drawn.
    fn lots<'a>(&self, units: &[&'a Unit<'a>]) -> [(bool, Vec<&'a Unit<'a>>); 2] {
        let many = (self.explore_fraction * units.len() as f64).round() as usize;
        let drawn = self.lowest("explore", units, many);
        let of = |is_drawn: bool| {
            units.iter().zip(&drawn).filter(|(_, drawn)| **drawn == is_drawn).map(|(unit, _)| *unit).collect()
        };
        [(false, of(false)), (true, of(true))]
    }

    /// Cuts units into bands of risk and of value, merges what is too small, and says how many of each are held out:
    /// all together as many as the fraction says, each stratum within one of its own share.
    fn strata<'a>(&self, units: &[&'a Unit<'a>]) -> Vec<Stratum<'a>> {
        if units.is_empty() {
            return Vec::new();
        }
        let least = if self.fraction > 0.0 { (LEAST_HELD_OUT / self.fraction).ceil() as usize } else { 1 };
        let risks = bands(&units.iter().map(|unit| unit.risk).collect::<Vec<_>>());
        let values = bands(&units.iter().map(|unit| unit.value).collect::<Vec<_>>());
        let mut cells: Vec<Vec<Vec<&Unit>>> = vec![vec![Vec::new(); BANDS.len()]; BANDS.len()];
        for ((unit, risk), value) in units.iter().zip(risks).zip(values) {
            cells[risk][value].push(unit);
        }
        let mut strata = Vec::new();
        let sizes: Vec<usize> = cells.iter().map(|row| row.iter().map(Vec::len).sum()).collect();
        for risk in merged(&sizes, least) {
            let row: Vec<Vec<&Unit>> = (0..BANDS.len())
                .map(|value| cells[risk.clone()].iter().flat_map(|row| row[value].clone()).collect())
                .collect();
            let sizes: Vec<usize> = row.iter().map(Vec::len).collect();
            for value in merged(&sizes, least) {
                let name = format!("risk {}, value {}", span(&risk), span(&value));
                let units: Vec<&Unit> = row[value].concat();
                strata.push(Stratum { name, units, held_out: 0 });
            }
        }
        // The largest remainders get the units that whole numbers leave over.
        let share = |stratum: &Stratum| self.fraction * stratum.units.len() as f64;
        let all = (self.fraction * units.len() as f64).round() as usize;
        strata.iter_mut().for_each(|stratum| stratum.held_out = share(stratum).floor() as usize);
        let left = all.saturating_sub(strata.iter().map(|stratum| stratum.held_out).sum());
        let mut order: Vec<usize> = (0..strata.len()).collect();
        order.sort_by(|&a, &b| {
            share(&strata[b]).fract().total_cmp(&share(&strata[a]).fract()).then(a.cmp(&b))
        });
        order.into_iter().take(left).for_each(|place| strata[place].held_out += 1);
        strata
    }

    /// Whether each unit is among so many of the lowest hashes; ties by key.
    fn lowest(&self, what: &str, units: &[&Unit], many: usize) -> Vec<bool> {
        let mut order: Vec<(u128, &str, usize)> = units
            .iter()
            .enumerate()
            .map(|(place, unit)| (self.hash(what, unit), unit.key.as_str(), place))
            .collect();
        order.sort_unstable();
        let mut drawn = vec![false; units.len()];
        order.into_iter().take(many).for_each(|(.., place)| drawn[place] = true);
        drawn
    }

    fn hash(&self, what: &str, unit: &Unit) -> u128 {
        let Self { campaign, seed, .. } = self;
        // With its length, so that no campaign and id read like another pair.
        let text = format!("winback-{what}-1:{seed}:{}:{campaign}:{}", campaign.len(), unit.key);
        u128::from_be_bytes(Md5::digest(text).into())
    }
}

/// Customers who are drawn together.
struct Unit<'a> {
    /// `household:` or `customer:`, and the id.
    key: String,
    rows: Vec<usize>,
    risk: f64,
    value: f64,
    earlier: Option<EarlierArm<'a>>,
}

struct Stratum<'a> {
    name: String,
    units: Vec<&'a Unit<'a>>,
    held_out: usize,
}

/// Households, and customers without one, in order of key. A household's risk is the mean of its customers', its
/// value their sum; where several have an earlier arm, the lowest id's holdout, else the lowest id's arm, is for those
/// who have none.
fn units<'a>(candidates: &[Candidate<'a>]) -> Vec<Unit<'a>> {
    let mut of_key: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (row, one) in candidates.iter().enumerate() {
        let key = match one.household {
            Some(household) => format!("household:{household}"),
            None => format!("customer:{}", one.customer_id),
        };
        of_key.entry(key).or_default().push(row);
    }
    let unit = |(key, mut rows): (String, Vec<usize>)| {
        rows.sort_by_key(|&row| candidates[row].customer_id);
        let own = || rows.iter().map(|&row| &candidates[row]);
        let earlier = own().filter_map(|one| one.earlier);
        Unit {
            risk: own().map(|one| one.risk).sum::<f64>() / rows.len() as f64,
            value: own().map(|one| one.value).sum(),
            earlier: earlier.clone().find(|earlier| earlier.arm == Arm::Holdout).or(earlier.clone().next()),
            key,
            rows,
        }
    };
    of_key.into_iter().map(unit).collect()
}

/// The third in which each number lies, equal ones together; NaN lies below all.
fn bands(values: &[f64]) -> Vec<usize> {
    let known = |value: f64| if value.is_nan() { f64::NEG_INFINITY } else { value };
    let mut sorted: Vec<f64> = values.iter().copied().map(known).collect();
    sorted.sort_by(f64::total_cmp);
    let bounds: Vec<f64> = (1..BANDS.len()).map(|third| sorted[third * sorted.len() / BANDS.len()]).collect();
    let lowest = sorted[0];
    let band = |&value: &f64| bounds.iter().filter(|&&bound| known(value) >= bound && bound > lowest).count();
    values.iter().map(band).collect()
}

/// Neighbours put together until each group holds enough, those without anybody left out of none; what is left over
/// joins the last group.
fn merged(sizes: &[usize], least: usize) -> Vec<std::ops::Range<usize>> {
    let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
    let (mut start, mut held) = (0, 0);
    for (place, size) in sizes.iter().enumerate() {
        held += size;
        if held >= least.max(1) {
            groups.push(start..place + 1);
            (start, held) = (place + 1, 0);
        }
    }
    match groups.last_mut() {
        Some(last) => last.end = sizes.len(),
        None => groups.push(0..sizes.len()),
    }
    groups
}

/// A range of bands in words.
fn span(range: &std::ops::Range<usize>) -> String {
    match (range.start, range.end) {
        (0, end) if end == BANDS.len() => "any".to_owned(),
        (start, end) if end == start + 1 => BANDS[start].to_owned(),
        (start, end) => format!("{} to {}", BANDS[start], BANDS[end - 1]),
    }
}

/// What was drawn for a customer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Assignment {
    /// Treated or holdout.
    pub arm: Arm,
    /// Which stratum, from 0.
    pub stratum: usize,
    /// Which of the offers that could be made the lot says, from 0, for treated and held out alike; `None` where the
    /// plan chooses.
    pub by_lot: Option<usize>,
}

/// A stratum, and how many of its customers are in each arm.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct StratumSize {
    /// Its name, such as `risk high, value low`.
    pub name: String,
    /// Treated.
    pub treated: usize,
    /// Held out.
    pub held_out: usize,
}

/// Arms, drawn within strata of risk and value.
///
/// Customers, or households where these are given, are cut into thirds of risk and of value. Strata are merged
/// until five can be expected to be held out in each. The lot for the offer is drawn first, and such customers have
/// strata of their own; so have those whose arms come from an earlier plan, which they keep. An arm depends on who
/// else is planned for only through the bounds of its stratum and how many are held out there.
///
/// # Formula
/// ```text
/// held out: the lowest md5("winback-holdout-1:" seed ":" length of campaign ":" campaign ":" unit) of a stratum,
/// where unit is "household:" and its id, or "customer:" and the id
/// by lot: the lowest of the same with "winback-explore-1:"; which offer: that with "winback-offer-1:", modulo the offers
/// ```
///
/// ```
/// use winback::winback::{Arm, Candidate, Holdout};
///
/// let ids: Vec<String> = (0..1_000).map(|id| id.to_string()).collect();
/// let candidate = |(row, id)| Candidate {
///     customer_id: id, risk: row as f64, value: 20.0, household: None, earlier: None, offers: 1
/// };
/// let candidates: Vec<Candidate> = ids.iter().map(String::as_str).enumerate().map(candidate).collect();
/// let holdout = Holdout::params("spring").with_fraction(0.2).with_seed(7).draw(&candidates)?;
/// let held_out = holdout.assignments().iter().filter(|one| one.arm == Arm::Holdout).count();
/// assert_eq!(held_out, 200);
/// assert_eq!(holdout.strata().len(), 3); // of risk; all are worth the same
/// # Ok::<(), winback::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Holdout {
    assignments: Vec<Assignment>,
    strata: Vec<StratumSize>,
}

impl Holdout {
    /// Begins with the campaign's name, which is part of the hash: another campaign draws others.
    #[must_use]
    pub fn params(campaign: impl Into<String>) -> HoldoutParams {
        HoldoutParams { campaign: campaign.into(), seed: 1, fraction: 0.1, explore_fraction: 0.0 }
    }

    /// What was drawn, in the order of the candidates.
    #[must_use]
    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }

    /// The strata, in order of name.
    #[must_use]
    pub fn strata(&self) -> &[StratumSize] {
        &self.strata
    }
}

impl fmt::Display for Holdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held_out: usize = self.strata.iter().map(|stratum| stratum.held_out).sum();
        write!(f, "{held_out} of {} customers are held out", self.assignments.len())?;
        for StratumSize { name, treated, held_out } in &self.strata {
            write!(f, "\n  {name}: {held_out} of {}", treated + held_out)?;
        }
        Ok(())
    }
}
