//! Files of players, as editors and spreadsheets write them.
//!
//! A line is `Name#TAG`, or has the platform behind it, in two columns between commas, semicolons or tabs, quoted or not.
//! A first line of column names (`game_name,tag_line,platform`) is understood. All that is wrong is told at once, by line,
//! before anybody is synced.

use std::collections::HashSet;

use crate::model::{Foreign, IdError, Platform, RiotId};

/// Players of one file.
pub const PLAYERS_MAX: usize = 10_000;
/// Lines that are told to be wrong.
pub(super) const TOLD_MAX: usize = 20;

/// A line of a file of players.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub riot_id: RiotId,
    pub platform: Platform,
}

/// Reads a file of players. Lines that are empty or begin with `#` are passed over; `usual` is the platform of those that
/// name none.
pub fn read_players(bytes: &[u8], usual: Option<Platform>) -> Result<Vec<Listed>, String> {
    let text = decoded(bytes)?;
    let mut players: Vec<Listed> = Vec::new();
    let mut there = HashSet::new();
    let mut wrong = Vec::new();
    let mut columns = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if line.is_empty() || line.starts_with('#') || line.to_ascii_lowercase().starts_with("sep=")
        {
            continue;
        }
        let read = fields(line).and_then(|fields| {
            // Only before the first player: further down it is a line like any other.
            if players.is_empty() && wrong.is_empty() && columns.is_none() {
                columns = Columns::named_by(&fields);
                if columns.is_some() {
                    return Ok(None);
                }
            }
            let columns = columns.unwrap_or_default();
            columns.read(&fields, usual).map(Some)
        });
        match read {
            Ok(None) => {}
            Ok(Some(player)) => {
                if there.insert((player.riot_id.folded(), player.platform)) {
                    players.push(player);
                }
            }
            Err(why) => wrong.push(format!("line {number}: {why}")),
        }
    }
    if !wrong.is_empty() {
        let more = wrong.len().saturating_sub(TOLD_MAX);
        wrong.truncate(TOLD_MAX);
        if more > 0 {
            wrong.push(format!("... and {more} more lines"));
        }
        return Err(wrong.join("\n"));
    }
    if players.is_empty() {
        return Err("it names no player. Write one Name#TAG a line".to_owned());
    }
    if players.len() > PLAYERS_MAX {
        return Err(format!(
            "it names {} players; at most {PLAYERS_MAX} go in one",
            players.len()
        ));
    }
    Ok(players)
}

/// The text of a file in UTF-8, or in UTF-16 with the mark that Windows puts before it.
fn decoded(bytes: &[u8]) -> Result<String, String> {
    const REMEDY: &str = "Save it as UTF-8 (in a spreadsheet: \"CSV UTF-8\")";
    let wide = |unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes[2..].as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        let text = String::from_utf16(&units).ok();
        text.filter(|_| rest.is_empty())
            .ok_or_else(|| format!("it begins as UTF-16 and is not. {REMEDY}"))
    };
    let text = match bytes {
        [0xFF, 0xFE, ..] => wide(u16::from_le_bytes)?,
        [0xFE, 0xFF, ..] => wide(u16::from_be_bytes)?,
        _ => match std::str::from_utf8(bytes) {
            Ok(text) if text.contains('\0') => {
                return Err(format!(
                    "it is no text, or UTF-16 without its mark. {REMEDY}"
                ));
            }
            Ok(text) => text.to_owned(),
            Err(error) => {
                let before = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n');
                let line = before.count();
                return Err(format!("line {line}: its letters are not UTF-8. {REMEDY}"));
            }
        },
    };
    // Old spreadsheets end lines with a carriage return alone.
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// The columns of a line, without the empty ones at its end.
fn fields(line: &str) -> Result<Vec<String>, String> {
    // Word processors make other quotes of plain ones.
    let line = line.replace(['\u{201C}', '\u{201D}', '\u{201E}'], "\"");
    if line.matches('"').count() % 2 == 1 {
        let line = Foreign::from(line);
        return Err(format!("a quote is opened and not closed: {line}"));
    }
    let mut quoted = false;
    let delimiter = line.bytes().find(|byte| {
        quoted ^= *byte == b'"';
        !quoted && matches!(byte, b',' | b';' | b'\t')
    });
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(delimiter.unwrap_or(b','))
        .from_reader(line.as_bytes());
    let record = match reader.records().next() {
        Some(Ok(record)) => record,
        Some(Err(error)) => return Err(error.to_string()),
        None => csv::StringRecord::new(),
    };
    let mut fields: Vec<String> = record.iter().map(|field| field.trim().to_owned()).collect();
    while fields.last().is_some_and(String::is_empty) {
        fields.pop();
    }
    Ok(fields)
}

/// Which column is what.
#[derive(Debug, Clone, Copy)]
struct Columns {
    name: usize,
    /// None: the name has it.
    tag: Option<usize>,
    platform: Option<usize>,
    /// The file says itself what its columns are, and may have others.
    named: bool,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            name: 0,
            tag: None,
            platform: Some(1),
            named: false,
        }
    }
}

impl Columns {
    /// A line of column names; none: it is a player.
    fn named_by(fields: &[String]) -> Option<Self> {
        let words: Vec<String> = fields
            .iter()
            .map(|field| {
                let letters = field.chars().filter(|c| c.is_alphanumeric());
                letters.flat_map(char::to_lowercase).collect()
            })
            .collect();
        if fields.iter().any(|field| field.contains('#')) {
            return None;
        }
        let find = |known: &[&str]| words.iter().position(|word| known.contains(&word.as_str()));
        Some(Self {
            name: find(&[
                "riotid",
                "gamename",
                "name",
                "player",
                "summoner",
                "summonername",
                "nametag",
            ])?,
            tag: find(&["tagline", "tag"]),
            platform: find(&["platform", "server", "region"]),
            named: true,
        })
    }

