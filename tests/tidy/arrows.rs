//! Arrows between modules go down, and in no circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::allowed::{Allowed, Found};
use crate::files::{self, File};
use crate::nothing_wrong;
use crate::tokens::{self, Path};

/// The crate of the map.
const CRATE: &str = "src/lib.rs";

/// An arrow from a module to another one, and where it is written.
#[derive(Debug, Clone)]
struct Arrow {
    from: Vec<String>,
    to: Vec<String>,
    place: String,
}

/// The floors of the map in the crate's documentation, the uppermost first.
fn floors() -> Vec<Vec<String>> {
    let text = files::text(CRATE);
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows = rows.filter_map(|row| row.split(" | ").next());
    let names = |row: &str| {
        let quoted = row.split('`').skip(1).step_by(2);
        quoted.map(str::to_owned).collect::<Vec<_>>()
    };
    rows.map(names).filter(|row| !row.is_empty()).collect()
}

/// What names mean that a module only passes on: `pub use child::Thing`.
type Aliases = BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>;

/// What a path of a library begins with: `crate` for that of the map; a library of its own, `riftsync_limiter`, is the
/// room of that name.
fn base(library: &str) -> Vec<String> {
    let mut base = vec!["crate".to_owned()];
    base.extend(library.strip_prefix("riftsync_").map(str::to_owned));
    base
}

/// A file of a library, and the module that it is, seen from the crate of the map.
struct Source {
    file: &'static File,
    base: Vec<String>,
    module: Vec<String>,
}

/// The files of all libraries, but for those of tests.
fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for (library, root) in files::libraries() {
        let base = base(&library);
        let files = files::crates()[&root].iter();
        sources.extend(files.filter(|file| !file.tests_only).map(|file| Source {
            file,
            base: base.clone(),
            module: [&base, &file.module[1..]].concat(),
        }));
    }
    sources
}

/// The modules of the libraries and the arrows between them, but for those of tests.
fn arrows() -> (BTreeSet<Vec<String>>, Vec<Arrow>) {
    let sources = sources();
    let modules: BTreeSet<Vec<String>> =
        (sources.iter().map(|source| source.module.clone())).collect();
    let mut written: Vec<(&Source, Path)> = Vec::new();
    for source in &sources {
        let paths = tokens::paths(source.file.tokens()).into_iter();
        written.extend(paths.map(|path| (source, path)));
    }
    let mut aliases = Aliases::new();
    for (source, path) in &written {
        if path.imported
            && let Some(full) = full_path(source, &path.parts)
            && let Some(name) = full.last()
        {
            let known = aliases.entry(source.module.clone()).or_default();
            known.insert(name.clone(), full.clone());
        }
    }
    let arrow = |(source, path): &(&Source, Path)| {
        let full = full_path(source, &path.parts)?;
        Some(Arrow {
            from: source.module.clone(),
            to: module_of(full, &modules, &aliases),
            place: format!("{}:{}", source.file.path, path.line),
        })
    };
    let arrows = written.iter().filter_map(arrow).collect();
    (modules, arrows)
}

/// A path from the crate of the map on.
fn full_path(source: &Source, parts: &[String]) -> Option<Vec<String>> {
    let mut full = source.module.clone();
    for (place, part) in parts.iter().enumerate() {
        match part.as_str() {
            "crate" => full.clone_from(&source.base),
            "self" => {}
            "super" => {
                full.pop()?;
            }
            library if place == 0 && library.starts_with("riftsync") => full = base(library),
            name => full.push(name.to_owned()),
        }
    }
    Some(full)
}

/// The module that a path leads to, through modules that only pass its name on.
fn module_of(
    mut path: Vec<String>,
    modules: &BTreeSet<Vec<String>>,
    aliases: &Aliases,
) -> Vec<String> {
    for _ in 0..10 {
        let mut length = path.len();
        while length > 1 && !modules.contains(&path[..length]) {
            length -= 1;
        }
        let module = path[..length].to_vec();
        let passed_on = path
            .get(length)
            .and_then(|name| aliases.get(&module)?.get(name));
        match passed_on {
            Some(further) if *further != path => {
                let mut further = further.clone();
                further.extend_from_slice(&path[length + 1..]);
                path = further;
            }
            _ => return module,
        }
    }
    path
}

