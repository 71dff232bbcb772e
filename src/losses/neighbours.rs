//! Which points lie nearest? Exact search among some thousand points for each of a million.
//!
//! Points are cut into boxes of a constant number, as a k-d tree cuts them. A box whose nearest corner is farther
//! away than the neighbours found so far cannot hold one, and is passed over: the bound is a sum of the same terms
//! in the same order as a distance, each rounded the same way and none larger, so that it never exceeds one.

use fearless_simd::Simd;
use rayon::prelude::*;

use crate::math::{Kernel, wide};

/// Points per box: their distances stay in registers.
const PER_BOX: usize = 32;
/// Coordinates that a box's bound looks at: those that spread most carry nearly all of a distance.
const BOUNDED: usize = 8;
/// Queries answered at a time.
const QUERIES_PER_BLOCK: usize = 1 << 8;

/// Points, one after another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Points {
    pub(crate) width: usize,
    pub(crate) values: Vec<f64>,
}

impl Points {
    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    pub(crate) fn of(&self, point: usize) -> &[f64] {
        &self.values[point * self.width..(point + 1) * self.width]
    }

    /// Some of them, in the order given.
    pub(crate) fn pick(&self, points: &[usize]) -> Points {
        let values = points.iter().flat_map(|&point| self.of(point)).copied().collect();
        Points { width: self.width, values }
    }
}

/// A neighbour: which point, and its squared distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Near {
    pub(crate) point: u32,
    pub(crate) squared: f64,
}

/// Holds no place yet.
const NOBODY: Near = Near { point: u32::MAX, squared: f64::INFINITY };

impl Near {
    #[inline(always)]
    fn is_before(self, other: Near) -> bool {
        self.squared < other.squared || (self.squared == other.squared && self.point < other.point)
    }
}

/// Points, ready to be searched.
pub(crate) struct Boxes {
    points: usize,
    /// Which coordinate comes first, second … : those that spread most.
    order: Vec<usize>,
    /// Per box its points, coordinate by coordinate, [`PER_BOX`] values each; ∞ where there is no point.
    values: Vec<f64>,
    /// Which points, box by box.
    members: Vec<u32>,
    /// Per coordinate bounded, the least and the largest value of every box.
    lows: Vec<Vec<f64>>,
    highs: Vec<Vec<f64>>,
}

impl Boxes {
    pub(crate) fn new(points: &Points) -> Self {
        let mut order: Vec<usize> = (0..points.width).collect();
        let every: Vec<u32> = (0..points.len() as u32).collect();
        let spreads: Vec<f64> = order.iter().map(|&axis| deviation(points, axis)).collect();
        order.sort_by(|&a, &b| spreads[b].total_cmp(&spreads[a]).then(a.cmp(&b)));
        let mut cut = Vec::new();
        split(points, &order[..order.len().min(BOUNDED)], every, &mut cut);
        let mut boxes = Boxes {
            points: points.len(),
            values: Vec::with_capacity(cut.len() * PER_BOX * points.width),
            members: Vec::with_capacity(cut.len() * PER_BOX),
            lows: vec![Vec::with_capacity(cut.len()); order.len().min(BOUNDED)],
            highs: vec![Vec::with_capacity(cut.len()); order.len().min(BOUNDED)],
            order,
        };
        cut.iter().for_each(|members| boxes.push(points, members));
        boxes
    }

    fn push(&mut self, points: &Points, members: &[u32]) {
        for (place, &axis) in self.order.iter().enumerate() {
            let own = members.iter().map(|&point| points.of(point as usize)[axis]);
            let empty = std::iter::repeat_n(f64::INFINITY, PER_BOX - members.len());
            self.values.extend(own.clone().chain(empty));
            if let (Some(low), Some(high)) = (self.lows.get_mut(place), self.highs.get_mut(place)) {
                low.push(own.clone().fold(f64::INFINITY, f64::min));
                high.push(own.fold(f64::NEG_INFINITY, f64::max));
            }
        }
        self.members.extend(members);
        self.members.extend(std::iter::repeat_n(NOBODY.point, PER_BOX - members.len()));
    }

    /// The `most` nearest of every query, nearest first; equally near ones in their order. Fewer where there
    /// are not as many points.
    pub(crate) fn nearest(&self, queries: &Points, most: usize) -> Vec<Vec<Near>> {
        let most = most.min(self.points);
        if most == 0 {
            return vec![Vec::new(); queries.len()];
        }
        let blocks: Vec<Vec<Vec<Near>>> = queries
            .values
            .par_chunks(QUERIES_PER_BLOCK * queries.width)
            .map(|queries| wide(Search { boxes: self, queries, most }))
            .collect();
        blocks.into_iter().flatten().collect()
    }
}

