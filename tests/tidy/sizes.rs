//! Functions fit on a screen, lines in a window, files in a head.

use std::collections::BTreeMap;

use crate::allowed::{Allowed, Found};
use crate::files;
use crate::nothing_wrong;
use crate::tokens::{self, Stretch};

const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 120;
const FILE_LINES_MAX: usize = 500;

/// What is too long is listed in steps, so that not every line of a change there asks for one of the list.
fn in_steps(lines: usize, step: usize) -> usize {
    lines.div_ceil(step) * step
}

#[test]
fn functions_fit_on_a_screen() {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for path in files::all() {
        let mut functions = Vec::new();
        tokens::functions(files::parsed(&path), &mut functions);
        for function in functions
            .iter()
            .filter(|function| function.lines > FUNCTION_LINES_MAX)
        {
            let found = found
                .entry(format!("{path} {}", function.name))
                .or_default();
            found.measure = found.measure.max(in_steps(function.lines, 10));
            found.shown.push(format!(
                "{path}:{}: fn {} has {} lines",
                function.line, function.name, function.lines
            ));
        }
    }
    nothing_wrong(
        &Allowed::read("functions.txt").faults(&found),
        "a function has at most 70 lines. Give a part of it a name of its own.",
    );
}

#[test]
fn lines_fit_in_a_window() {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for path in files::all() {
        let text = files::text(&path);
        let mut strings = Vec::new();
        tokens::strings(files::parsed(&path), &mut strings);
        for (place, line) in text.lines().enumerate() {
            let chars = line.chars().count();
            if chars > LINE_CHARS_MAX
                && chars - in_strings(place + 1, chars, &strings) > LINE_CHARS_MAX
            {
                let found = found.entry(path.clone()).or_default();
                found.measure += 1;
                found
                    .shown
                    .push(format!("{path}:{}: {chars} characters", place + 1));
            }
        }
    }
    nothing_wrong(
        &Allowed::read("lines.txt").faults(&found),
        "a line has at most 120 characters, without its strings. Break it.",
    );
}

/// How many characters of a line stand in strings and statements.
fn in_strings(line: usize, chars: usize, strings: &[Stretch]) -> usize {
    let part = |((first, from), (last, to)): &Stretch| {
        if line < *first || line > *last {
            return 0;
        }
        let from = if line == *first { *from } else { 0 };
        let to = if line == *last { *to } else { chars };
        to.saturating_sub(from)
    };
    strings.iter().map(part).sum()
}

#[test]
fn files_hold_one_thing() {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for path in files::all() {
        let lines = files::text(&path).lines().count();
        if lines > FILE_LINES_MAX {
            let measure = in_steps(lines, 50);
            let shown = vec![format!("{path}:1: {lines} lines")];
            found.insert(path, Found { measure, shown });
        }
    }
    nothing_wrong(
        &Allowed::read("files.txt").faults(&found),
        "a file has at most 500 lines. Move one of its things into a file of its own.",
    );
}
