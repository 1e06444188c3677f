//! Values read as far as they can be, for documents whose fields change their form without notice.
//!
//! `null` is absent. A fraction is rounded, a number as text is read, and what is of another kind or does not fit is
//! absent too, and told as odd. Of a name that stands twice the last counts. Only text that is no JSON is an error.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// No text of a column is longer; what is, is none.
const TEXT_BYTES_MAX: usize = 1_000;
/// Entries of one list that are kept; beyond, they are counted only. A frame of a timeline has some 60 events, a long
/// game 200 frames.
const LIST_MAX: usize = 5_000;
/// Memory for all entries of a document's lists, which are larger here than in the text. That of the longest games
/// takes a third of it.
const ENTRIES_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What is put right is copied; no real document is half as large.
const PUT_RIGHT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// No real document is larger.
const CHECKED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Odd fields of a document that are told apart.
const ODD_MAX: usize = 64;

thread_local! {
    /// What is left of [`ENTRIES_BYTES_MAX`] for the document that this thread reads.
    static ROOM: Cell<usize> = const { Cell::new(0) };
}

/// Takes room for something that a document makes us keep. False: there is none.
pub(super) fn takes_room(bytes: usize) -> bool {
    let left = ROOM.get().checked_sub(bytes);
    ROOM.set(left.unwrap_or(0));
    left.is_some()
}

/// What came of a value.
#[derive(Debug)]
pub(super) struct Soft<T> {
    pub(super) value: Option<T>,
    /// It is not of the form it should have, whether it could be read or not.
    pub(super) odd: bool,
}

impl<T> Soft<T> {
    pub(super) fn good(value: T) -> Self {
        Self {
            value: Some(value),
            odd: false,
        }
    }

    pub(super) fn odd(value: Option<T>) -> Self {
        Self { value, odd: true }
    }

    fn absent() -> Self {
        Self {
            value: None,
            odd: false,
        }
    }
}

/// The names of the fields of a document that are odd, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Odd(Vec<&'static str>);

impl Odd {
    pub(super) fn note(&mut self, name: &'static str) {
        if self.0.len() < ODD_MAX && !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// Notes a field of an object that is one of many.
    pub(super) fn note_read(&mut self, name: &'static str) {
        // It begins with room for four, and has twice as much when that is not enough.
        if !self.0.is_empty() || takes_room(size_of::<[&str; 4]>()) {
            self.note(name);
        }
    }

    pub fn note_all(&mut self, others: &Self) {
        for name in &others.0 {
            self.note(name);
        }
    }

    pub fn names(&self) -> &[&'static str] {
        &self.0
    }
}

/// Something that can be read from JSON of any kind. What a type does not say it can be read from is odd.
pub(super) trait Lenient<'de>: Sized {
    fn from_bool(_: bool) -> Soft<Self> {
        Soft::odd(None)
    }

    fn from_integer(_: i64) -> Soft<Self> {
        Soft::odd(None)
    }

    fn from_text(_: &str) -> Soft<Self> {
        Soft::odd(None)
    }

    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Soft<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Soft::odd(None))
    }

    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Soft<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Soft::odd(None))
    }
}

