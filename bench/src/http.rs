//! A blocking HTTP/1.1 client that does as little as it can: one kept connection, requests that are bytes already.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;

/// Servers close connections that were idle for some seconds; one that was used just now is never opened again
/// behind the caller's back, since its request may have been carried out.
const IDLE: Duration = Duration::from_secs(1);
const BUFFER: usize = 256 * 1024;
const MOST_HEAD: usize = 64 * 1024;

/// One kept connection to a server on this machine.
pub(crate) struct Connection {
    port: u16,
    timeout: Duration,
    stream: Option<TcpStream>,
    used: Instant,
    buffer: Vec<u8>,
    filled: usize,
    taken: usize,
}

/// How the end of an answer's body is told.
enum Length {
    Known(u64),
    Chunked,
    UntilClosed,
}

impl Connection {
    pub(crate) fn new(port: u16, timeout: Duration) -> Connection {
        Connection { port, timeout, stream: None, used: Instant::now(), buffer: vec![0; BUFFER], filled: 0, taken: 0 }
    }

    /// Sends a request, given in parts, and hands the body of the answer to `sink` as it comes. Gives the status.
    pub(crate) fn stream(&mut self, request: &[&[u8]], sink: &mut dyn FnMut(&[u8])) -> Result<u16> {
        if self.used.elapsed() > IDLE {
            self.stream = None;
        }
        let result = self.talk(request, sink);
        if result.is_err() {
            self.stream = None;
        }
        self.used = Instant::now();
        result
    }

    /// Sends a request and appends the body of the answer to `body`.
    pub(crate) fn exchange(&mut self, request: &[u8], body: &mut Vec<u8>) -> Result<u16> {
        self.stream(&[request], &mut |part| body.extend_from_slice(part))
    }

    /// Sends a request whose answer must be 200, and looks no further.
    pub(crate) fn expect_ok(&mut self, request: &[u8]) -> Result<()> {
        let mut body = Vec::new();
        let status = self.exchange(request, &mut body)?;
        ensure!(status == 200, "the server answered {status}: {}", shown(&body));
        Ok(())
    }

    fn talk(&mut self, request: &[&[u8]], sink: &mut dyn FnMut(&[u8])) -> Result<u16> {
        if self.stream.is_none() {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(self.timeout))?;
            stream.set_write_timeout(Some(self.timeout))?;
            self.stream = Some(stream);
            (self.filled, self.taken) = (0, 0);
        }
        let stream = self.stream.as_mut().context("no connection")?;
        for part in request {
            stream.write_all(part)?;
        }
        let (status, length, keep) = self.head()?;
        match length {
            Length::Known(length) => self.body(length, sink)?,
            Length::Chunked => self.chunks(sink)?,
            Length::UntilClosed => self.rest(sink)?,
        }
        if !keep {
            self.stream = None;
        }
        Ok(status)
    }

    /// Reads more of the answer. Gives false at its end.
    fn fill(&mut self) -> Result<bool> {
        if self.taken == self.filled {
            (self.filled, self.taken) = (0, 0);
        } else if self.filled == self.buffer.len() {
            self.buffer.copy_within(self.taken..self.filled, 0);
            (self.filled, self.taken) = (self.filled - self.taken, 0);
        }
        ensure!(self.filled < self.buffer.len(), "a line of the answer is too long");
        let stream = self.stream.as_mut().context("no connection")?;
        loop {
            match stream.read(&mut self.buffer[self.filled..]) {
                Ok(read) => {
                    self.filled += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    bail!(TimedOut(self.timeout))
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn head(&mut self) -> Result<(u16, Length, bool)> {
        let end = loop {
            let here = &self.buffer[self.taken..self.filled];
            if let Some(end) = memmem::find(here, b"\r\n\r\n") {
                break self.taken + end;
            }
            ensure!(here.len() < MOST_HEAD, "the head of the answer does not end");
            ensure!(self.fill()?, "the server closed the connection");
        };
        let head = std::str::from_utf8(&self.buffer[self.taken..end]).context("the head of the answer is not text")?;
        let status = head.get(9..12).and_then(|status| status.parse().ok()).context("the answer has no status")?;
        let mut length = if status == 204 || status == 304 { Length::Known(0) } else { Length::UntilClosed };
        let mut keep = true;
        for line in head.lines().skip(1) {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = Length::Known(value.parse().context("the length of the answer is not a number")?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
                length = Length::Chunked;
            } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
                keep = false;
            }
        }
        keep &= !matches!(length, Length::UntilClosed);
        self.taken = end + 4;
        Ok((status, length, keep))
    }

    fn body(&mut self, mut left: u64, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        while left > 0 {
            if self.taken == self.filled {
                ensure!(self.fill()?, "the answer ended early");
            }
            let part = left.min((self.filled - self.taken) as u64) as usize;
            sink(&self.buffer[self.taken..self.taken + part]);
            self.taken += part;
            left -= part as u64;
        }
        Ok(())
    }

    fn chunks(&mut self, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).context("the size of a chunk is not a number")?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(());
            }
            self.body(size, sink)?;
            ensure!(self.line()?.is_empty(), "a chunk does not end where it said");
        }
    }

    fn rest(&mut self, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        loop {
            sink(&self.buffer[self.taken..self.filled]);
            self.taken = self.filled;
            if !self.fill()? {
                return Ok(());
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        loop {
            let here = &self.buffer[self.taken..self.filled];
            if let Some(end) = memmem::find(here, b"\r\n") {
                let line = String::from_utf8_lossy(&here[..end]).into_owned();
                self.taken += end + 2;
                return Ok(line);
            }
            ensure!(self.fill()?, "the answer ended early");
        }
    }
}

/// The server did not answer in the time that it was given.
#[derive(Debug)]
pub(crate) struct TimedOut(Duration);

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no answer in {} s", self.0.as_secs())
    }
}