/// The standard deviation of a coordinate.
fn deviation(points: &Points, axis: usize) -> f64 {
    let number = points.len().max(1) as f64;
    let values = || points.values.iter().skip(axis).step_by(points.width);
    let mean = values().sum::<f64>() / number;
    (values().map(|value| (value - mean).powi(2)).sum::<f64>() / number).sqrt()
}

/// Cuts points in halves along the coordinate they spread most in, until they fit a box.
fn split(points: &Points, axes: &[usize], mut members: Vec<u32>, cut: &mut Vec<Vec<u32>>) {
    if members.len() <= PER_BOX {
        if !members.is_empty() {
            cut.push(members);
        }
        return;
    }
    let value = |point: u32, axis: usize| points.of(point as usize)[axis];
    let extent = |axis: usize| {
        let own = members.iter().map(|&point| value(point, axis));
        let (low, high) = own
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        high - low
    };
    let Some(axis) = axes.iter().copied().max_by(|&a, &b| extent(a).total_cmp(&extent(b))) else { return };
    // Full boxes on the left, so that few places stay empty.
    let half = (members.len() / 2).next_multiple_of(PER_BOX).min(members.len() - 1);
    members.select_nth_unstable_by(half, |&a, &b| value(a, axis).total_cmp(&value(b, axis)).then(a.cmp(&b)));
    let right = members.split_off(half);
    split(points, axes, members, cut);
    split(points, axes, right, cut);
}

/// Answers a block of queries, compiled for every instruction set.
struct Search<'a> {
    boxes: &'a Boxes,
    queries: &'a [f64],
    most: usize,
}

impl Kernel for Search<'_> {
    type Output = Vec<Vec<Near>>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Vec<Vec<Near>> {
        let Search { boxes, queries, most } = self;
        let width = boxes.order.len();
        let number = boxes.members.len() / PER_BOX;
        let (mut query, mut bounds, mut open) = (vec![0.0; width], vec![0.0; number], Vec::new());
        let mut answers = Vec::with_capacity(queries.len() / width.max(1));
        for raw in queries.chunks_exact(width) {
            query.iter_mut().zip(&boxes.order).for_each(|(out, &axis)| *out = raw[axis]);
            bound(boxes, &query, &mut bounds);
            let mut found = vec![NOBODY; most];
            let first = least(&bounds);
            scan(boxes, first, &query, &mut found);
            // Boxes that may still hold a neighbour, nearest first.
            open.clear();
            let limit = found[most - 1].squared;
            open.extend((0..number).filter(|&other| other != first && bounds[other] <= limit));
            open.sort_unstable_by(|&a, &b| bounds[a].total_cmp(&bounds[b]).then(a.cmp(&b)));
            for &other in &open {
                if bounds[other] > found[most - 1].squared {
                    break;
                }
                scan(boxes, other, &query, &mut found);
            }
            answers.push(found);
        }
        answers
    }
}

/// How near each box may come.
#[inline(always)]
fn bound(boxes: &Boxes, query: &[f64], bounds: &mut [f64]) {
    bounds.fill(0.0);
    for ((lows, highs), &x) in boxes.lows.iter().zip(&boxes.highs).zip(query) {
        let (lows, highs) = (&lows[..bounds.len()], &highs[..bounds.len()]);
        for (place, bound) in bounds.iter_mut().enumerate() {
            let (below, above) = (lows[place] - x, x - highs[place]);
            let beside = if below > above { below } else { above };
            let beside = if beside > 0.0 { beside } else { 0.0 };
            *bound += beside * beside;
        }
    }
}

#[inline(always)]
fn least(bounds: &[f64]) -> usize {
    let mut least = 0;
    for place in 1..bounds.len() {
        if bounds[place] < bounds[least] {
            least = place;
        }
    }
    least
}

/// Looks at all points of a box.
#[inline(always)]
fn scan(boxes: &Boxes, number: usize, query: &[f64], found: &mut [Near]) {
    let width = query.len();
    let values = &boxes.values[number * PER_BOX * width..(number + 1) * PER_BOX * width];
    let (columns, _) = values.as_chunks::<PER_BOX>();
    let mut squared = [0.0; PER_BOX];
    let first = BOUNDED.min(width);
    add(&columns[..first], &query[..first], &mut squared);
    let worst = found[found.len() - 1].squared;
    // Most boxes can be left here.
    if squared.iter().all(|&squared| squared > worst) {
        return;
    }
    add(&columns[first..], &query[first..], &mut squared);
    let members = &boxes.members[number * PER_BOX..(number + 1) * PER_BOX];
    for (&point, &squared) in members.iter().zip(&squared) {
        let near = Near { point, squared };
        if near.is_before(found[found.len() - 1]) {
            insert(found, near);
        }
    }
}

