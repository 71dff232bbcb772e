//! Who was exposed to what at each landmark, beside whom, and who was lost after it?

use rayon::prelude::*;

use crate::day::{Day, Window};
use crate::error::{Error, Result};
use crate::evidence::Cause;
use crate::history::{History, NO_SEGMENT, Run};
use crate::rates::Basis;

/// Spend is that of so many days before the landmark.
const DAYS_PER_YEAR: i32 = 365;
/// Where classes of purchases in the two horizons before a landmark begin: 1, 2, 3–5, 6–11, 12 and more.
const PURCHASE_CLASSES: [usize; 4] = [2, 3, 6, 12];
/// Recency has so many classes, each a part of the horizon.
const RECENCY_CLASSES: i32 = 3;
const STRATA_PER_LANDMARK: u32 = PURCHASES * RECENCY_CLASSES as u32;
/// Recent is the last half year of losses, by whole horizons.
const RECENT_DAYS: i32 = 182;
/// Customers taken at a time; a constant, so that threads cannot show.
const CUSTOMERS_PER_BLOCK: usize = 1 << 12;

/// The expected probabilities of loss of a model that knows no segments: for a landmark, one per customer
/// by rank, NaN where it has none.
pub type ModelRisk<'a> = &'a dyn Fn(Day) -> Result<Vec<f64>>;

/// A segment column and its values by code.
#[derive(Clone, Debug)]
pub(crate) struct PanelColumn {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
    /// One per record; [`NO_SEGMENT`] where there is none.
    pub(crate) codes: Vec<u32>,
}

/// One record per customer and landmark, or per customer and band of tenure; those of one customer stand
/// together.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    pub(crate) basis: Basis,
    pub(crate) customers: Vec<u32>,
    pub(crate) strata: Vec<u32>,
    pub(crate) strata_count: usize,
    /// 1 for each customer, or their time.
    pub(crate) time: Vec<f64>,
    pub(crate) lost: Vec<bool>,
    /// Of the lost, where stated.
    pub(crate) causes: Vec<Option<Cause>>,
    /// Spend in the year before, where amounts were read.
    pub(crate) amounts: Option<Vec<f64>>,
    /// Expected probability of loss, where a model was given; NaN where it knows none.
    pub(crate) model: Option<Vec<f64>>,
    pub(crate) columns: Vec<PanelColumn>,
    /// The first stratum of the recent landmarks: those of a later landmark are higher. `None` without landmarks, or
    /// with one.
    pub(crate) recent_from: Option<u32>,
}

impl Panel {
    pub(crate) fn records(&self) -> usize {
        self.customers.len()
    }

    /// The records of some strata, which keep their numbers.
    pub(crate) fn part(&self, is_in: impl Fn(u32) -> bool) -> Panel {
        let kept: Vec<usize> = (0..self.records()).filter(|&record| is_in(self.strata[record])).collect();
        fn of<T: Copy>(values: &[T], kept: &[usize]) -> Vec<T> {
            kept.iter().map(|&record| values[record]).collect()
        }
        let columns = self.columns.iter().map(|column| PanelColumn {
            name: column.name.clone(),
            values: column.values.clone(),
            codes: of(&column.codes, &kept),
        });
        Panel {
            basis: self.basis,
            customers: of(&self.customers, &kept),
            strata: of(&self.strata, &kept),
            strata_count: self.strata_count,
            time: of(&self.time, &kept),
            lost: of(&self.lost, &kept),
            causes: of(&self.causes, &kept),
            amounts: self.amounts.as_ref().map(|amounts| of(amounts, &kept)),
            model: self.model.as_ref().map(|model| of(model, &kept)),
            columns: columns.collect(),
            recent_from: None,
        }
    }
}