struct AnyValue<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for AnyValue<T> {
    type Value = Soft<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Soft<T>, E> {
        Ok(T::from_bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Soft<T>, E> {
        Ok(T::from_integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Soft<T>, E> {
        Ok(i64::try_from(value).map_or(Soft::odd(None), T::from_integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Soft<T>, E> {
        Ok(rounded(value).map_or(Soft::odd(None), |(whole, exact)| {
            let mut read = T::from_integer(whole);
            read.odd |= !exact;
            read
        }))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Soft<T>, E> {
        Ok(T::from_text(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Soft<T>, E> {
        Ok(Soft::absent())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Soft<T>, A::Error> {
        T::from_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Soft<T>, A::Error> {
        T::from_object(object)
    }
}

impl<'de, T: Lenient<'de>> Deserialize<'de> for Soft<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue(PhantomData))
    }
}

/// The whole number that is nearest, and whether it is the same. None: 64 bits do not hold it.
fn rounded(value: f64) -> Option<(i64, bool)> {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    let whole = value.round();
    #[allow(
        clippy::cast_possible_truncation,
        reason = "it fits, as was just asked"
    )]
    let number = || whole as i64;
    ((-BOUND..BOUND).contains(&whole)).then(|| (number(), (whole - value).abs() < f64::EPSILON))
}

/// A number that somebody wrote as a text.
fn number_in(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() || text.len() > 40 {
        return None;
    }
    text.parse().ok().or_else(|| {
        let digits = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let value: f64 = text.parse().ok().filter(|_| digits)?;
        rounded(value).map(|(whole, _)| whole)
    })
}

macro_rules! whole_number {
    ($type:ty) => {
        impl Lenient<'_> for $type {
            fn from_integer(value: i64) -> Soft<Self> {
                Self::try_from(value).map_or(Soft::odd(None), Soft::good)
            }

            fn from_text(text: &str) -> Soft<Self> {
                Soft::odd(number_in(text).and_then(|value| Self::try_from(value).ok()))
            }
        }
    };
}

whole_number!(i16);
whole_number!(i32);
whole_number!(i64);

impl Lenient<'_> for bool {
    fn from_bool(value: bool) -> Soft<Self> {
        Soft::good(value)
    }

    fn from_integer(value: i64) -> Soft<Self> {
        Soft::odd(match value {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        })
    }

    fn from_text(text: &str) -> Soft<Self> {
        Soft::odd(text.trim().to_ascii_lowercase().parse().ok())
    }
}

impl Lenient<'_> for String {
    fn from_text(text: &str) -> Soft<Self> {
        if text.len() > TEXT_BYTES_MAX {
            Soft::odd(None)
        } else if text.contains(char::is_control) {
            // It would control the terminal that it is shown on.
            Soft::odd(Some(text.replace(char::is_control, "")))
        } else {
            Soft::good(text.to_owned())
        }
    }
}

/// The entries of a list in their places; none where an entry cannot be read.
#[derive(Debug)]
pub(super) struct List<T> {
    pub(super) entries: Vec<Option<T>>,
    /// All of them, also those that were too many to keep.
    pub(super) total: usize,
}

impl<'de, T: Lenient<'de>> Lenient<'de> for List<T> {
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Soft<Self>, A::Error> {
        let mut entries = Vec::new();
        let mut odd = false;
        while entries.len() < LIST_MAX
            && takes_room(size_of::<Option<T>>())
            && let Some(read) = list.next_element::<Soft<T>>()?
        {
            odd |= read.odd || read.value.is_none();
            entries.push(read.value);
        }
        let mut total = entries.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            total += 1;
            odd = true;
        }
        let value = Some(Self { entries, total });
        Ok(Soft { value, odd })
    }
}

/// How many entries a list has; what they are is not looked at.
#[derive(Debug)]
pub(super) struct Count(pub(super) usize);

impl<'de> Lenient<'de> for Count {
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Soft<Self>, A::Error> {
        let mut count = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Soft::good(Self(count)))
    }
}

/// An object whose names are no fields; those whose value cannot be read are left out.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) Vec<(String, T)>);

impl<'de, T: Lenient<'de>> Lenient<'de> for Named<T> {
    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Soft<Self>, A::Error> {
        let mut entries: Vec<(String, T)> = Vec::new();
        let mut odd = false;
        while let Some(name) = object.next_key::<String>()? {
            let read: Soft<T> = object.next_value()?;
            odd |= read.odd || read.value.is_none();
            if let Some(value) = read.value
                && entries.len() < LIST_MAX
                && takes_room(size_of::<(String, T)>() + name.len())
            {
                entries.push((name, value));
            }
        }
        let value = Some(Self(entries));
        Ok(Soft { value, odd })
    }
}

/// What takes names of an object that are not its fields.
pub(super) trait Others {
    /// Where the value of a name goes.
    type Place: Copy;
    /// None: it does not want that name.
    fn place(name: &str) -> Option<Self::Place>;
    /// Reads the value.
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        place: Self::Place,
        object: &mut A,
        odd: &mut Odd,
    ) -> Result<(), A::Error>;
}

/// Takes no name: for objects of which a document has many, so that their names are guessed.
#[derive(Debug, Default)]
pub(super) struct Nothing;

impl Others for Nothing {
    type Place = std::convert::Infallible;

