//! Decodes an uploaded picture in a process of its own: perchd starts itself with [`ARGUMENT`]. Decoders allocate by numbers in the file, and
//! some of their allocations have no limit; the kernel's limits hold for all of them, and a decoder that meets them ends its own process
//! only. Its memory goes back to the system when it ends.
//!
//! Not here: decoding (`making`).

use super::making::make as decode;
use super::{DECODING_BYTES, PictureError, Purpose};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setpriority_process, setrlimit,
};
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::process::ExitCode;

/// The first argument of the process that decodes a picture; its second is the purpose.
pub const ARGUMENT: &str = "make-picture";
/// Processor time for one picture, seconds: a Raspberry Pi Zero 2 W takes about 3 s for 12 megapixels.
const SECONDS: u64 = 20;
/// Niceness: everything else goes first.
const NICE: i32 = 15;

/// Exit codes for the reasons. `DAMAGED` comes with the decoder's words on standard output.
const NO_PICTURE: u8 = 10;
const TOO_LARGE: u8 = 11;
const TOO_HEAVY: u8 = 12;
const DAMAGED: u8 = 13;

impl Purpose {
    const ALL: [Self; 2] = [Self::Avatar, Self::Thumbnail];

    const fn name(self) -> &'static str {
        match self {
            Self::Avatar => "avatar",
            Self::Thumbnail => "thumbnail",
        }
    }
}

/// The whole of the process: reads the picture from standard input, a file, and writes the JPEG to standard output. Call it before anything else:
/// the limit of memory counts from here.
pub fn serve(purpose: Option<&str>) -> ExitCode {
    let Some(purpose) = Purpose::ALL.into_iter().find(|each| Some(each.name()) == purpose) else {
        return ExitCode::FAILURE;
    };
    if let Err(error) = limit() {
        eprintln!("perchd: no limits for decoding a picture: {error}");
        return ExitCode::FAILURE;
    }
    let upload = io::stdin().as_fd().try_clone_to_owned().map(|file| BufReader::new(File::from(file)));
    let (code, answer) = match upload.map(|upload| decode(upload, purpose)) {
        Ok(Ok(jpeg)) => (0, jpeg),
        Ok(Err(PictureError::NoPicture)) => (NO_PICTURE, Vec::new()),
        Ok(Err(PictureError::TooLarge)) => (TOO_LARGE, Vec::new()),
        Ok(Err(PictureError::TooHeavy)) => (TOO_HEAVY, Vec::new()),
        Ok(Err(PictureError::Damaged { what })) => (DAMAGED, what.into_bytes()),
        Ok(Err(_)) | Err(_) => return ExitCode::FAILURE,
    };
    match io::stdout().write_all(&answer).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::FAILURE,
    }
}

/// Limits this process to [`DECODING_BYTES`] more than it has, [`SECONDS`], and a low priority.
fn limit() -> io::Result<()> {
    let own = address_space()?;
    let fixed = |most| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::As, fixed(own + DECODING_BYTES))?;
    setrlimit(Resource::Cpu, fixed(SECONDS))?;
    // A process that is ended by its limits leaves no copy of somebody's picture on the card.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // It decodes at a normal priority if this is forbidden.
    let _ = setpriority_process(None, NICE);
    Ok(())
}

/// Bytes of this process's address space.
fn address_space() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    size.map(|kibibytes| kibibytes << 10).ok_or_else(|| io::Error::other("/proc/self/status has no VmSize"))
}

#[cfg(not(test))]
pub(super) use process::make;

/// Unit tests are another program than perchd, which has no such process; `tests/pictures.rs` of perchd tries it.
#[cfg(test)]
#[expect(clippy::unused_async, reason = "it stands in for the process, which is waited for")]
pub(super) async fn make(mut file: File, purpose: Purpose) -> Result<Vec<u8>, PictureError> {
    use std::io::Seek as _;
    file.rewind().unwrap();
    decode(BufReader::new(file), purpose)
}

#[cfg(not(test))]
mod process {
    use super::{ARGUMENT, DAMAGED, File, NO_PICTURE, PictureError, Purpose, TOO_HEAVY, TOO_LARGE, io};
    use crate::picture::unavailable;
    use perch_store::PICTURE_BYTES;
    use rustix::process::Signal;
    use std::io::Seek as _;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{ExitStatus, Stdio};
    use std::time::Duration;
    use tokio::io::AsyncReadExt as _;
    use tokio::process::Command;

    /// Time for one picture, at its low priority on a busy board.
    const PATIENCE: Duration = Duration::from_secs(40);

    /// Makes the stored JPEG from the uploaded `file`. The process is killed if this is dropped.
    pub(in crate::picture) async fn make(file: File, purpose: Purpose) -> Result<Vec<u8>, PictureError> {
        match tokio::time::timeout(PATIENCE, answer(file, purpose)).await {
            Ok(Ok((status, answer))) => judge(status, answer),
            Ok(Err(error)) => Err(unavailable(&error)),
            Err(_) => Err(PictureError::TooSlow),
        }
    }

    async fn answer(mut file: File, purpose: Purpose) -> io::Result<(ExitStatus, Vec<u8>)> {
        file.rewind()?;
        // This very program, even if its file has been replaced by an upgrade.
        let mut process = Command::new("/proc/self/exe")
            .args([ARGUMENT, purpose.name()])
            .env_clear()
            .stdin(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut answer = Vec::new();
        if let Some(stdout) = process.stdout.take() {
            stdout.take(PICTURE_BYTES as u64 + 1).read_to_end(&mut answer).await?;
        }
        Ok((process.wait().await?, answer))
    }

    fn judge(status: ExitStatus, answer: Vec<u8>) -> Result<Vec<u8>, PictureError> {
        let is = |signal: Signal| status.signal() == Some(signal.as_raw());
        match status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(0) => Ok(answer),
            Some(NO_PICTURE) => Err(PictureError::NoPicture),
            Some(TOO_LARGE) => Err(PictureError::TooLarge),
            Some(TOO_HEAVY) => Err(PictureError::TooHeavy),
            Some(DAMAGED) => {
                Err(PictureError::Damaged { what: String::from_utf8_lossy(&answer).into_owned() })
            }
            // An allocation that fails aborts a Rust program.
            None if is(Signal::ABORT) => Err(PictureError::TooHeavy),
            None if is(Signal::XCPU) || is(Signal::KILL) => Err(PictureError::TooSlow),
            // A decoder that panicked.
            Some(101) => Err(PictureError::Damaged { what: "it cannot be read".to_owned() }),
            _ => Err(unavailable(&io::Error::other(format!("the process ended with {status}")))),
        }
    }
}
