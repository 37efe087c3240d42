//! Requests that are built once and changed in place, so that no two are alike and sending one costs next to nothing.

use anyhow::{Result, ensure};

use crate::http;

/// The text of a request with numbers in it that grow from one sending to the next. The numbers keep their width,
/// since JSON knows no leading zeros and the length of the body stands in its head.
#[derive(Clone)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    numbers: Vec<Number>,
    sent: bool,
}

#[derive(Clone, Copy)]
struct Number {
    at: usize,
    width: usize,
    stride: u64,
}

impl Template {
    pub(crate) fn new() -> Template {
        Template { bytes: Vec::new(), numbers: Vec::new(), sent: false }
    }

    pub(crate) fn text(mut self, text: &str) -> Template {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// Bytes that are no text.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Template {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A number that starts at `first` and grows by `stride`.
    pub(crate) fn number(mut self, first: u64, stride: u64) -> Template {
        let digits = first.to_string();
        self.numbers.push(Number { at: self.bytes.len(), width: digits.len(), stride });
        self.text(&digits)
    }

    /// What is sent to `target`, when this is the body.
    pub(crate) fn post(self, target: &str) -> Template {
        self.post_as(target, "application/json")
    }

    /// As [`Template::post`], for another content type, after which more lines of the head may stand.
    pub(crate) fn post_as(self, target: &str, content_type: &str) -> Template {
        let mut bytes = http::head("POST", target, content_type, self.bytes.len() as u64);
        let shift = bytes.len();
        bytes.extend_from_slice(&self.bytes);
        let numbers = self.numbers.into_iter().map(|number| Number { at: number.at + shift, ..number }).collect();
        Template { bytes, numbers, sent: false }
    }

    /// The next request: the numbers as they were given the first time, then grown by their strides.
    pub(crate) fn next(&mut self) -> Result<&[u8]> {
        if self.sent {
            for number in &self.numbers {
                let grown = add(&mut self.bytes[number.at..number.at + number.width], number.stride);
                ensure!(grown, "a number of the request has outgrown its {} digits", number.width);
            }
        }
        self.sent = true;
        Ok(&self.bytes)
    }
}

/// Adds to decimal digits in place. Gives false when the sum needs more digits.
fn add(digits: &mut [u8], mut carry: u64) -> bool {
    for digit in digits.iter_mut().rev() {
        if carry == 0 {
            return true;
        }
        let sum = u64::from(*digit - b'0') + carry % 10;
        *digit = b'0' + (sum % 10) as u8;
        carry = carry / 10 + sum / 10;
    }
    carry == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_in_place_and_keep_their_width() {
        let mut template =
            Template::new().text(r#"{"step": "#).number(100, 7).text(r#", "time": "#).number(995, 2).text("}");
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(String::from_utf8(template.next().unwrap().to_vec()).unwrap());
        }
        let expected =
            [r#"{"step": 100, "time": 995}"#, r#"{"step": 107, "time": 997}"#, r#"{"step": 114, "time": 999}"#];
        assert_eq!(seen, expected);
        assert!(template.next().is_err(), "999 + 2 needs a fourth digit");
    }

    #[test]
    fn digits_add_like_numbers() {
        for first in (0..1_000_000u64).step_by(997) {
            for stride in [0, 1, 9, 10, 99, 100, 12_345, 999_999] {
                let mut digits = format!("{first:06}").into_bytes();
                let sum = first + stride;
                assert_eq!(add(&mut digits, stride), sum < 1_000_000);
                assert_eq!(String::from_utf8(digits).unwrap(), format!("{:06}", sum % 1_000_000));
            }
        }
    }

    #[test]
    fn the_head_says_the_length_of_the_body() {
        let mut template = Template::new().text("{\"x\": ").number(10, 1).text("}").post("/there");
        template.next().unwrap();
        let request = String::from_utf8(template.next().unwrap().to_vec()).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "{\"x\": 11}");
        assert!(head.starts_with("POST /there HTTP/1.1\r\n"));
        assert!(head.contains("Content-Length: 9"));
    }
}