    fn place(_: &str) -> Option<Self::Place> {
        None
    }

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        place: Self::Place,
        _: &mut A,
        _: &mut Odd,
    ) -> Result<(), A::Error> {
        match place {}
    }
}

/// Names that are guessed at most; the participants of a real document have some 160.
const GUESSES_MAX: usize = 512;
/// So many names may be left out before the next that is guessed.
const LEFT_OUT_MAX: usize = 8;

/// What the names of an object mean, in the order in which the objects before had them: that is the order of the next,
/// and to compare a name with one other is quicker than to look for it among all.
pub(super) struct Guesses<K>(Vec<(Box<str>, K)>);

impl<K: Copy> Guesses<K> {
    pub(super) const NONE: Self = Self(Vec::new());

    /// What the next name means; `at`: where it is guessed.
    pub(super) fn of(&mut self, name: &str, at: &mut usize, look_up: impl FnOnce() -> K) -> K {
        let next = self.0.iter().skip(*at).take(LEFT_OUT_MAX);
        if let Some((left_out, (_, key))) =
            next.enumerate().find(|(_, (known, _))| **known == *name)
        {
            *at += left_out + 1;
            return *key;
        }
        let key = look_up();
        if name.len() > GUESSES_MAX || self.0.len() == GUESSES_MAX {
            self.0.clear();
        }
        *at = (*at).min(self.0.len());
        self.0.insert(*at, (name.into(), key));
        *at += 1;
        key
    }
}

/// Reads a name as the next that is guessed.
pub(super) struct Guessed<'g, K> {
    pub(super) guesses: &'g mut Guesses<K>,
    pub(super) at: &'g mut usize,
    pub(super) look_up: fn(&str) -> K,
}

impl<'de, K: Copy> DeserializeSeed<'de> for Guessed<'_, K> {
    type Value = K;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<K, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl<K: Copy> Visitor<'_> for Guessed<'_, K> {
    type Value = K;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<K, E> {
        let look_up = self.look_up;
        Ok(self.guesses.of(name, self.at, || look_up(name)))
    }
}

/// Declares an object by its fields, each with its name in the document. All are optional; names that are not
/// declared are passed over, or taken by what stands behind a `..`.
macro_rules! lenient_object {
    (@keep $place:ident, $guesses:ident, $others:ident) => { $place.set($guesses) };
    (@next $object:ident, $guesses:ident, $at:ident) => { $object.next_key::<Key>()? };
    (@next $object:ident, $guesses:ident, $at:ident $others:ident) => {
        $object.next_key_seed($crate::riot::lenient::Guessed {
            guesses: &mut $guesses,
            at: &mut $at,
            look_up: Key::of,
        })?
    };
    ($(#[$meta:meta])* $vis:vis $name:ident {
        $($field:ident: $type:ty = $key:literal),* $(,)? $(.. $others:ident: $taker:ty)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        #[allow(clippy::struct_field_names, reason = "fields are named as in the document")]
        $vis struct $name {
            $($vis $field: Option<$type>,)*
            $($vis $others: $taker,)?
            $vis odd: $crate::riot::lenient::Odd,
        }

        impl<'de> $crate::riot::lenient::Lenient<'de> for $name {
            fn from_object<A: serde::de::MapAccess<'de>>(
                mut object: A,
            ) -> Result<$crate::riot::lenient::Soft<Self>, A::Error> {
                #[derive(Clone, Copy)]
                #[allow(non_camel_case_types, reason = "named as the fields are")]
                enum Key {
                    $($field,)*
                    other_ $((Option<<$taker as $crate::riot::lenient::Others>::Place>))?
                }

                impl Key {
                    fn of(name: &str) -> Self {
                        match name {
                            $($key => Self::$field,)*
                            #[allow(unused_variables, reason = "few ask for it")]
                            name => Self::other_ $((<$taker as $crate::riot::lenient::Others>::place(name)))?,
                        }
                    }
                }

                impl<'de> serde::Deserialize<'de> for Key {
                    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                        struct Keys;
                        impl serde::de::Visitor<'_> for Keys {
                            type Value = Key;
                            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                                f.write_str("a name")
                            }
                            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Key, E> {
                                Ok(Key::of(name))
                            }
                        }
                        from.deserialize_identifier(Keys)
                    }
                }

                $(
                    thread_local! {
                        #[doc = stringify!($others)]
                        static GUESSES: std::cell::Cell<$crate::riot::lenient::Guesses<Key>> =
                            const { std::cell::Cell::new($crate::riot::lenient::Guesses::NONE) };
                    }
                    let mut guesses = GUESSES.replace($crate::riot::lenient::Guesses::NONE);
                    let mut at = 0;
                )?
                let mut this = Self::default();
                while let Some(key) = $crate::riot::lenient::lenient_object!(@next object, guesses, at $($others)?) {
                    match key {
                        $(Key::$field => {
                            let read: $crate::riot::lenient::Soft<$type> = object.next_value()?;
                            if read.odd {
                                this.odd.note_read($key);
                            }
                            this.$field = read.value;
                        })*
                        $(Key::other_(Some($others)) => {
                            let (taker, odd) = (&mut this.$others, &mut this.odd);
                            <$taker as $crate::riot::lenient::Others>::read(taker, $others, &mut object, odd)?;
                        })?
                        Key::other_ { .. } => {
                            object.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                $($crate::riot::lenient::lenient_object!(@keep GUESSES, guesses, $others);)?
                Ok($crate::riot::lenient::Soft::good(this))
            }
        }
    };
}