#[inline(always)]
fn add(columns: &[[f64; PER_BOX]], query: &[f64], squared: &mut [f64; PER_BOX]) {
    for (column, &x) in columns.iter().zip(query) {
        for lane in 0..PER_BOX {
            let beside = column[lane] - x;
            squared[lane] += beside * beside;
        }
    }
}

#[inline(always)]
fn insert(found: &mut [Near], near: Near) {
    let mut place = found.len() - 1;
    while place > 0 && near.is_before(found[place - 1]) {
        found[place] = found[place - 1];
        place -= 1;
    }
    found[place] = near;
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }

        /// Nearly normal, from four uniforms.
        fn normal(&mut self) -> f64 {
            let sum: f64 = (0..4).map(|_| (self.next() >> 11) as f64 / (1_u64 << 53) as f64).sum();
            (sum - 2.0) * 3.0_f64.sqrt()
        }
    }

    /// Few hidden facts behind many columns, of falling weight, as a model's columns are.
    fn points(number: usize, width: usize, seed: u64) -> Points {
        let mut random = Random(seed);
        let mut values = Vec::with_capacity(number * width);
        for _ in 0..number {
            let facts: Vec<f64> = (0..6).map(|_| random.normal()).collect();
            values.extend((0..width).map(|axis| {
                let mixed = facts[axis % 6] + 0.7 * facts[(axis * axis + 1) % 6] + 0.3 * random.normal();
                mixed / (1.0 + axis as f64 / 3.0)
            }));
        }
        Points { width, values }
    }

    /// Every distance, sorted.
    fn slowly(queries: &Points, among: &Points, most: usize, order: &[usize]) -> Vec<Vec<Near>> {
        (0..queries.len())
            .map(|query| {
                let squared = |point: u32| {
                    let (a, b) = (among.of(point as usize), queries.of(query));
                    order.iter().fold(0.0, |sum, &axis| sum + (a[axis] - b[axis]) * (a[axis] - b[axis]))
                };
                let mut all: Vec<Near> =
                    (0..among.len() as u32).map(|point| Near { point, squared: squared(point) }).collect();
                all.sort_by(|a, b| a.squared.total_cmp(&b.squared).then(a.point.cmp(&b.point)));
                all.truncate(most);
                all
            })
            .collect()
    }

    #[track_caller]
    fn check(queries: &Points, among: &Points, most: usize) {
        let boxes = Boxes::new(among);
        assert_eq!(boxes.nearest(queries, most), slowly(queries, among, most, &boxes.order));
    }

    #[test]
    fn the_nearest_are_those_of_a_slow_search() {
        for (among, width) in [(1, 1), (5, 3), (32, 31), (33, 31), (700, 31), (1_000, 2), (999, 9)] {
            check(&points(90, width, 3), &points(among, width, 7), 5);
        }
        check(&points(20, 4, 1), &points(3, 4, 2), 5);
        assert_eq!(Boxes::new(&points(0, 4, 1)).nearest(&points(2, 4, 1), 5), vec![Vec::new(); 2]);
    }

    #[test]
    fn equally_near_points_come_in_their_order() {
        // Whole numbers in few values: hundreds of points at every distance.
        let coarse = |points: Points| Points {
            values: points.values.iter().map(|value| value.round().clamp(-1.0, 1.0)).collect(),
            ..points
        };
        check(&coarse(points(60, 5, 11)), &coarse(points(900, 5, 12)), 7);
        let same = Points { width: 2, values: vec![0.5; 400] };
        let found = Boxes::new(&same).nearest(&Points { width: 2, values: vec![0.0, 9.0] }, 3);
        assert_eq!(found[0].iter().map(|near| near.point).collect::<Vec<_>>(), [0, 1, 2]);
    }

    /// `cargo test --lib neighbours -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn a_million_among_ten_thousand() {
        let (queries, among) = (points(1_000_000, 31, 1), points(10_000, 31, 2));
        let start = std::time::Instant::now();
        let boxes = Boxes::new(&among);
        let built = start.elapsed();
        let found = boxes.nearest(&queries, 5);
        println!("boxes {built:?}, all {:?}", start.elapsed());
        let few = Points { width: 31, values: queries.values[..31 * 2_000].to_vec() };
        let start = std::time::Instant::now();
        let slow = slowly(&few, &among, 5, &boxes.order);
        println!("slowly, 2,000 queries: {:?}", start.elapsed());
        assert_eq!(&found[..2_000], &slow[..]);
    }
}
