//! Runs a camera through a memory-to-memory encoder and writes the coded pictures: the lab uses it to try this crate on real drivers.
//!
//!     encode_camera CAMERA ENCODER --format YUYV --size 320x240 --rate 10 --frames 50 --gives FWHT --coded out.fwht
//!         [--import] [--raw frames.yuv] [--force-every 10]
//!
//! With `--raw` the frames that went in are written too. They are taken from the camera before the encoder sees them, so `--raw` excludes
//! `--import`. The last line says what happened.

use perch_device::v4l2::capture::Camera;
use perch_device::v4l2::coding::Coding;
use perch_device::v4l2::encoded_camera::EncodedCamera;
use perch_device::v4l2::encoder::{Encoder, EncoderSettings, Input};
use perch_device::v4l2::layout::Picture;
use perch_device::{FourCC, Mode, PixelFormat};
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

struct Arguments {
    camera: PathBuf,
    encoder: PathBuf,
    mode: Mode,
    frames: u32,
    gives: FourCC,
    coded: PathBuf,
    import: bool,
    raw: Option<PathBuf>,
    force_every: Option<u32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = parse(std::env::args().skip(1))?;
    let camera = Camera::open(&arguments.camera, &arguments.mode)?;
    println!("camera {} gives {}", camera.name(), camera.mode());
    match &arguments.raw {
        Some(raw) => with_raw(&arguments, camera, raw),
        None => streamed(&arguments, camera),
    }
}

fn coding(arguments: &Arguments) -> Coding {
    let frames_per_second = arguments.mode.frames_per_second;
    Coding { bitrate: 2_000_000, keyframe_interval: 30, frames_per_second }
}

/// As the daemon does it.
fn streamed(arguments: &Arguments, camera: Camera) -> Result<(), Box<dyn Error>> {
    let mut source = EncodedCamera::open(
        camera,
        &arguments.encoder,
        arguments.gives,
        coding(arguments),
        arguments.import,
    )?;
    let mut file = std::fs::File::create(&arguments.coded)?;
    let (mut pictures, mut bytes) = (0, 0);
    let (mut last, mut backwards) = (Duration::ZERO, 0);
    let started = monotonic();
    while pictures < arguments.frames {
        let Some(coded) = source.next(Duration::from_millis(100), &monotonic)? else {
            if monotonic() > started + Duration::from_mins(1) {
                return Err("a minute is over".into());
            }
            continue;
        };
        file.write_all(&coded.data)?;
        pictures += 1;
        bytes += coded.data.len();
        backwards += u32::from(coded.captured_at <= last);
        last = coded.captured_at;
        if arguments.force_every.is_some_and(|every| pictures % every == 0) {
            source.force_key_frame();
        }
    }
    let latency = monotonic().saturating_sub(last);
    source.finish();
    let mut drained = 0;
    while let Some(coded) = source.next(Duration::from_millis(500), &monotonic)? {
        file.write_all(&coded.data)?;
        drained += 1;
    }
    let losses = source.losses();
    println!(
        "done pictures={pictures} drained={drained} bytes={bytes} backwards={backwards} zero_copy={} \
         discarded={} lost={} jumps={} latency_ms={}",
        source.is_zero_copy(),
        losses.discarded,
        losses.lost_frames,
        losses.time_jumps,
        latency.as_millis()
    );
    Ok(())
}