#[test]
fn every_room_is_on_the_map() {
    let floors: Vec<String> = floors().into_iter().flatten().collect();
    let (modules, _) = arrows();
    let rooms = modules.iter().filter(|module| module.len() == 2);
    let mut faults: Vec<String> = rooms
        .filter(|module| !floors.contains(&module[1]))
        .map(|module| format!("{CRATE}:1: `{}` is not in the table of rooms", module[1]))
        .collect();
    for room in &floors {
        if room != "main" && !modules.contains(&["crate".to_owned(), room.clone()][..]) {
            faults.push(format!(
                "{CRATE}:1: `{room}` is in the table of rooms, and there is no such module"
            ));
        }
    }
    nothing_wrong(
        &faults,
        "the table in src/lib.rs has every room. Write it in, on its floor.",
    );
}

#[test]
fn arrows_between_rooms_go_down() {
    let floors = floors();
    let floor = |room: &str| {
        floors
            .iter()
            .position(|floor| floor.iter().any(|name| name == room))
    };
    let (_, arrows) = arrows();
    let mut faults = Vec::new();
    for arrow in &arrows {
        let (Some(from), Some(to)) = (arrow.from.get(1), arrow.to.get(1)) else {
            continue;
        };
        if from != to && floor(from) >= floor(to) {
            faults.push(format!(
                "{}: `{from}` leans on `{to}`, which is not below it",
                arrow.place
            ));
        }
    }
    assert!(
        arrows.len() > 1000,
        "{} arrows: they are not found any more",
        arrows.len()
    );
    nothing_wrong(
        &faults,
        "a room leans only on rooms below it in the table of src/lib.rs. Move what both need down, or hand it in from above.",
    );
}

/// The arrows between the children of a module, by its children.
fn inside<'a>(parent: &[String], arrows: &'a [Arrow]) -> BTreeMap<(&'a str, &'a str), &'a Arrow> {
    let depth = parent.len();
    let mut found = BTreeMap::new();
    for arrow in arrows {
        if arrow.from.starts_with(parent)
            && arrow.to.starts_with(parent)
            && let (Some(from), Some(to)) = (arrow.from.get(depth), arrow.to.get(depth))
            && from != to
        {
            found.entry((from.as_str(), to.as_str())).or_insert(arrow);
        }
    }
    found
}

/// Where one gets from a start along arrows.
fn reached<'a>(start: &'a str, arrows: &BTreeMap<(&'a str, &'a str), &Arrow>) -> BTreeSet<&'a str> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
    while let Some(at) = open.pop() {
        for (_, to) in arrows.keys().filter(|(from, _)| *from == at) {
            if seen.insert(*to) {
                open.push(to);
            }
        }
    }
    seen
}

#[test]
fn modules_of_a_room_lean_on_each_other_in_no_circle() {
    let (modules, arrows) = arrows();
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for parent in modules.iter().filter(|module| module.len() > 1) {
        let arrows = inside(parent, &arrows);
        let children: BTreeSet<&str> = arrows.keys().map(|(from, _)| *from).collect();
        let leads: BTreeMap<&str, BTreeSet<&str>> = children
            .iter()
            .map(|child| (*child, reached(child, &arrows)))
            .collect();
        for child in children {
            // All that lead to each other are one circle, told once.
            let circle: Vec<&str> = (leads[child].iter().copied())
                .filter(|other| leads.get(other).is_some_and(|back| back.contains(child)))
                .collect();
            if circle.first() != Some(&child) {
                continue;
            }
            let between = arrows
                .iter()
                .filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
            let shown = between
                .map(|((from, to), arrow)| format!("{}: {from} -> {to}", arrow.place))
                .collect();
            let room = parent[1..].join("::");
            found.insert(
                format!("{room} {}", circle.join(" ")),
                Found {
                    measure: circle.len(),
                    shown,
                },
            );
        }
    }
    nothing_wrong(
        &Allowed::read("circles.txt").faults(&found),
        "modules that lean on each other in a circle are one module, or hide a third that both need. Turn an arrow: move \
         what both need into a module below them. (A smaller circle than a listed one: shorten its line in \
         tests/tidy/allowed/circles.txt.)",
    );
}
