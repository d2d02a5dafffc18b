//! What figures are drawn with: shapes in pixels, in a few colours with fixed meanings.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Text and axes.
pub(crate) const INK: RGBColor = RGBColor(26, 26, 26);
/// Text on a colour: dark in the dark too, where [`INK`] turns light.
pub(crate) const PRINT: RGBColor = RGBColor(20, 20, 20);
/// Lines of the grid.
pub(crate) const GRID: RGBColor = RGBColor(221, 221, 221);
/// What stays in the background.
pub(crate) const PALE: RGBColor = RGBColor(170, 170, 170);
/// Okabe and Ito's palette, told apart with any kind of colour vision; in order of use.
pub(crate) const BLUE: RGBColor = RGBColor(0, 114, 178);
/// See [`BLUE`].
pub(crate) const ORANGE: RGBColor = RGBColor(230, 159, 0);
/// See [`BLUE`].
pub(crate) const VERMILION: RGBColor = RGBColor(213, 94, 0);
/// See [`BLUE`].
pub(crate) const GREEN: RGBColor = RGBColor(0, 158, 115);
/// See [`BLUE`].
pub(crate) const PURPLE: RGBColor = RGBColor(204, 121, 167);
/// See [`BLUE`].
pub(crate) const SKY: RGBColor = RGBColor(86, 180, 233);

/// Colours for series, the most different first.
pub(crate) const SERIES: [RGBColor; 6] = [BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY];

/// Height of letters in pixels.
pub(crate) const TEXT: i32 = 12;

/// Where a text is held.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Shapes that stand for series, so that nothing hangs on colour alone.
#[derive(Clone, Copy)]
pub(crate) enum Marker {
    Disc,
    Square,
    Triangle,
    Diamond,
}

pub(crate) const MARKERS: [Marker; 4] = [
    Marker::Disc,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
];

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// A drawing under way. Writing to a string cannot fail, so the results of drawing are dropped.
pub(crate) struct Canvas<'a> {
    area: Area<'a>,
}

impl Canvas<'_> {
    /// An SVG of the size, as what `draw` draws.
    pub(crate) fn svg(width: i32, height: i32, draw: impl FnOnce(&Canvas<'_>)) -> String {
        let mut text = String::new();
        {
            let size = (width.unsigned_abs(), height.unsigned_abs());
            let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
            let canvas = Canvas { area };
            canvas.fill((0, 0), (width, height), WHITE, 1.0);
            draw(&canvas);
            let _ = canvas.area.present();
        }
        text
    }

    pub(crate) fn line(&self, points: &[(i32, i32)], color: RGBColor, width: u32) {
        if points.len() > 1 {
            let style = color.stroke_width(width);
            let _ = self.area.draw(&PathElement::new(points.to_vec(), style));
        }
    }

    /// A vertical line of dashes.
    pub(crate) fn dashes(&self, x: i32, top: i32, bottom: i32, color: RGBColor) {
        let mut y = top;
        while y < bottom {
            self.line(&[(x, y), (x, (y + 5).min(bottom))], color, 2);
            y += 9;
        }
    }

    pub(crate) fn fill(&self, from: (i32, i32), to: (i32, i32), color: RGBColor, opacity: f64) {
        let style = color.mix(opacity).filled();
        let _ = self.area.draw(&Rectangle::new([from, to], style));
    }

    pub(crate) fn frame(&self, from: (i32, i32), to: (i32, i32), color: RGBColor) {
        let _ = self.area.draw(&Rectangle::new([from, to], color));
    }

    pub(crate) fn polygon(&self, points: Vec<(i32, i32)>, color: RGBColor, opacity: f64) {
        let style = color.mix(opacity).filled();
        let _ = self.area.draw(&Polygon::new(points, style));
    }

    /// A zigzag that tells an area apart without colour.
    pub(crate) fn hatch(&self, from: (i32, i32), to: (i32, i32), color: RGBColor) {
        let (mut points, mut x, mut up) = (Vec::new(), from.0, false);
        while x <= to.0 {
            points.push((x, if up { from.1 } else { to.1 }));
            up = !up;
            x += 4;
        }
        self.line(&points, color, 1);
    }

    pub(crate) fn marker(&self, marker: Marker, (x, y): (i32, i32), color: RGBColor) {
        match marker {
            Marker::Disc => {
                let _ = self.area.draw(&Circle::new((x, y), 4, color.filled()));
            }
            Marker::Square => self.fill((x - 4, y - 4), (x + 4, y + 4), color, 1.0),
            Marker::Triangle => {
                self.polygon(vec![(x - 5, y + 4), (x + 5, y + 4), (x, y - 5)], color, 1.0);
            }
            Marker::Diamond => {
                let points = vec![(x - 5, y), (x, y - 5), (x + 5, y), (x, y + 5)];
                self.polygon(points, color, 1.0);
            }
        }
    }

    /// A text whose middle line is at `y`.
    pub(crate) fn text(&self, text: &str, at: (i32, i32), anchor: Anchor) {
        self.text_of(text, at, anchor, TEXT, INK);
    }

    pub(crate) fn text_of(
        &self,
        text: &str,
        at: (i32, i32),
        anchor: Anchor,
        size: i32,
        color: RGBColor,
    ) {
        let style = style(size, &color).pos(Pos::new(horizontal(anchor), VPos::Center));
        let _ = self.area.draw(&Text::new(printable(text), at, style));
    }

    /// A text from bottom to top.
    pub(crate) fn upright(&self, text: &str, at: (i32, i32)) {
        let font = FontDesc::new(
            FontFamily::SansSerif,
            f64::from(TEXT) * POINTS,
            FontStyle::Normal,
        )
        .transform(FontTransform::Rotate270);
        let style = TextStyle::from(font)
            .color(&INK)
            .pos(Pos::new(HPos::Center, VPos::Center));
        let _ = self.area.draw(&Text::new(printable(text), at, style));
    }
}

/// The backend writes sizes divided by this.
const POINTS: f64 = 1.24;

fn style(size: i32, color: &RGBColor) -> TextStyle<'_> {
    let font = FontDesc::new(
        FontFamily::SansSerif,
        f64::from(size) * POINTS,
        FontStyle::Normal,
    );
    TextStyle::from(font).color(color)
}

fn horizontal(anchor: Anchor) -> HPos {
    match anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    }
}

/// Characters that XML forbids, that break lines or turn the direction of writing, as a mark.
pub(crate) fn printable(text: &str) -> String {
    let plain = |c: char| match c {
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{fffe}'
        | '\u{ffff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(plain).collect()
}

/// The width of a text in pixels, rather too wide than too narrow.
pub(crate) fn width_of(text: &str, size: i32) -> i32 {
    let letters = i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 100);
    letters * size * 3 / 5
}

/// A text cut to at most so many letters.
pub(crate) fn cut(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let kept = text.chars().take(letters.saturating_sub(1));
    kept.chain(['\u{2026}']).collect()
}
