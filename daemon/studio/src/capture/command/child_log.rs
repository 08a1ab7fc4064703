//! A child's standard error, line by line, in our log.

use std::time::Duration;

/// Bytes of a line of standard error; longer lines are cut.
const LINE_BYTES: usize = 400;
/// Lines logged in a second; more are counted only.
const LINES_PER_SECOND: u32 = 20;

/// Writes a child's standard error to our log, line by line.
pub(super) struct ChildLog {
    camera: String,
    program: String,
    line: Vec<u8>,
    last_line: Option<String>,
    second: Duration,
    in_second: u32,
    left_out: u32,
}

impl ChildLog {
    pub(super) fn new(camera: &str, program: &str) -> Self {
        Self {
            camera: camera.to_owned(),
            program: program.to_owned(),
            line: Vec::new(),
            last_line: None,
            second: Duration::ZERO,
            in_second: 0,
            left_out: 0,
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8], now: Duration) {
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                self.end_line(now);
            } else if self.line.len() < LINE_BYTES {
                self.line.push(byte);
            }
        }
    }

    fn end_line(&mut self, now: Duration) {
        let text: String = String::from_utf8_lossy(&self.line).chars().filter(|c| !c.is_control()).collect();
        self.line.clear();
        if text.trim().is_empty() {
            return;
        }
        if now >= self.second + Duration::from_secs(1) {
            if self.left_out > 0 {
                tracing::warn!(
                    camera = self.camera,
                    lines = self.left_out,
                    "{} writes too many lines: left out",
                    self.program
                );
            }
            (self.second, self.in_second, self.left_out) = (now, 0, 0);
        }
        if self.in_second < LINES_PER_SECOND {
            self.in_second += 1;
            tracing::info!(camera = self.camera, "{}: {text}", self.program);
        } else {
            self.left_out += 1;
        }
        self.last_line = Some(text);
    }

    /// The last line, also where its end is missing.
    pub(super) fn last_line(&mut self) -> Option<&str> {
        if !self.line.is_empty() {
            self.end_line(self.second);
        }
        self.last_line.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chatty_child_is_cut_short() {
        let mut log = ChildLog::new("front", "chatty");
        for _ in 0..1000 {
            log.take(b"\x1b[31mhello\x07\n", Duration::ZERO);
        }
        assert_eq!((log.in_second, log.left_out), (LINES_PER_SECOND, 1000 - LINES_PER_SECOND));
        assert_eq!(log.last_line(), Some("[31mhello"), "without control characters");
        log.take(&vec![b'x'; 100_000], Duration::ZERO);
        assert_eq!(log.line.len(), LINE_BYTES);
    }
}
