use super::*;

fn soft<'de, T: Lenient<'de>>(text: &'de str) -> (Option<T>, bool) {
    let soft: Soft<T> = read(text.as_bytes()).unwrap();
    (soft.value, soft.odd)
}

#[test]
fn a_whole_number_is_read_from_whatever_says_one() {
    for (text, value, odd) in [
        ("7", Some(7), false),
        ("-7", Some(-7), false),
        ("-0", Some(0), false),
        ("7.0", Some(7), false),
        ("7e1", Some(70), false),
        ("12.5", Some(13), true),
        ("-12.4", Some(-12), true),
        ("\"7\"", Some(7), true),
        ("\" 7.6 \"", Some(8), true),
        ("null", None, false),
        ("true", None, true),
        ("\"\"", None, true),
        ("\"seven\"", None, true),
        ("\"inf\"", None, true),
        ("\"NaN\"", None, true),
        ("2147483648", None, true),
        ("-2147483649", None, true),
        ("18446744073709551615", None, true),
        ("9e99", None, true),
        ("[7]", None, true),
        ("{\"7\":7}", None, true),
    ] {
        assert_eq!(soft::<i32>(text), (value, odd), "{text}");
    }
    let largest = (Some(i64::MAX), false);
    assert_eq!(soft::<i64>("9223372036854775807"), largest);
    assert_eq!(soft::<i64>("9223372036854775808"), (None, true));
}

#[test]
fn a_flag_and_a_text_are_read_from_what_says_one() {
    for (text, value, odd) in [
        ("true", Some(true), false),
        ("\"True\"", Some(true), true),
        ("0", Some(false), true),
        ("1.0", Some(true), true),
        ("2", None, true),
        ("null", None, false),
        ("[]", None, true),
    ] {
        assert_eq!(soft::<bool>(text), (value, odd), "{text}");
    }
    assert_eq!(soft::<String>("\"a\""), (Some("a".to_owned()), false));
    assert_eq!(soft::<String>("5"), (None, true));
    assert_eq!(soft::<String>("null"), (None, false));
    let long = format!("\"{}\"", "x".repeat(TEXT_BYTES_MAX + 1));
    assert_eq!(soft::<String>(&long), (None, true));
}

lenient_object! { Thing { size: i32 = "size", things: List<i32> = "things" } }

#[test]
fn an_object_survives_names_twice_unknown_names_and_a_deep_nest() {
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    let text = format!(
        "{{\"size\":1,\"new\":{deep},\"size\":\"2\",\"things\":[1,null,{{}},\"4\",{deep}]}}"
    );
    let thing = soft::<Thing>(&text).0.unwrap();
    assert_eq!(thing.size, Some(2));
    let things = thing.things.unwrap();
    assert_eq!(things.entries, [Some(1), None, None, Some(4), None]);
    assert_eq!(thing.odd.names(), ["size", "things"]);
}

lenient_object! { Guessed { size: i32 = "size", weight: i32 = "weight", .. others: Nothing } }

#[test]
fn names_are_what_they_are_in_whichever_order_they_come() {
    let many = |from: usize| {
        let names = (from..from + 2 * GUESSES_MAX).map(|n| format!("\"n{n}\":{n},"));
        names.collect::<String>()
    };
    let long = format!("\"{}\":7,", "x".repeat(GUESSES_MAX + 1));
    for between in [
        "",
        "\"new\":[1],",
        &long,
        &many(0),
        "",
        &many(3_000),
        "\"new\":2,",
    ] {
        for (text, size, weight) in [
            (
                format!("{{\"size\":1,{between}\"weight\":2}}"),
                Some(1),
                Some(2),
            ),
            (
                format!("{{{between}\"weight\":3,\"size\":4}}"),
                Some(4),
                Some(3),
            ),
            (
                format!("{{\"weight\":5,{between}\"weight\":6}}"),
                None,
                Some(6),
            ),
            ("{}".to_owned(), None, None),
        ] {
            let read = soft::<Guessed>(&text).0.unwrap();
            assert_eq!((read.size, read.weight), (size, weight));
        }
    }
}

#[test]
fn of_a_list_that_is_too_long_the_beginning_is_kept_and_all_of_it_counted() {
    let text = format!("[{}]", vec!["1"; LIST_MAX + 7].join(","));
    let (list, odd) = soft::<List<i32>>(&text);
    let list = list.unwrap();
    assert_eq!((list.entries.len(), list.total, odd), (5_000, 5_007, true));
    let entries: Vec<String> = (0..LIST_MAX + 7).map(|n| format!("\"{n}\":1")).collect();
    let (named, _) = soft::<Named<i32>>(&format!("{{{}}}", entries.join(",")));
    assert_eq!(named.unwrap().0.len(), 5_000);
    // Many lists of a document share the room for its entries.
    let room = ENTRIES_BYTES_MAX / size_of::<Option<i64>>();
    let lists = vec![format!("[{}]", vec!["1"; 4_000].join(",")); room / 4_000 + 2];
    let (lists, _) = soft::<List<List<i64>>>(&format!("[{}]", lists.join(",")));
    let lists = lists.unwrap();
    let kept = lists.entries.iter().flatten();
    let kept: usize = kept.map(|list| list.entries.len()).sum();
    assert!(kept <= room && kept > room - 5_000, "{kept} of {room}");
}

#[test]
fn what_rust_cannot_hold_becomes_what_it_can() {
    let text = br#"{"a":"\ud83d\ude00 \ud83d \ude00 \\ud83d \"","n":[1e400,-1e400,12,1e-400]}"#;
    let expected = br#"{"a":"\ud83d\ude00 \ufffd \ufffd \\ud83d \"","n":[null,null,12,1e-400]}"#;
    let made = made_readable(text).unwrap();
    assert_eq!(
        std::str::from_utf8(&made).unwrap(),
        std::str::from_utf8(expected).unwrap()
    );
    assert_eq!(made_readable(expected), None);
    let bytes = made_readable(b"{\"a\":\"\xff\"}").unwrap();
    assert_eq!(bytes, "{\"a\":\"\u{fffd}\"}".as_bytes());
    // Text that is no JSON is not read beyond its end, and stays what it is.
    for broken in ["\"\\", "\"\\u12", "\"\\ud83d\\u", "-", "1e", "\"a"] {
        let made = made_readable(broken.as_bytes()).unwrap_or(broken.into());
        assert!(read::<String>(&made).is_err(), "{broken}");
    }
}
