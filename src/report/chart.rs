//! How is a chart drawn, so that it is read in print, on a phone, in the dark, and by those who tell few colours
//! apart?
//!
//! Three kinds serve all figures: lines and points over two axes, columns, and rows of points with their doubt.
//! Nothing is told by colour alone: lines carry their names, and what is uncertain is drawn hollow.

use std::ops::Range;

use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::error::{Error, Result};

/// Text and axes. The page's style sheet finds these colours by value, and turns them in the dark.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
const FAINT: RGBColor = RGBColor(0x8A, 0x8A, 0x8A);
/// Colours that most people tell apart, in the order they are given out; Okabe and Ito (2008).
pub(super) const COLOURS: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0xE6, 0x9F, 0x00),
];

const WIDTH: u32 = 540;
const HEIGHT: u32 = 310;
const MARGIN: u32 = 10;
const FONT: &str = "sans-serif";
const FONT_SIZE: u32 = 16;
/// About the width of a letter.
const LETTER: u32 = 7;
/// Longer names are cut.
const NAME_LETTERS: usize = 34;
const ROW_HEIGHT: u32 = 30;
/// How long the piece of line is that ties a name to its line, at least.
const TIE: i32 = 14;
/// How far names stand apart.
const NAME_HEIGHT: i32 = 18;
/// No axis reaches further, so that its length is a number.
const LARGEST: f64 = 1e300;

/// What an axis measures, from where to where.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) title: String,
    pub(super) range: Range<f64>,
    /// Shares, told in percent.
    pub(super) is_share: bool,
}

impl Axis {
    pub(super) fn share(title: &str, to: f64) -> Self {
        Axis { title: title.to_owned(), range: 0.0..to, is_share: true }
    }

    /// Around values, with some air; from 0 where they are all on one side of it.
    pub(super) fn around(title: &str, is_share: bool, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .map(|value| value.clamp(-LARGEST, LARGEST))
            .fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let air = 0.06 * (high - low).max(f64::MIN_POSITIVE);
        let (low, high) =
            (if low < 0.0 { low - air } else { 0.0 }, if high > 0.0 { high + air } else { 0.0 });
        let high = if high - low > 1e-9 { high } else { low + 1.0 };
        Axis { title: title.to_owned(), range: low..high, is_share }
    }

    fn tick(&self, value: f64) -> String {
        // -0.0 is no number that a reader knows.
        let value = if value.abs() < 1e-12 { 0.0 } else { value };
        match self.is_share {
            true => format!("{:.0} %", 100.0 * value),
            false => super::words::whole(value),
        }
    }
}

/// Points, joined or not, each perhaps with the ends of its doubt.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Written at its last point.
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    /// As many as points, or none.
    pub(super) ends: Vec<(f64, f64)>,
    pub(super) is_joined: bool,
}

/// A value of something that has a name.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) ends: Option<(f64, f64)>,
    /// Drawn hollow or grey: not to be relied on.
    pub(super) is_faint: bool,
}

fn failed(error: impl std::error::Error) -> Error {
    Error::table("drawing a figure", error)
}

fn font() -> TextStyle<'static> {
    (FONT, FONT_SIZE).into_font().color(&INK)
}

/// How all meshes look.
fn plain<'a, 'b, 'c, 'd, X, Y>(
    mesh: &'c mut MeshStyle<'a, 'b, X, Y, SVGBackend<'d>>,
) -> &'c mut MeshStyle<'a, 'b, X, Y, SVGBackend<'d>>
where
    X: Ranged + ValueFormatter<<X as Ranged>::ValueType>,
    Y: Ranged + ValueFormatter<<Y as Ranged>::ValueType>,
{
    mesh.light_line_style(TRANSPARENT).bold_line_style(GRID).axis_style(INK).label_style(font())
}

/// A name short enough for its place.
fn cut(name: &str) -> String {
    match name.chars().nth(NAME_LETTERS) {
        None => name.to_owned(),
        Some(_) => name.chars().take(NAME_LETTERS - 1).chain(['…']).collect(),
    }
}

/// Draws, and gives the document a description in the place of a fixed size.
fn drawn(
    height: u32,
    alt: &str,
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&area)?;
        area.present().map_err(failed)?;
    }
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let alt = alt.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{alt}\">\n<title>{alt}</title>{body}"
    ))
}

