//! Charts as SVG. Pure: numbers in, text out. No text of anybody else goes into one unescaped.

use std::fmt::Write as _;

/// A line of a page that fits into a row of text: the newest number is right.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sparkline<'a> {
    /// What it shows, for those who do not see it.
    pub(crate) title: &'a str,
    pub(crate) unit: &'a str,
    /// The oldest first; none: nothing is known of that time.
    pub(crate) points: &'a [Option<f64>],
    /// Points that the whole width is for.
    pub(crate) width: usize,
}

const HEIGHT: f64 = 32.0;
/// Between two points.
const STEP: f64 = 1.0;

impl Sparkline<'_> {
    pub(crate) fn svg(&self) -> String {
        let known = self.points.iter().flatten().copied();
        let top = known.clone().filter(|v| v.is_finite()).fold(0.0, f64::max);
        let now = self.points.last().copied().flatten();
        let now = now.filter(|now| now.is_finite());
        let width = (self.width.max(2) - 1) as f64 * STEP;
        let mut svg = format!(
            r#"<svg class="spark" viewBox="0 0 {width:.0} {HEIGHT:.0}" preserveAspectRatio="none" role="img"><title>{}</title>"#,
            escape(&format!(
                "{}: {} now, at most {}",
                self.title,
                now.map_or("unknown".to_owned(), |now| self.number(now)),
                self.number(top)
            ))
        );
        for run in self.runs() {
            let line = self.path(&run, top, width);
            let (first, last) = (
                run.first().map_or(0, |p| p.0),
                run.last().map_or(0, |p| p.0),
            );
            let (left, right) = (self.x(first, width), self.x(last, width));
            let _ = write!(
                svg,
                r#"<path class="area" d="M{left:.1} {HEIGHT:.0} L{line} L{right:.1} {HEIGHT:.0} Z"/><path class="line" d="M{line}"/>"#
            );
        }
        svg.push_str("</svg>");
        svg
    }

    fn number(&self, value: f64) -> String {
        format!("{}{}", short(value), self.unit)
    }

    /// Points side by side that are known.
    fn runs(&self) -> Vec<Vec<(usize, f64)>> {
        let mut runs: Vec<Vec<(usize, f64)>> = vec![Vec::new()];
        for (at, point) in self.points.iter().enumerate() {
            match (point.filter(|value| value.is_finite()), runs.last_mut()) {
                (Some(value), Some(run)) => run.push((at, value)),
                _ => runs.push(Vec::new()),
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }

    fn x(&self, at: usize, width: f64) -> f64 {
        width - (self.points.len() - 1 - at) as f64 * STEP
    }

    fn path(&self, run: &[(usize, f64)], top: f64, width: f64) -> String {
        let mut path = String::new();
        for (at, value) in run {
            let share = if top > 0.0 { value / top } else { 0.0 };
            // A line of the height's edge would be cut in two.
            let y = HEIGHT - 1.0 - share.clamp(0.0, 1.0) * (HEIGHT - 2.0);
            let _ = write!(path, "{:.1} {y:.1} ", self.x(*at, width));
        }
        path.truncate(path.trim_end().len());
        // One point alone is a short line.
        if run.len() == 1 {
            let _ = write!(path, " h{STEP:.0}");
        }
        path
    }
}

/// Parts of a whole, side by side.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Strip<'a> {
    /// What it is of, how much of it, and a class of the style.
    pub(crate) parts: &'a [(String, u64, &'static str)],
    pub(crate) title: &'a str,
}

impl Strip<'_> {
    pub(crate) fn svg(&self) -> String {
        let total: u64 = self.parts.iter().map(|part| part.1).sum();
        let words: Vec<String> = (self.parts.iter())
            .filter(|part| part.1 > 0)
            .map(|(name, count, _)| format!("{count} {name}"))
            .collect();
        let mut svg = format!(
            r#"<svg class="strip" viewBox="0 0 1000 12" preserveAspectRatio="none" role="img"><title>{}: {}</title>"#,
            escape(self.title),
            escape(&words.join(", "))
        );
        let mut left = 0.0;
        for (name, count, class) in self.parts.iter().filter(|part| part.1 > 0) {
            let width = *count as f64 * 1000.0 / total as f64;
            let _ = write!(
                svg,
                r#"<rect class="{class}" x="{left:.1}" width="{width:.1}" height="12"><title>{count} {}</title></rect>"#,
                escape(name)
            );
            left += width;
        }
        svg.push_str("</svg>");
        svg
    }
}

/// As text inside of SVG and HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Three digits of a number.
pub(crate) fn short(value: f64) -> String {
    if value.abs() < 10.0 && value.fract().abs() > 0.05 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spark(points: &[Option<f64>]) -> String {
        let title = "Jobs <a second>";
        Sparkline {
            title,
            unit: "/s",
            points,
            width: 5,
        }
        .svg()
    }

    #[test]
    fn a_sparkline_is_as_high_as_its_highest_and_has_gaps_where_nothing_is_known() {
        assert_eq!(
            spark(&[Some(0.0), Some(10.0), None, Some(5.0)]),
            "<svg class=\"spark\" viewBox=\"0 0 4 32\" preserveAspectRatio=\"none\" role=\"img\">\
             <title>Jobs &lt;a second&gt;: 5/s now, at most 10/s</title>\
             <path class=\"area\" d=\"M1.0 32 L1.0 31.0 2.0 1.0 L2.0 32 Z\"/><path class=\"line\" d=\"M1.0 31.0 2.0 1.0\"/>\
             <path class=\"area\" d=\"M4.0 32 L4.0 16.0 h1 L4.0 32 Z\"/><path class=\"line\" d=\"M4.0 16.0 h1\"/></svg>"
        );
    }

    #[test]
    fn a_sparkline_of_nothing_or_of_nonsense_is_still_one() {
        for points in [
            &[][..],
            &[None, None],
            &[Some(f64::NAN)],
            &[Some(0.0), Some(0.0)],
        ] {
            let svg = spark(points);
            assert!(svg.ends_with("</svg>") && !svg.contains("NaN"), "{svg}");
        }
    }

    #[test]
    fn a_strip_shares_its_width_and_says_its_parts() {
        let parts = [
            ("stored".to_owned(), 30, "good"),
            ("\"odd\"".to_owned(), 10, "bad"),
            ("none".to_owned(), 0, "bad"),
        ];
        let svg = Strip {
            parts: &parts,
            title: "2025",
        }
        .svg();
        assert!(
            svg.contains("<title>2025: 30 stored, 10 &quot;odd&quot;</title>"),
            "{svg}"
        );
        assert!(svg.contains(r#"x="750.0" width="250.0""#), "{svg}");
    }
}
