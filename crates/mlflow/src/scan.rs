//! Reading the hot messages at speed: plain JSON as clients write it, straight into the values that are wanted.
//!
//! The scanner knows no errors. Whatever it does not expect (an escape in a text, a field twice or under another
//! name, a number in quotes, wrong JSON) makes it give up with `None`; the message is then read by the general way,
//! which takes everything that MLflow takes and words what it refuses.

/// A place in a JSON text.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// Whether a byte of a text is not simply a part of it: its end, an escape, or what JSON does not allow there.
const ENDS_TEXT: [bool; 256] = {
    let mut ends = [false; 256];
    let mut byte = 0;
    while byte < b' ' as usize {
        ends[byte] = true;
        byte += 1;
    }
    ends[b'"' as usize] = true;
    ends[b'\\' as usize] = true;
    ends
};

impl<'a> Scanner<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Option<Scanner<'a>> {
        Some(Scanner { text: std::str::from_utf8(body).ok()?, at: 0 })
    }

    /// An object; `field` reads the value of each field, whose name it gets.
    pub(crate) fn object(&mut self, mut field: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.items(b'{', b'}', |scan| {
            let name = scan.text()?;
            scan.expect(b':')?;
            field(scan, name)
        })
    }

    /// A list; `item` reads each item.
    pub(crate) fn list(&mut self, item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.items(b'[', b']', item)
    }

    fn items(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(open)?;
        if self.next_byte()? == close {
            self.at += 1;
            return Some(());
        }
        loop {
            item(self)?;
            let byte = self.next_byte()?;
            self.at += 1;
            if byte == close {
                return Some(());
            }
            if byte != b',' {
                return None;
            }
        }
    }

    /// A text without escapes.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|&byte| ENDS_TEXT[usize::from(byte)])?;
        if rest[length] != b'"' {
            return None;
        }
        let text = self.text.get(self.at..self.at + length)?;
        self.at += length + 1;
        Some(text)
    }

    /// A number as a double.
    pub(crate) fn double(&mut self) -> Option<f64> {
        let (number, _) = self.number()?;
        number.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// A number without a fraction or an exponent.
    pub(crate) fn long(&mut self) -> Option<i64> {
        let (number, is_whole) = self.number()?;
        if is_whole { number.parse().ok() } else { None }
    }

    /// Only white space follows.
    pub(crate) fn end(&mut self) -> Option<()> {
        self.next_byte().is_none().then_some(())
    }

    /// The text of a number, and whether it is one of digits alone.
    fn number(&mut self) -> Option<(&'a str, bool)> {
        self.next_byte()?;
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut end = start + usize::from(bytes[start] == b'-');
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let whole = digits(end);
        if whole == 0 || (whole > 1 && bytes[end] == b'0') {
            return None;
        }
        end += whole;
        let mut is_whole = true;
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits(end + 1);
            if fraction == 0 {
                return None;
            }
            end += 1 + fraction;
            is_whole = false;
        }
        if let Some(b'e' | b'E') = bytes.get(end) {
            end += 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end.min(bytes.len()));
            if exponent == 0 {
                return None;
            }
            end += exponent;
            is_whole = false;
        }
        self.at = end;
        Some((self.text.get(start..end)?, is_whole))
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.next_byte()? != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// The first byte that is not white space; the place is moved to it.
    fn next_byte(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            let byte = *bytes.get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }
}

/// Keeps the value of a field; the second one of a name is not expected.
pub(crate) fn once<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
    if slot.is_some() {
        return None;
    }
    *slot = value;
    slot.is_some().then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn whole<'a, T>(text: &'a str, read: impl Fn(&mut Scanner<'a>) -> Option<T>) -> Option<T> {
        let mut scan = Scanner::new(text.as_bytes())?;
        let value = read(&mut scan)?;
        scan.end()?;
        Some(value)
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_serde_reads_them(text in "-?[0-9]{0,20}(\\.[0-9]{0,20})?([eE][-+]?[0-9]{0,3})?[x ]?") {
            let wanted = serde_json::from_str::<Value>(&text).ok();
            let double = whole(&text, Scanner::double);
            let expected = wanted.as_ref().and_then(Value::as_f64);
            prop_assert_eq!(double.map(f64::to_bits), expected.map(f64::to_bits), "{}", text);
            if let Some(long) = whole(&text, Scanner::long) {
                prop_assert_eq!(wanted.as_ref().and_then(crate::input::int), Some(long), "{}", text);
            }
        }

        #[test]
        fn doubles_survive_their_shortest_text(value in any::<f64>()) {
            prop_assume!(value.is_finite());
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(whole(&text, Scanner::double).map(f64::to_bits), Some(value.to_bits()));
        }

        #[test]
        fn texts_are_read_as_serde_reads_them(text in "\"?[a-zé\"\\\\\n/ ]{0,6}\"?") {
            let wanted = serde_json::from_str::<String>(&text).ok().filter(|_| !text.contains('\\'));
            prop_assert_eq!(whole(&text, Scanner::text), wanted.as_deref());
        }
    }

    #[test]
    fn lists_and_objects_must_be_whole() {
        let count = |text: &str| {
            let mut count = 0;
            let mut scan = Scanner::new(text.as_bytes())?;
            scan.list(|scan| scan.long().map(|_| count += 1))?;
            scan.end()?;
            Some(count)
        };
        assert_eq!(count("[]"), Some(0));
        assert_eq!(count(" [ 1 ,2\n] "), Some(2));
        for broken in ["[1,]", "[,1]", "[1 2]", "[1", "1]", "[1]]", "", "[", "{}", "[--1]", "[-]", "[1e]", "[1."] {
            assert_eq!(count(broken), None, "{broken}");
        }
    }
}
