//! How names and numbers are written for people.

/// Characters of a name that are shown at most.
const SHOWN_MAX: usize = 40;
/// Marks on one letter: more are a joke.
const MARKS_MAX: usize = 2;

/// A name as it can stand in a text: without what is not seen, turns the text round it or grows out of its line.
pub fn shown(name: &str) -> String {
    let mut kept = String::new();
    let (mut letters, mut marks) = (0, 0);
    for letter in name.chars() {
        if letter.is_control() || is_hidden(letter) {
            continue;
        }
        if is_mark(letter) {
            marks += 1;
            if marks > MARKS_MAX {
                continue;
            }
        } else {
            marks = 0;
        }
        letters += 1;
        if letters > SHOWN_MAX {
            kept.push('…');
            break;
        }
        kept.push(letter);
    }
    kept
}

/// A name as a part of the name of a file, which is a good one everywhere.
pub fn file_name(riot_id: &str, year: i16) -> String {
    let letter = |letter: char| match letter {
        '#' => '-',
        _ if letter.is_alphanumeric() && !is_mark(letter) => letter,
        _ => '_',
    };
    let name: String = shown(riot_id).chars().map(letter).collect();
    let name = name.trim_matches(['_', '-']);
    if name.is_empty() {
        format!("player-{year}.html")
    } else {
        format!("{name}-{year}.html")
    }
}

/// Has no width, or sets the direction of what follows.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// One or two letters for a name without a picture.
pub(crate) fn initials(name: &str) -> String {
    let mut letters = name.chars().filter(|letter| letter.is_alphanumeric());
    let Some(first) = letters.next() else {
        return "?".to_owned();
    };
    let second = letters.clone().find(|letter| letter.is_uppercase());
    let mut text: String = first.to_uppercase().collect();
    text.extend(second.or_else(|| letters.next()));
    text
}

/// `1234567` is `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 game`, `1,234 games`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

/// With its sign: a lead.
pub(crate) fn signed(number: i64) -> String {
    let sign = match number.signum() {
        1 => "+",
        -1 => "−",
        _ => "",
    };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

pub(crate) fn percent(value: f64) -> String {
    format!("{value:.1} %")
}

/// As a clock has it: 41:07.
pub(crate) fn clock(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// `2025-03-09` is `9 Mar`; of another year it is left as it is.
pub(crate) fn day(date: &str, year: i16) -> String {
    match date.parse::<jiff::civil::Date>() {
        Ok(date) if date.year() == year => date.strftime("%-d %b").to_string(),
        _ => date.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_without_what_would_disturb_the_text_round_it() {
        assert_eq!(shown("Faker#KR1"), "Faker#KR1");
        assert_eq!(shown("a\u{202e}b\u{200b}c\n\0d"), "abcd");
        let marked = format!("e{}", "\u{301}".repeat(1_000));
        assert_eq!(shown(&marked), "e\u{301}\u{301}");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), SHOWN_MAX + 1);
    }

    #[test]
    fn a_files_name_has_letters_and_digits_alone() {
        assert_eq!(
            file_name("Hide on bush#KR1", 2025),
            "Hide_on_bush-KR1-2025.html"
        );
        assert_eq!(
            file_name("../../etc/<script>\u{202e}#X", 2025),
            "etc__script_-X-2025.html"
        );
        assert_eq!(file_name("페이커#KR1", 2025), "페이커-KR1-2025.html");
        assert_eq!(file_name("#", 2025), "player-2025.html");
    }

    #[test]
    fn a_champion_has_the_letters_that_people_know_it_by() {
        let names = ["LeeSin", "Ahri", "KogMaw", "", "<b>"];
        assert_eq!(names.map(initials), ["LS", "Ah", "KM", "?", "B"]);
    }
}
