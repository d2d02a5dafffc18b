//! Figures: each a function from what an analysis holds to a [`Figure`].
//!
//! Colours are Okabe and Ito's; whatever a colour says, a shape, a pattern or a label says too.
//! Thousands of values become bins, series become at most 120 points.

mod activity;
mod arcs;
mod canvas;
mod contacts;
mod curves;
mod dominance;
mod histogram;
mod plot;
mod ports;
mod scale;
mod sensitivity;
mod shares;

pub use activity::activity;
pub use arcs::{Link, metric_graph, rule_graph};
pub use contacts::contacts;
pub use curves::{Curve, detectability};
pub use dominance::{DominancePoint, dominance};
pub use histogram::histogram;
pub use ports::ports;
pub use sensitivity::sensitivity;
pub use shares::{Band, shares};

pub(crate) use canvas::cut;
pub(crate) use scale::{number, time};

use canvas::Canvas;

/// A picture as SVG, and as PNG with feature `png`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    title: String,
    svg: String,
}

/// Why a figure cannot be drawn as PNG.
#[cfg(feature = "png")]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PngError {
    /// The factor makes the picture empty, too large, or is no number.
    #[error("a picture cannot be scaled by {0}")]
    Scale(f32),
    /// The drawing failed.
    #[error("drawing the picture failed: {0}")]
    Drawing(String),
}

impl Figure {
    fn draw(title: &str, width: i32, height: i32, draw: impl FnOnce(&Canvas<'_>)) -> Self {
        let title: String = canvas::printable(&cut(title, 200));
        let drawn = Canvas::svg(width, height, draw);
        // What is the same on every element goes to the root, which also gets a name for those who
        // cannot see the picture. Quotes in texts are escaped, so these are attributes.
        let body = drawn
            .replace(" opacity=\"1\"", "")
            .replace(" font-family=\"sans-serif\"", "")
            .replace(" stroke-width=\"1\"", "")
            .replace(">\n", ">");
        let body = body.split_once('>').map_or("", |(_, body)| body);
        let name = escaped(&title);
        let size =
            format!("width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\"");
        Self {
            svg: format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" {size} role=\"img\" \
                 aria-label=\"{name}\" font-family=\"sans-serif\">{body}"
            ),
            title,
        }
    }

    /// What it shows, in a line.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The picture as an SVG document.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// The picture as PNG, `scale` times as large. Letters are those of the font that comes with
    /// the crate, so the picture is the same on every machine.
    ///
    /// # Errors
    ///
    /// If the scale is not positive or the picture would have more than 100 million pixels.
    #[cfg(feature = "png")]
    pub fn png(&self, scale: f32) -> Result<Vec<u8>, PngError> {
        use resvg::{tiny_skia, usvg};

        let mut options = usvg::Options::default();
        let fonts = options.fontdb_mut();
        fonts.load_font_data(FONT.to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        let failed = |error: &dyn std::fmt::Display| PngError::Drawing(error.to_string());
        let tree = usvg::Tree::from_str(&self.svg, &options).map_err(|error| failed(&error))?;
        let [width, height] = [tree.size().width(), tree.size().height()].map(|side| side * scale);
        if !(width >= 1.0 && height >= 1.0 && width * height <= 1e8) {
            return Err(PngError::Scale(scale));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 1e8"
        )]
        let pixels = tiny_skia::Pixmap::new(width.ceil() as u32, height.ceil() as u32);
        let mut pixels = pixels.ok_or(PngError::Scale(scale))?;
        let transform = tiny_skia::Transform::from_scale(scale, scale);
        resvg::render(&tree, transform, &mut pixels.as_mut());
        pixels.encode_png().map_err(|error| failed(&error))
    }
}

/// `DejaVu` Sans, its Latin letters; see `fonts/LICENSE`.
#[cfg(feature = "png")]
const FONT: &[u8] = include_bytes!("../../fonts/DejaVuSans-latin.ttf");

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