    fn read(self, fields: &[String], usual: Option<Platform>) -> Result<Listed, String> {
        let told = |error: IdError| error.to_string();
        if !self.named && fields.len() > 2 {
            return Err(format!(
                "it has {} columns. Write Name#TAG and, behind a comma, the platform; or name the columns in the first line: game_name,tag_line,platform",
                fields.len()
            ));
        }
        let at = |column: usize| fields.get(column).map_or("", String::as_str);
        let name = at(self.name);
        let riot_id = match self.tag.map(at) {
            Some(tag) if !name.contains('#') => RiotId::new(name, tag.trim_start_matches('#')),
            _ => name.parse(),
        };
        let riot_id: RiotId = riot_id.map_err(told)?;
        let last = riot_id.tag_line().rsplit_once(' ').map(|(_, last)| last);
        if let Some(last) = last.filter(|last| last.parse::<Platform>().is_ok()) {
            return Err(format!(
                "'{last}' may be the platform of '{riot_id}'. Write a comma before it"
            ));
        }
        let platform = match self.platform.map(at).filter(|text| !text.is_empty()) {
            Some(text) => text.parse().map_err(told)?,
            None => usual.ok_or_else(|| {
                format!("no platform. Write '{riot_id}, euw1', or name one for all with --platform")
            })?,
        };
        Ok(Listed { riot_id, platform })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: impl AsRef<[u8]>, expected: &[&str]) {
        let players = read_players(text.as_ref(), Some(Platform::Kr)).unwrap();
        let told: Vec<String> = players
            .iter()
            .map(|player| format!("{} {}", player.riot_id, player.platform))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_file_names_players_with_their_platform_or_the_usual_one() {
        check(
            "\u{feff}Faker#KR1\n\n# friends\nQuiet Otter#SIM, euw1\r\nFaker#KR1\nTab Bed#NA1\tna1\n",
            &["Faker#KR1 kr", "Quiet Otter#SIM euw1", "Tab Bed#NA1 na1"],
        );
        check("faKer #KR1\nFaker#kr1", &["faKer#KR1 kr"]);
    }

    #[test]
    fn what_a_spreadsheet_writes_is_understood() {
        check("\"Probe#TST\",euw1\r\n", &["Probe#TST euw1"]);
        check("Probe#TST;euw1\nA B#C;;\n", &["Probe#TST euw1", "A B#C kr"]);
        check(
            "\"A;B#C\"\teuw\n\"A\"\"B#C\"\n",
            &["A;B#C euw1", "A\"B#C kr"],
        );
        check("\u{201c}Probe#TST\u{201d}, euw1", &["Probe#TST euw1"]);
        check("A#1,\rB#2;na1\r", &["A#1 kr", "B#2 na1"]);
        check(
            "sep=;\nPlatform;Game Name;rank;Tag Line\nna1;A B;gold;1\n;C;;#2\n",
            &["A B#1 na1", "C#2 kr"],
        );
        check("riot_id\nA#1\n", &["A#1 kr"]);
        check("\u{2066}Probe\u{2069}\u{ff03}TST,euw1", &["Probe#TST euw1"]);
    }

    #[test]
    fn a_file_of_windows_in_utf_16_is_read_too() {
        let text = "\u{feff}Probe#TST\r\n한글#KR1,euw1\r\n";
        let units = || text.encode_utf16();
        let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
        for bytes in [&little, &big] {
            check(bytes, &["Probe#TST kr", "한글#KR1 euw1"]);
        }
        let why = |bytes: &[u8]| read_players(bytes, Some(Platform::Kr)).unwrap_err();
        let cut = why(&little[..little.len() - 1]);
        let unmarked = why(&little[2..]);
        let latin = why(b"A#1\nJos\xe9#TAG\n");
        assert!(latin.starts_with("line 2: "), "{latin}");
        for why in [cut, unmarked, latin] {
            assert!(why.contains("UTF-8"), "{why}");
        }
    }

    #[test]
    fn an_odd_line_is_refused_with_its_number() {
        for (line, named) in [
            ("\"Probe#TST,euw1", "not closed"),
            ("Probe,TST,euw1", "3 columns"),
            ("Probe#TST,euw1,gold", "3 columns"),
            ("euw1,Probe#TST", "no '#'"),
            ("..#TST", "dots"),
            ("Probe#TST euw1", "a comma before it"),
            ("riot_id", "no '#'"),
        ] {
            let text = format!("Good#ONE,euw1\n{line}\n");
            let why = read_players(text.as_bytes(), Some(Platform::Kr)).unwrap_err();
            assert!(why.starts_with("line 2: ") && why.contains(named), "{why}");
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_file_is_told_at_once() {
        let why = read_players(b"Faker\nFaker#KR1\nOtter#SIM, mars\n", None).unwrap_err();
        let lines: Vec<&str> = why.lines().collect();
        assert_eq!(lines.len(), 3, "{why}");
        assert!(
            lines[0].starts_with("line 1: ") && lines[0].contains("Faker"),
            "{why}"
        );
        assert!(lines[1].contains("--platform"), "{why}");
        assert!(lines[2].contains("mars"), "{why}");
        for nobody in ["# nobody\n", "", "\u{feff}\r\n"] {
            let why = read_players(nobody.as_bytes(), None).unwrap_err();
            assert!(why.contains("Name#TAG"), "{why}");
        }
        let many = "x\n".repeat(100);
        assert_eq!(
            read_players(many.as_bytes(), None)
                .unwrap_err()
                .lines()
                .count(),
            TOLD_MAX + 1
        );
    }
}