/// Lines and points over two axes; a thin diagonal where asked for.
pub(super) fn lines(x: &Axis, y: &Axis, series: &[Series], has_diagonal: bool, alt: &str) -> Result<String> {
    let longest = series.iter().map(|line| cut(&line.name).chars().count()).max().unwrap_or(0) as u32;
    drawn(HEIGHT, alt, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(MARGIN)
            .margin_right(MARGIN + if longest > 0 { TIE as u32 + 8 + longest * LETTER } else { 8 })
            .x_label_area_size(46)
            .y_label_area_size(64)
            .build_cartesian_2d(x.range.clone(), y.range.clone())
            .map_err(failed)?;
        let mut mesh = chart.configure_mesh();
        plain(&mut mesh)
            .x_labels(6)
            .y_labels(6)
            .x_desc(&x.title)
            .y_desc(&y.title)
            .x_label_formatter(&|value| x.tick(*value))
            .y_label_formatter(&|value| y.tick(*value))
            .draw()
            .map_err(failed)?;
        if has_diagonal {
            let to = x.range.end.min(y.range.end);
            let diagonal = PathElement::new(vec![(0.0, 0.0), (to, to)], FAINT.stroke_width(1));
            chart.draw_series([diagonal]).map_err(failed)?;
        }
        for (line, colour) in series.iter().zip(COLOURS.iter().cycle()) {
            let ends = line.points.iter().zip(&line.ends);
            let whiskers = ends.map(|(&(x, _), &(low, high))| {
                PathElement::new(vec![(x, low), (x, high)], colour.stroke_width(2))
            });
            chart.draw_series(whiskers).map_err(failed)?;
            if line.is_joined {
                let path = LineSeries::new(line.points.iter().copied(), colour.stroke_width(2));
                chart.draw_series(path).map_err(failed)?;
            } else {
                let dots = line.points.iter().map(|&point| Circle::new(point, 4, colour.filled()));
                chart.draw_series(dots).map_err(failed)?;
            }
        }
        // Names stand at the right, one below the other, each tied to the end of its line.
        let named = series.iter().zip(COLOURS.iter().cycle()).filter(|(line, _)| !line.name.is_empty());
        let ends: Vec<_> = named
            .filter_map(|(line, colour)| Some((chart.backend_coord(line.points.last()?), &line.name, colour)))
            .collect();
        let right = chart.backend_coord(&(x.range.end, y.range.start)).0;
        let heights: Vec<i32> = ends.iter().map(|((_, height), ..)| *height).collect();
        for (((from, height), name, colour), placed) in ends.iter().zip(apart(&heights)) {
            let tie = PathElement::new(
                vec![(*from, *height), (right + TIE, placed)],
                colour.mix(0.6).stroke_width(1),
            );
            area.draw(&tie).map_err(failed)?;
            let style = font().pos(Pos::new(HPos::Left, VPos::Center)).color(*colour);
            area.draw(&Text::new(cut(name), (right + TIE + 4, placed), style)).map_err(failed)?;
        }
        Ok(())
    })
}

/// Columns side by side, with the ends of their doubt.
pub(super) fn columns(y: &Axis, bars: &[Named], alt: &str) -> Result<String> {
    drawn(HEIGHT, alt, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(MARGIN)
            .x_label_area_size(34)
            .y_label_area_size(64)
            .build_cartesian_2d(places(bars.len()).into_segmented(), y.range.clone())
            .map_err(failed)?;
        let mut mesh = chart.configure_mesh();
        plain(&mut mesh)
            .disable_x_mesh()
            .x_labels(8)
            .y_labels(6)
            .y_desc(&y.title)
            .x_label_formatter(&|place| name_of(bars, place))
            .y_label_formatter(&|value| y.tick(*value))
            .draw()
            .map_err(failed)?;
        for (place, bar) in bars.iter().enumerate() {
            let style = if bar.is_faint { GRID.filled() } else { COLOURS[0].filled() };
            let right = match place == places(bars.len()).end {
                true => SegmentValue::Last,
                false => SegmentValue::Exact(place + 1),
            };
            let corners = [(SegmentValue::Exact(place), 0.0), (right, bar.value)];
            let mut column = Rectangle::new(corners, style);
            column.set_margin(0, 0, 6, 6);
            chart.draw_series([column]).map_err(failed)?;
            if let Some((low, high)) = bar.ends {
                let centre = SegmentValue::CenterOf(place);
                let whisker =
                    PathElement::new(vec![(centre.clone(), low), (centre, high)], INK.stroke_width(2));
                chart.draw_series([whisker]).map_err(failed)?;
            }
        }
        Ok(())
    })
}