/// Frame by frame, each written as it went in.
fn with_raw(arguments: &Arguments, mut camera: Camera, raw: &Path) -> Result<(), Box<dyn Error>> {
    let settings = EncoderSettings {
        gives: arguments.gives,
        takes: perch_device::v4l2::format::Format { bytes_per_line: 0, size_image: 0, ..camera.format() },
        input: Input::Copied,
        coding: coding(arguments),
    };
    let mut encoder = Encoder::open(&arguments.encoder, &settings)?;
    let (mut raw, mut file) = (std::fs::File::create(raw)?, std::fs::File::create(&arguments.coded)?);
    let (mut sent, mut got, mut bytes) = (0, 0, 0);
    let started = monotonic();
    let mut finish = false;
    while !finish || got < sent {
        let now = monotonic();
        if now > started + Duration::from_mins(1) {
            return Err(format!("a minute is over: {sent} in, {got} out").into());
        }
        while encoder.reclaim()?.is_some() {}
        if let Some(coded) = encoder.next_coded(now)? {
            file.write_all(&coded.data)?;
            (got, bytes) = (got + 1, bytes + coded.data.len());
            continue;
        }
        encoder.check(now, Duration::from_secs(5))?;
        if !finish && encoder.has_room() {
            camera.wait(Duration::from_millis(100))?;
            let Some(frame) = camera.next_frame(now)? else { continue };
            let picture = camera.picture(&frame).ok_or("no raw picture")?;
            if encoder.submit(&picture, frame.captured_at, now)? {
                write_picture(&mut raw, &picture)?;
                sent += 1;
            }
            camera.release(frame)?;
            finish = sent == arguments.frames;
            if finish {
                encoder.begin_drain();
            }
        } else {
            let interest = perch_device::v4l2::poll::Readiness { capture: true, output: true, error: false };
            perch_device::v4l2::poll::wait([(encoder.device(), interest)], Duration::from_millis(100))?;
        }
    }
    println!("done frames={sent} pictures={got} bytes={bytes} format={:?}", encoder.format());
    Ok(())
}

/// Rows without their padding.
fn write_picture(file: &mut std::fs::File, picture: &Picture<'_>) -> std::io::Result<()> {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let rows: &[(usize, usize)] = match picture.format {
        PixelFormat::Yuyv => &[(width * 2, height)],
        PixelFormat::Nv12 => &[(width, height), (width, height / 2)],
        _ => &[(width, height), (width / 2, height / 2), (width / 2, height / 2)],
    };
    for (plane, (bytes, count)) in picture.planes.iter().zip(rows) {
        for row in plane.data.chunks(plane.stride).take(*count) {
            file.write_all(&row[..*bytes])?;
        }
    }
    Ok(())
}

fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, Box<dyn Error>> {
    let mut next = |what: &str| arguments.next().ok_or_else(|| format!("{what} is missing"));
    let mut parsed = Arguments {
        camera: next("CAMERA")?.into(),
        encoder: next("ENCODER")?.into(),
        mode: Mode { format: PixelFormat::Yuyv, width: 320, height: 240, frames_per_second: 10.0 },
        frames: 30,
        gives: FourCC::new(b"H264"),
        coded: "/dev/null".into(),
        import: false,
        raw: None,
        force_every: None,
    };
    let fourcc =
        |code: &str| -> Result<FourCC, Box<dyn Error>> { Ok(FourCC::new(code.as_bytes().try_into()?)) };
    while let Ok(option) = next("") {
        match option.as_str() {
            "--format" => {
                let code = next("--format")?;
                parsed.mode.format = PixelFormat::from_fourcc(fourcc(&code)?).ok_or("an unknown format")?;
            }
            "--size" => {
                let size = next("--size")?;
                let (width, height) = size.split_once('x').ok_or("size is WIDTHxHEIGHT")?;
                (parsed.mode.width, parsed.mode.height) = (width.parse()?, height.parse()?);
            }
            "--rate" => parsed.mode.frames_per_second = next("--rate")?.parse()?,
            "--frames" => parsed.frames = next("--frames")?.parse()?,
            "--gives" => parsed.gives = fourcc(&next("--gives")?)?,
            "--coded" => parsed.coded = next("--coded")?.into(),
            "--raw" => parsed.raw = Some(next("--raw")?.into()),
            "--force-every" => parsed.force_every = Some(next("--force-every")?.parse()?),
            "--import" => parsed.import = true,
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(parsed)
}
