//! Which value's regulars fall the most, and how often would customers who change places show as much?

use rayon::prelude::*;

use super::weeks::{CLASS_COUNT, STATISTICS, Weeks};
use crate::history::NO_SEGMENT;

/// A value needs so many regulars, and so many others beside it.
const LEAST_REGULARS: usize = 20;

/// The steepest fall of one value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fall {
    pub(crate) column: usize,
    pub(crate) code: u32,
    pub(crate) candidate: usize,
    pub(crate) statistic: usize,
    pub(crate) z: f64,
    pub(crate) p: f64,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    regulars: usize,
    residual: [f64; STATISTICS],
    variance: [f64; STATISTICS],
}

/// The steepest fall of each value, with the share of permutations whose steepest fall of any value, week
/// and span is as steep: p holds for all of them together.
pub(crate) fn scan(columns: &[Weeks], classes: &[usize], permutations: usize, seed: u64) -> Vec<Fall> {
    let dense: Vec<Dense> = columns.iter().map(Dense::new).collect();
    let everyone: Vec<u32> = (0..classes.len() as u32).collect();
    let mut falls: Vec<Fall> = Vec::new();
    for (column, weeks) in columns.iter().enumerate() {
        falls.extend(steepest(weeks, &dense[column], &everyone, column));
    }
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); CLASS_COUNT];
    classes.iter().enumerate().for_each(|(customer, &class)| members[class].push(customer as u32));
    let greatest: Vec<f64> = (0..permutations as u64)
        .into_par_iter()
        .map(|permutation| {
            let places = permuted(&members, classes.len(), seed, permutation);
            let falls = columns.iter().enumerate();
            falls
                .flat_map(|(column, weeks)| steepest(weeks, &dense[column], &places, column))
                .map(|fall| fall.z)
                .fold(f64::NEG_INFINITY, f64::max)
        })
        .collect();
    for fall in &mut falls {
        let as_steep = greatest.iter().filter(|&&z| z >= fall.z).count();
        fall.p = (1 + as_steep) as f64 / (1 + permutations) as f64;
    }
    falls
}

/// The homes of a column with codes close together; values too small at every week are none.
struct Dense {
    codes: Vec<u32>,
    homes: Vec<Vec<u32>>,
}

impl Dense {
    fn new(weeks: &Weeks) -> Self {
        // Counted over all eligible, so that what is tested does not depend on who is where.
        let mut codes: Vec<u32> = Vec::new();
        for candidate in &weeks.candidates {
            let mut all: Vec<u32> =
                candidate.homes.iter().copied().filter(|&code| code != NO_SEGMENT).collect();
            all.sort_unstable();
            let large = all.chunk_by(|a, b| a == b).filter(|same| same.len() >= LEAST_REGULARS);
            codes.extend(large.map(|same| same[0]));
        }
        codes.sort_unstable();
        codes.dedup();
        let place = |code: &u32| codes.binary_search(code).map_or(u32::MAX, |place| place as u32);
        let homes = weeks.candidates.iter().map(|one| one.homes.iter().map(place).collect()).collect();
        Dense { codes, homes }
    }
}

fn steepest(weeks: &Weeks, dense: &Dense, places: &[u32], column: usize) -> Vec<Fall> {
    let none = Fall { column, code: 0, candidate: 0, statistic: 0, z: f64::NEG_INFINITY, p: 1.0 };
    let mut falls = vec![none; dense.codes.len()];
    let mut sums = vec![Sum::default(); dense.codes.len()];
    for (number, candidate) in weeks.candidates.iter().enumerate() {
        sums.fill(Sum::default());
        let homes = &dense.homes[number];
        for share in &candidate.shares {
            let home = homes[places[share.customer as usize] as usize];
            let Some(sum) = sums.get_mut(home as usize) else { continue };
            sum.regulars += 1;
            for statistic in 0..STATISTICS {
                sum.residual[statistic] += share.residual[statistic];
                sum.variance[statistic] += share.variance[statistic];
            }
        }
        let all = candidate.shares.len();
        for (fall, sum) in falls.iter_mut().zip(&sums) {
            if sum.regulars < LEAST_REGULARS || all - sum.regulars < LEAST_REGULARS {
                continue;
            }
            // The season was taken from all, the value's own regulars among them.
            let rest = (all - sum.regulars) as f64 / all as f64;
            for statistic in 0..STATISTICS {
                let z = -sum.residual[statistic] / (sum.variance[statistic] * rest).sqrt();
                if z > fall.z {
                    *fall = Fall { candidate: number, statistic, z, ..*fall };
                }
            }
        }
    }
    let named = falls.into_iter().zip(&dense.codes).map(|(fall, &code)| Fall { code, ..fall });
    named.filter(|fall| fall.z.is_finite()).collect()
}

/// Whose place each customer takes: customers of a class change places among themselves (Fisher and Yates).
fn permuted(members: &[Vec<u32>], customers: usize, seed: u64, permutation: u64) -> Vec<u32> {
    let mut random = SplitMix(seed ^ permutation.wrapping_add(1).wrapping_mul(0xd134_2543_de82_ef95));
    let mut places = vec![0; customers];
    for class in members {
        let mut shuffled = class.clone();
        for last in (1..shuffled.len()).rev() {
            // Half of the bits, times the number of places: even to one part in 2³² over it.
            let other = ((random.next() >> 32) * (last as u64 + 1)) >> 32;
            shuffled.swap(last, other as usize);
        }
        class.iter().zip(shuffled).for_each(|(&customer, place)| places[customer as usize] = place);
    }
    places
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