/// One row per name, the first on top: a point and the ends of its doubt, beside a line to compare with.
pub(super) fn rows(x: &Axis, named: &[Named], beside: Option<f64>, alt: &str) -> Result<String> {
    let longest = named.iter().map(|row| cut(&row.name).chars().count()).max().unwrap_or(0) as u32;
    let height = 2 * MARGIN + 46 + ROW_HEIGHT * named.len() as u32;
    let upwards: Vec<&Named> = named.iter().rev().collect();
    drawn(height, alt, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(MARGIN)
            .margin_right(3 * MARGIN)
            .x_label_area_size(46)
            .y_label_area_size(longest * LETTER + 24)
            .build_cartesian_2d(x.range.clone(), places(upwards.len()).into_segmented())
            .map_err(failed)?;
        let mut mesh = chart.configure_mesh();
        plain(&mut mesh)
            .x_labels(6)
            .y_labels(upwards.len().max(1))
            .x_desc(&x.title)
            .x_label_formatter(&|value| x.tick(*value))
            .y_label_formatter(&|place| name_of(&upwards, place))
            .draw()
            .map_err(failed)?;
        if let Some(beside) = beside {
            let ends = vec![(beside, SegmentValue::Exact(0)), (beside, SegmentValue::Last)];
            chart.draw_series([PathElement::new(ends, FAINT.stroke_width(2))]).map_err(failed)?;
        }
        for (place, row) in upwards.iter().enumerate() {
            let centre = SegmentValue::CenterOf(place);
            if let Some((low, high)) = row.ends {
                let ends = vec![(low, centre.clone()), (high, centre.clone())];
                chart.draw_series([PathElement::new(ends, COLOURS[0].stroke_width(2))]).map_err(failed)?;
            }
            let style = if row.is_faint { COLOURS[0].stroke_width(2) } else { COLOURS[0].filled() };
            chart.draw_series([Circle::new((row.value, centre), 5, style)]).map_err(failed)?;
        }
        Ok(())
    })
}

/// Where names at these heights are written, so that none covers another: in their order, and in the middle of where
/// they would stand.
fn apart(heights: &[i32]) -> Vec<i32> {
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by_key(|&place| heights[place]);
    let mut placed = heights.to_vec();
    // Names that touch form a stack, which is centred on what it names; stacks that touch become one.
    let mut stacks: Vec<(i64, Vec<usize>)> = Vec::new();
    for place in order {
        let mut stack = (i64::from(heights[place]), vec![place]);
        while let Some((sum, above)) = stacks.pop() {
            let (bottom, top) = (end_of(sum, above.len(), 1), end_of(stack.0, stack.1.len(), -1));
            if top - bottom >= i64::from(NAME_HEIGHT) {
                stacks.push((sum, above));
                break;
            }
            stack = (sum + stack.0, [above, stack.1].concat());
        }
        stacks.push(stack);
    }
    for (sum, places) in stacks {
        let top = end_of(sum, places.len(), -1);
        for (place, row) in places.into_iter().zip(0..) {
            placed[place] = (top + i64::from(NAME_HEIGHT) * row) as i32;
        }
    }
    placed
}

/// The middle of the last name of a stack (1) or the first one (-1).
fn end_of(sum_of_heights: i64, names: usize, side: i64) -> i64 {
    sum_of_heights / names as i64 + side * i64::from(NAME_HEIGHT) * (names as i64 - 1) / 2
}

/// The places of so many names. A segmented range holds its end, and cannot hold a single place.
fn places(names: usize) -> Range<usize> {
    0..names.max(2) - 1
}

fn name_of<N: std::borrow::Borrow<Named>>(named: &[N], place: &SegmentValue<usize>) -> String {
    match place {
        SegmentValue::CenterOf(place) | SegmentValue::Exact(place) => {
            named.get(*place).map_or_else(String::new, |named| cut(&named.borrow().name))
        }
        SegmentValue::Last => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_and_not_markup() {
        let named =
            |name: &str| Named { name: name.to_owned(), value: 0.5, ends: Some((0.1, 0.9)), is_faint: false };
        let svg = rows(
            &Axis::share("share", 1.0),
            &[named("<script>alert(1)</script>"), named("a & b")],
            Some(0.3),
            "\"<b>\" & more",
        )
        .unwrap();
        assert!(!svg.contains("<script>") && !svg.contains("<b>"), "{svg}");
        assert!(svg.contains("&lt;script&gt;") && svg.contains("a &amp; b"), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn names_never_cover_one_another() {
        assert_eq!(apart(&[]), [0; 0]);
        assert_eq!(apart(&[100, 10]), [100, 10]);
        assert_eq!(apart(&[50, 50, 50]), [32, 50, 68]);
        let many: Vec<i32> = (0..9).map(|place| 100 + place * place % 7).collect();
        let mut placed = apart(&many);
        placed.sort_unstable();
        assert!(placed.windows(2).all(|pair| pair[1] - pair[0] >= NAME_HEIGHT), "{placed:?}");
    }

    #[test]
    fn nothing_to_draw_is_drawn_too() {
        let axis = Axis::around("x", false, [f64::NAN, f64::INFINITY].into_iter());
        assert!(columns(&axis, &[], "none").unwrap().contains("</svg>"));
        assert!(rows(&axis, &[], None, "none").unwrap().contains("</svg>"));
        assert!(lines(&axis, &axis, &[], true, "none").unwrap().contains("</svg>"));
    }
}