pub(super) use lenient_object;

/// Reads a document. The error says what is no JSON about it.
pub(super) fn read<'de, T: Lenient<'de>>(text: &'de [u8]) -> Result<Soft<T>, serde_json::Error> {
    // It costs less to check a document at once than string by string.
    let is_small = text.len() < CHECKED_BYTES_MAX;
    match is_small.then(|| std::str::from_utf8(text)) {
        Some(Ok(text)) => {
            ROOM.set(ENTRIES_BYTES_MAX);
            serde_json::from_str(text)
        }
        _ => read_few(text),
    }
}

/// The same of a document of which few strings are read: those that are passed over are not checked.
pub(super) fn read_few<'de, T: Lenient<'de>>(
    text: &'de [u8],
) -> Result<Soft<T>, serde_json::Error> {
    ROOM.set(ENTRIES_BYTES_MAX);
    serde_json::from_slice(text)
}

/// The same document without what JSON allows and Rust cannot hold: halves of characters, bytes that are no UTF-8, and
/// numbers beyond all bounds, which become `null`. None: it has none of them, or is far too large.
pub(super) fn made_readable(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > PUT_RIGHT_BYTES_MAX {
        return None;
    }
    let utf8 = String::from_utf8_lossy(text);
    let mut changed = matches!(utf8, std::borrow::Cow::Owned(_));
    let text = utf8.as_bytes();
    let mut out = Vec::with_capacity(text.len());
    let (mut at, mut in_text) = (0, false);
    while at < text.len() {
        let rest = &text[at..];
        let taken = match (in_text, rest[0]) {
            (true, b'\\') => {
                let (taken, whole) = escape(rest);
                changed |= !whole;
                out.extend_from_slice(if whole { &rest[..taken] } else { b"\\ufffd" });
                taken
            }
            (false, b'-' | b'0'..=b'9') => {
                let is_part = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
                let taken = rest.iter().take_while(|b| is_part(b)).count();
                let number = std::str::from_utf8(&rest[..taken]).ok();
                let value: Option<f64> = number.and_then(|number| number.parse().ok());
                let holds = value.is_none_or(f64::is_finite);
                changed |= !holds;
                out.extend_from_slice(if holds { &rest[..taken] } else { b"null" });
                taken
            }
            (_, byte) => {
                in_text ^= byte == b'"';
                out.push(byte);
                1
            }
        };
        at += taken;
    }
    changed.then_some(out)
}

/// How long an escape is, and whether it is a whole character.
fn escape(text: &[u8]) -> (usize, bool) {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6).filter(|it| it.starts_with(b"\\u"))?;
        let digits = std::str::from_utf8(&digits[2..]).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    match (unit(0), unit(6)) {
        (None, _) => (text.len().min(2), true),
        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, true),
        (Some(0xd800..=0xdfff), _) => (6, false),
        _ => (6, true),
    }
}

#[cfg(test)]
mod tests;
