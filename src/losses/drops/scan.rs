//! Which value's regulars fall the most, and how often would customers who change places show as much?

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::weeks::{CLASS_COUNT, Candidate, Member, STATISTICS};
use crate::day::Day;
use crate::history::History;

/// So many permutations are held at a time. Weeks are counted anew for each such block, so that what is
/// held does not grow with the weeks.
const PERMUTATIONS_PER_BLOCK: usize = 64;

/// The steepest fall of one value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fall {
    pub(crate) column: usize,
    pub(crate) code: u32,
    /// The last day before the candidate week.
    pub(crate) before: Day,
    pub(crate) statistic: usize,
    pub(crate) z: f64,
    pub(crate) p: f64,
}

/// Where to look: whose purchases, up to which day, in which weeks.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) history: &'a History,
    pub(crate) as_of: Day,
    pub(crate) candidates: &'a [Day],
    pub(crate) ranks: &'a [u32],
}

/// The steepest fall of each value of each column, with the share of permutations whose steepest fall of any
/// value, week and span is as steep: p holds for all of them together.
pub(crate) fn scan(scope: Scope<'_>, columns: usize, permutations: usize, seed: u64) -> Vec<Fall> {
    let Scope { history, as_of, candidates, ranks } = scope;
    let mut falls: BTreeMap<(usize, u32), Fall> = BTreeMap::new();
    let mut greatest = vec![f64::NEG_INFINITY; permutations];
    for (block, own) in greatest.chunks_mut(PERMUTATIONS_PER_BLOCK).enumerate() {
        let first = block * PERMUTATIONS_PER_BLOCK;
        let rings: Vec<Vec<u32>> = (first..first + own.len())
            .into_par_iter()
            .map(|permutation| shuffled(ranks.len(), seed, permutation as u64))
            .collect();
        for column in 0..columns {
            for &before in candidates {
                let candidate = Candidate::new(history, as_of, before, ranks, column);
                if candidate.codes.is_empty() {
                    continue;
                }
                if block == 0 {
                    keep_steepest(&mut falls, &candidate, column, before);
                }
                let places = places(&candidate.members, ranks.len());
                own.par_iter_mut().zip(&rings).for_each(|(greatest, ring)| {
                    let sums = sums_along(&candidate, &places, ring);
                    *greatest = steepness(&candidate, &sums).map(|(.., z)| z).fold(*greatest, f64::max);
                });
            }
        }
    }
    let with_p = |fall: Fall| {
        let as_steep = greatest.iter().filter(|&&z| z >= fall.z).count();
        Fall { p: (1 + as_steep) as f64 / (1 + permutations) as f64, ..fall }
    };
    falls.into_values().map(with_p).collect()
}

type Sums = Vec<[f64; STATISTICS]>;

fn keep_steepest(
    falls: &mut BTreeMap<(usize, u32), Fall>,
    candidate: &Candidate,
    column: usize,
    before: Day,
) {
    let mut sums = vec![[0.0; STATISTICS]; candidate.codes.len()];
    candidate.members.iter().for_each(|member| add(&mut sums, member.home, member));
    for (value, statistic, z) in steepness(candidate, &sums) {
        let code = candidate.codes[value];
        let fall = Fall { column, code, before, statistic, z, p: 1.0 };
        let kept = falls.entry((column, code)).or_insert(fall);
        if z > kept.z {
            *kept = fall;
        }
    }
}

/// The sums when each member has the home of the next one of their class along the ring of customers.
///
/// Who is no member, or of another class, is passed over. So homes only change hands among members of a class,
/// whichever these are in that week, and neighbours of one week are neighbours of the next.
fn sums_along(candidate: &Candidate, places: &[u32], ring: &[u32]) -> Sums {
    let mut sums = vec![[0.0; STATISTICS]; candidate.codes.len()];
    let mut first: [Option<&Member>; CLASS_COUNT] = [None; CLASS_COUNT];
    let mut last = first;
    for &customer in ring {
        let Some(member) = candidate.members.get(places[customer as usize] as usize) else { continue };
        let class = member.class as usize;
        match last[class] {
            Some(before) => add(&mut sums, member.home, before),
            None => first[class] = Some(member),
        }
        last[class] = Some(member);
    }
    for (first, last) in first.into_iter().zip(last) {
        if let (Some(first), Some(last)) = (first, last) {
            add(&mut sums, first.home, last);
        }
    }
    sums
}

fn add(sums: &mut Sums, home: u32, member: &Member) {
    if let Some(sum) = sums.get_mut(home as usize) {
        sum.iter_mut().zip(&member.residual).for_each(|(sum, residual)| *sum += residual);
    }
}

/// How far each sum is below 0, in standard deviations: value, statistic and that.
fn steepness<'a>(candidate: &'a Candidate, sums: &'a Sums) -> impl Iterator<Item = (usize, usize, f64)> + 'a {
    let values = sums.iter().zip(&candidate.deviations).enumerate();
    values.flat_map(|(value, (sum, deviations))| {
        let pairs = sum.iter().zip(deviations).enumerate().filter(|(_, (_, deviation))| **deviation > 0.0);
        pairs.map(move |(statistic, (sum, deviation))| (value, statistic, -sum / deviation))
    })
}

/// The position of each customer among the members; beyond them for who is none.
fn places(members: &[Member], customers: usize) -> Vec<u32> {
    let mut places = vec![u32::MAX; customers];
    for (place, member) in members.iter().enumerate() {
        places[member.customer as usize] = place as u32;
    }
    places
}

/// All customers in an order drawn by lot (Fisher and Yates).
fn shuffled(customers: usize, seed: u64, permutation: u64) -> Vec<u32> {
    let mut random = SplitMix(seed ^ permutation.wrapping_add(1).wrapping_mul(0xd134_2543_de82_ef95));
    let mut ring: Vec<u32> = (0..customers as u32).collect();
    for last in (1..ring.len()).rev() {
        // Half of the bits, times the number of places: even to one part in 2³² over it.
        let other = ((random.next() >> 32) * (last as u64 + 1)) >> 32;
        ring.swap(last, other as usize);
    }
    ring
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
