//! The published summary of the CDNOW sample, customer by customer.

use std::collections::BTreeMap;

use winback::{Columns, Feature, FeatureSet, History};

use crate::logs::{day, floats, outside};

const DAYS_PER_WEEK: f64 = 7.0;
const TOLERANCE: f64 = 1e-9;

#[test]
fn summary_equals_the_published_one() {
    let (Some(orders), Some(summary)) =
        (outside("cdnow_sample.csv"), outside("cdnow_sample_summary_1997-09-30.csv"))
    else {
        return;
    };
    let cutoff = day("1997-09-30");
    let history = History::params(Columns::new("customer_id", "date").with_amount("amount"))
        .read_csv([orders])
        .unwrap();
    let mean_repeat =
        Feature::custom("mean_repeat", "amount", winback::features::Transform::Identity, |customer| {
            let repeats = &customer.net_amounts()[1..];
            (!repeats.is_empty()).then(|| repeats.iter().sum::<f64>() / repeats.len() as f64)
        });
    let features = FeatureSet::empty()
        .with(Feature::DaysSinceLast)
        .with(Feature::TenureDays)
        .with(Feature::NPurchases)
        .with(mean_repeat)
        .features_at(&history, cutoff)
        .unwrap();
    let column = |name: &str| floats(&features, name);
    let (silent, tenure, count, money) =
        (column("days_since_last"), column("tenure_days"), column("n_purchases"), column("mean_repeat"));
    let ids: Vec<String> = features
        .column("customer_id")
        .unwrap()
        .str()
        .unwrap()
        .iter()
        .map(|id| id.unwrap().to_owned())
        .collect();

    let text = std::fs::read_to_string(summary).unwrap();
    let published: BTreeMap<&str, Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| {
            let (id, rest) = line.split_once(',').unwrap();
            (id, rest.split(',').map(|field| field.parse().unwrap()).collect())
        })
        .collect();
    assert_eq!((published.len(), ids.len()), (2_357, 2_357));
    for (row, id) in ids.iter().enumerate() {
        let [frequency, recency, age, monetary] = published[id.as_str()][..] else { panic!("{id}") };
        let (silent, tenure, count) = (silent[row].unwrap(), tenure[row].unwrap(), count[row].unwrap());
        let found = [count - 1.0, (tenure - silent) / DAYS_PER_WEEK, tenure / DAYS_PER_WEEK];
        for (found, expected) in found.into_iter().zip([frequency, recency, age]) {
            assert!((found - expected).abs() <= TOLERANCE, "customer {id}: {found} is not {expected}");
        }
        let found = money[row].unwrap_or(0.0);
        assert!((found - monetary).abs() <= TOLERANCE, "customer {id}: {found} is not {monetary}");
    }
    let sum = |values: &[Option<f64>]| values.iter().map(|value| value.unwrap()).sum::<f64>();
    assert_eq!(sum(&count) - 2_357.0, 2_457.0);
    assert_eq!(sum(&tenure) - sum(&silent), 112_949.0);
    assert_eq!(sum(&tenure), 539_779.0);
}
