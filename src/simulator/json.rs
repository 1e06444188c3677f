//! Writes compact JSON straight into one text.
//!
//! A timeline has half a million characters; a tree of values would cost ten times the work of the
//! text itself, and it is the text that is needed. Commas take care of themselves.

use std::fmt::Write as _;

#[derive(Debug, Default)]
pub struct Json {
    out: String,
}

impl Json {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn into_text(self) -> String {
        self.out
    }

    pub fn bytes(&self) -> usize {
        self.out.len()
    }

    /// A comma unless this is the first thing in its container or the value of a key. A closed text
    /// ends with a quote, so the last byte tells.
    fn separate(&mut self) {
        if !matches!(
            self.out.as_bytes().last(),
            None | Some(b'{' | b'[' | b':' | b',')
        ) {
            self.out.push(',');
        }
    }

    pub fn open(&mut self) -> &mut Self {
        self.separate();
        self.out.push('{');
        self
    }

    pub fn close(&mut self) -> &mut Self {
        self.out.push('}');
        self
    }

    pub fn open_list(&mut self) -> &mut Self {
        self.separate();
        self.out.push('[');
        self
    }

    pub fn close_list(&mut self) -> &mut Self {
        self.out.push(']');
        self
    }

    pub fn key(&mut self, key: &str) -> &mut Self {
        self.separate();
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
        self
    }

    pub fn value(&mut self, value: impl Into<i64>) -> &mut Self {
        self.separate();
        let mut digits = [0_u8; 20];
        let value = value.into();
        let mut left = value.unsigned_abs();
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(left % 10).unwrap_or(0);
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if value < 0 {
            self.out.push('-');
        }
        self.out
            .extend(digits[at..].iter().map(|digit| char::from(*digit)));
        self
    }

    pub fn text_value(&mut self, text: &str) -> &mut Self {
        self.separate();
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                c if c < ' ' => {
                    let _ = write!(self.out, "\\u{:04x}", u32::from(c));
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
        self
    }

    /// Text that is JSON already: one value, or several with their commas between them.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.separate();
        self.out.push_str(json);
        self
    }

    pub fn int(&mut self, key: &str, value: impl Into<i64>) -> &mut Self {
        self.key(key).value(value)
    }

    /// A float as the shortest text that reads back as the same number; `2.0` is written `2`, which
    /// the API does too: the same field is an integer in one game and a float in the next.
    pub fn float(&mut self, key: &str, value: f64) -> &mut Self {
        self.key(key);
        let _ = write!(self.out, "{value}");
        self
    }

    pub fn flag(&mut self, key: &str, value: bool) -> &mut Self {
        self.key(key)
            .raw_after_key(if value { "true" } else { "false" })
    }

    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key).text_value(value)
    }

    fn raw_after_key(&mut self, json: &str) -> &mut Self {
        self.out.push_str(json);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut json = Json::new();
        json.open()
            .int("a", -12)
            .flag("b", true)
            .text("c", "q\"\\\n한")
            .float("d", 0.5);
        json.key("e")
            .open_list()
            .value(0)
            .value(1)
            .open()
            .close()
            .close_list();
        json.key("f").open().close().close();
        let expected = serde_json::json!({"a": -12, "b": true, "c": "q\"\\\n한", "d": 0.5, "e": [0, 1, {}], "f": {}});
        let text = json.into_text();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            expected,
            "{text}"
        );
        assert!(!text.contains(' '), "{text}");
    }
}