impl std::error::Error for TimedOut {}

/// The head of a request for a body of `length` bytes, with the headers that the stock MLflow client sends, except
/// that no compressed answer is asked for.
pub(crate) fn head(method: &str, target: &str, content_type: &str, length: u64) -> Vec<u8> {
    let mut head = format!(
        "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: mlflow-python-client/3.17.2\r\nAccept: */*\r\n"
    );
    if method != "GET" {
        head += &format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n");
    }
    head += "\r\n";
    head.into_bytes()
}

/// A whole request with a JSON body.
pub(crate) fn post(target: &str, body: &str) -> Vec<u8> {
    let mut request = head("POST", target, "application/json", body.len() as u64);
    request.extend_from_slice(body.as_bytes());
    request
}

pub(crate) fn get(target: &str) -> Vec<u8> {
    head("GET", target, "", 0)
}

/// The start of a body, for messages.
pub(crate) fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Serves each of `answers` to one request on one connection.
    fn serve(answers: &'static [&'static [u8]]) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in answers {
                let mut request = [0; 4096];
                assert!(stream.read(&mut request).unwrap() > 0);
                // In two parts, so that the reader meets a cut at any place.
                let (first, second) = answer.split_at(answer.len() / 2);
                stream.write_all(first).unwrap();
                std::thread::sleep(Duration::from_millis(2));
                stream.write_all(second).unwrap();
            }
        });
        port
    }

    #[test]
    fn bodies_are_read_whole_and_the_connection_is_kept() {
        let port = serve(&[
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nuntil closed",
        ]);
        let mut connection = Connection::new(port, Duration::from_secs(5));
        let expected: [(u16, &[u8]); 4] =
            [(200, b"hello"), (201, b"abc0123456789"), (404, b""), (200, b"until closed")];
        for (status, expected) in expected {
            let mut body = Vec::new();
            assert_eq!(connection.exchange(&get("/"), &mut body).unwrap(), status);
            assert_eq!(body, expected);
        }
    }

    #[test]
    fn an_answer_that_ends_early_is_an_error() {
        let port = serve(&[b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello"]);
        let mut connection = Connection::new(port, Duration::from_secs(5));
        assert!(connection.exchange(&get("/"), &mut Vec::new()).is_err());
    }
}