/// The landmarks, ascending: a horizon apart, so that label windows are disjoint, each with a horizon of log
/// before it and one up to `as_of` after it.
pub(crate) fn landmarks(
    history: &History,
    as_of: Day,
    horizon_days: i32,
    at_most: usize,
) -> Result<Vec<Day>> {
    let first = history.observed_from();
    let days = (1..=at_most as i32).map(|back| as_of.plus_days(-back.saturating_mul(horizon_days)));
    let mut days: Vec<Day> = days.take_while(|day| day.days_since(first) >= horizon_days).collect();
    days.reverse();
    if days.is_empty() {
        return Err(Error::NoCutoffs {
            observed_from: first,
            observed_until: as_of,
            lead_days: 0,
            horizon_days,
            history_days: horizon_days,
        });
    }
    Ok(days)
}

/// How many of so many landmarks are recent; none of one.
pub(super) fn recent_landmarks(landmarks: usize, horizon_days: i32) -> usize {
    let wanted = (RECENT_DAYS + horizon_days - 1) / horizon_days;
    landmarks.min(wanted.max(1) as usize).min(landmarks / 2)
}

#[derive(Clone, Copy)]
struct Record {
    customer: u32,
    stratum: u32,
    landmark: u32,
    lost: bool,
    amount: f64,
}

/// The panel of a purchase log: at each landmark those who bought in the horizon before it, with the segment
/// values of their last purchase; lost are those who buy nothing in the horizon after it.
pub(crate) fn of_history(
    history: &History,
    landmarks: &[Day],
    horizon_days: i32,
    causes: Option<&[Option<Cause>]>,
    model: Option<ModelRisk<'_>>,
) -> Result<Panel> {
    let columns = history.reading().columns().segments();
    let blocks: Vec<(Vec<Record>, Vec<u32>)> = (0..history.customers().div_ceil(CUSTOMERS_PER_BLOCK))
        .into_par_iter()
        .map(|block| {
            let ranks =
                block * CUSTOMERS_PER_BLOCK..((block + 1) * CUSTOMERS_PER_BLOCK).min(history.customers());
            let (mut records, mut codes) = (Vec::new(), Vec::new());
            for rank in ranks {
                let run = history.run(rank);
                for (number, &landmark) in landmarks.iter().enumerate() {
                    let Some((record, last)) = record(&run, rank, number, landmark, horizon_days) else {
                        continue;
                    };
                    records.push(record);
                    codes.extend((0..columns.len()).map(|column| run.segment(column)[last]));
                }
            }
            (records, codes)
        })
        .collect();
    let records: Vec<Record> = blocks.iter().flat_map(|(records, _)| records.iter().copied()).collect();
    let columns = columns.iter().enumerate().map(|(column, name)| PanelColumn {
        name: name.clone(),
        values: history.segment_values(name).unwrap_or_default().to_vec(),
        codes: blocks
            .iter()
            .flat_map(|(_, codes)| codes.iter().skip(column).step_by(columns.len()).copied())
            .collect(),
    });
    let columns: Vec<PanelColumn> = columns.collect();
    let model = model.map(|risk| expected(&records, landmarks, history.customers(), risk)).transpose()?;
    let has_amount = history.reading().columns().has_amount();
    let recent = recent_landmarks(landmarks.len(), horizon_days);
    Ok(Panel {
        basis: Basis::Customers,
        customers: records.iter().map(|record| record.customer).collect(),
        strata: records.iter().map(|record| record.stratum).collect(),
        strata_count: landmarks.len() * STRATA_PER_LANDMARK as usize,
        time: vec![1.0; records.len()],
        lost: records.iter().map(|record| record.lost).collect(),
        causes: stated(&records, causes),
        amounts: has_amount.then(|| records.iter().map(|record| record.amount).collect()),
        model,
        columns,
        recent_from: (recent > 0).then(|| (landmarks.len() - recent) as u32 * STRATA_PER_LANDMARK),
    })
}

/// The customer at that landmark, and the position of the purchase that says where they belong.
fn record(
    run: &Run<'_>,
    rank: usize,
    number: usize,
    landmark: Day,
    horizon_days: i32,
) -> Option<(Record, usize)> {
    let (class, last) = activity_class(run, landmark, horizon_days)?;
    let record = Record {
        customer: rank as u32,
        stratum: number as u32 * STRATA_PER_LANDMARK + class,
        landmark: number as u32,
        lost: Window::label(landmark, 0, horizon_days).range_in(run.days).is_empty(),
        amount: spend_of_year_before(run, landmark),
    };
    Some((record, last))
}

/// The class of purchases in the two horizons before a day and of recency, and the position of the last
/// purchase; `None` where nothing was bought in the horizon before it.
pub(crate) fn activity_class(run: &Run<'_>, day: Day, horizon_days: i32) -> Option<(u32, usize)> {
    let (class, last) = purchase_class(run, day, horizon_days)?;
    let silent = i64::from(day.days_since_epoch() - run.days[last]);
    let recency = (silent * i64::from(RECENCY_CLASSES) / i64::from(horizon_days)) as u32;
    Some((class * RECENCY_CLASSES as u32 + recency.min(RECENCY_CLASSES as u32 - 1), last))
}

/// Classes of purchases.
pub(crate) const PURCHASES: u32 = PURCHASE_CLASSES.len() as u32 + 1;

/// The class of purchases alone.
pub(crate) fn purchase_class(run: &Run<'_>, day: Day, horizon_days: i32) -> Option<(u32, usize)> {
    let before = Window::back_from(day, horizon_days).range_in(run.days);
    if before.is_empty() {
        return None;
    }
    let lately = Window::back_from(day, horizon_days.saturating_mul(2)).range_in(run.days).len();
    let class = PURCHASE_CLASSES.iter().filter(|&&start| lately >= start).count() as u32;
    Some((class, before.end - 1))
}

/// Net spend in the 365 days up to that one; 0 without amounts.
pub(crate) fn spend_of_year_before(run: &Run<'_>, day: Day) -> f64 {
    let year = Window::back_from(day, DAYS_PER_YEAR).range_in(run.days);
    run.net.get(year).unwrap_or_default().iter().sum()
}

/// A customer's cause belongs to the last time they were lost.
fn stated(records: &[Record], causes: Option<&[Option<Cause>]>) -> Vec<Option<Cause>> {
    let mut stated = vec![None; records.len()];
    let Some(causes) = causes else { return stated };
    let mut at = 0;
    for own in records.chunk_by(|a, b| a.customer == b.customer) {
        if let Some(last) = own.iter().rposition(|record| record.lost) {
            stated[at + last] = causes.get(own[0].customer as usize).copied().flatten();
        }
        at += own.len();
    }
    stated
}

fn expected(
    records: &[Record],
    landmarks: &[Day],
    customers: usize,
    risk: ModelRisk<'_>,
) -> Result<Vec<f64>> {
    let mut expected = vec![f64::NAN; records.len()];
    for (number, &landmark) in landmarks.iter().enumerate() {
        let risks = risk(landmark)?;
        if risks.len() != customers {
            let found = format!("{} at {landmark}", risks.len());
            return Err(Error::parameter("the model's probabilities", found, "one per customer of the log"));
        }
        let own = records.iter().zip(&mut expected).filter(|(record, _)| record.landmark == number as u32);
        own.for_each(|(record, cell)| *cell = risks[record.customer as usize]);
    }
    Ok(expected)
}

/// Whether the record shows a value of that column.
pub(crate) fn shows(code: u32) -> bool {
    code != NO_SEGMENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_year_is_recent_and_never_more_than_half_of_the_landmarks() {
        let cases = [(8, 120, 2), (8, 60, 4), (8, 90, 3), (8, 30, 4), (8, 365, 1), (3, 90, 1), (1, 90, 0)];
        for (landmarks, horizon_days, recent) in cases {
            assert_eq!(recent_landmarks(landmarks, horizon_days), recent, "{landmarks} {horizon_days}");
        }
    }
}
