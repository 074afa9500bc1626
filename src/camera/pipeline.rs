//! Makes a captured picture ready to be sent, doing as little as possible.
//!
//! | picture | asked for | done |
//! |---|---|---|
//! | JPEG | nothing it lacks | passed through, bit for bit |
//! | JPEG | a lower quality than it has | its coefficients are quantised again |
//! | JPEG | an area, or another size | decoded to planes, transformed, encoded |
//! | raw | nothing | encoded |
//! | raw | an area, or another size | transformed, encoded |
//!
//! Notices (NO SIGNAL) are encoded as they are. Nothing is allocated per frame once warm.

use std::fmt;

use super::config::{DEFAULT_QUALITY, PictureSettings};
use super::size::Size;
use super::source::Captured;
use crate::area::{Area, AreaError};
use crate::codec::{CodecError, Decoder, Encoder, PlanarPicture, Rectifier, Requantiser, Scaler};
use crate::jpeg::{RestartOffsets, walk};
use crate::picture::{Picture, RawPicture};

/// A whole JPEG image, ready to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Ready<'a> {
    /// The image.
    pub bytes: &'a [u8],
    /// Offsets of its restart markers.
    pub restarts: &'a [u32],
}

/// How frames were made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PipelineCounters {
    /// Sent as they came.
    pub passed_through: u64,
    /// Quantised again.
    pub requantised: u64,
    /// Encoded from samples.
    pub encoded: u64,
    /// Dropped because they could not be decoded or encoded.
    pub failed: u64,
    /// Dropped because the result was too large to be sent.
    pub oversized: u64,
}

/// What is done to the frames at the moment, for one line in the log when that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    PassedThrough,
    Requantised { from: u8, to: u8 },
    Encoded { size: (u32, u32), quality: u8 },
    Transformed { from: (u32, u32), to: (u32, u32), quality: u8 },
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PassedThrough => f.write_str("frames are sent as the camera made them, bit for bit"),
            Self::Requantised { from, to } => {
                write!(f, "frames are requantised from quality {from} to {to}, without decoding to pixels")
            }
            Self::Encoded { size: (width, height), quality } => {
                write!(f, "raw frames of {width}x{height} are encoded with quality {quality}")
            }
            Self::Transformed { from: (w, h), to: (width, height), quality } => {
                write!(
                    f,
                    "frames of {w}x{h} are transformed to {width}x{height} and encoded with quality {quality}"
                )
            }
        }
    }
}

/// Passes through, requantises, transforms and encodes.
pub struct Pipeline {
    quality: Option<u8>,
    size: Option<Size>,
    area: Option<Area>,
    codecs: Codecs,
    restarts: RestartOffsets,
    counters: PipelineCounters,
    /// The size that pictures come in.
    seen: Option<(u32, u32)>,
    way: Option<Way>,
    last_failure: Option<Failure>,
}

/// What the codecs need, kept between frames.
struct Codecs {
    encoder: Encoder,
    requantiser: Requantiser,
    decoder: Decoder,
    planar: PlanarPicture,
    scaled: PlanarPicture,
    scaler: Option<Scaler>,
    rectifier: Option<((u32, u32), Rectifier)>,
}

/// Why a picture could not be made ready.
#[derive(Debug, Clone, PartialEq)]
enum Failure {
    Codec(CodecError),
    Area(AreaError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec(why) => write!(f, "{why}"),
            Self::Area(why) => write!(f, "area: {why}"),
        }
    }
}

impl From<CodecError> for Failure {
    fn from(why: CodecError) -> Self {
        Self::Codec(why)
    }
}

impl From<AreaError> for Failure {
    fn from(why: AreaError) -> Self {
        Self::Area(why)
    }
}

impl Pipeline {
    /// For pictures with these settings.
    #[must_use]
    pub fn new(settings: &PictureSettings) -> Self {
        Self {
            quality: settings.quality,
            size: settings.size,
            area: settings.area,
            codecs: Codecs {
                encoder: Encoder::new(),
                requantiser: Requantiser::new(),
                decoder: Decoder::new(),
                planar: PlanarPicture::new(),
                scaled: PlanarPicture::new(),
                scaler: None,
                rectifier: None,
            },
            restarts: RestartOffsets::new(),
            counters: PipelineCounters::default(),
            seen: None,
            way: None,
            last_failure: None,
        }
    }

    /// Whether pictures of the size asked for, else of the size that comes, have all of the area.
    ///
    /// # Errors
    ///
    /// [`AreaError::Outside`] if they have not.
    pub fn check(&self, settings: &PictureSettings) -> Result<(), AreaError> {
        let size = settings.size.map(|size| (size.width, size.height)).or(self.seen);
        match (&settings.area, size) {
            (Some(area), Some(size)) => area.check_inside(size),
            _ => Ok(()),
        }
    }

    /// The size of the pictures that come, once one has come.
    #[must_use]
    pub const fn seen(&self) -> Option<(u32, u32)> {
        self.seen
    }

    /// The pictures to come are of another source.
    pub const fn forget_size(&mut self) {
        self.seen = None;
    }

    /// Goes on with other settings; what the codecs keep and the counters stay.
    pub fn retune(&mut self, settings: &PictureSettings) {
        self.quality = settings.quality;
        self.size = settings.size;
        self.area = settings.area;
        self.codecs.rectifier = None;
        self.way = None;
        self.last_failure = None;
    }

    /// How frames were made ready so far.
    #[must_use]
    pub const fn counters(&self) -> PipelineCounters {
        self.counters
    }

    /// The last frame was too large to be sent.
    pub const fn count_oversized(&mut self) {
        self.counters.oversized += 1;
    }

    /// Makes a picture ready; `None` if it could not be, which is counted and logged once.
    pub fn process<'a>(&'a mut self, captured: &Captured<'a>) -> Option<Ready<'a>> {
        let way = self.way_for(captured);
        if !captured.notice {
            self.seen = size_of(captured);
        }
        if !captured.notice && self.way != Some(way) {
            log::info!("{way}");
            self.way = Some(way);
        }
        if let (Way::PassedThrough, Picture::Jpeg(bytes)) = (way, captured.picture) {
            self.counters.passed_through += 1;
            return Some(Ready { bytes, restarts: captured.restarts });
        }
        let mut made_by = &mut self.counters.encoded;
        let made = match (way, captured.picture) {
            (Way::Requantised { to, .. }, Picture::Jpeg(bytes)) => {
                made_by = &mut self.counters.requantised;
                self.codecs.requantiser.requantise(bytes, to).map_err(Failure::from)
            }
            (Way::Encoded { quality, .. }, Picture::Raw(raw)) => {
                self.codecs.encoder.encode(&raw, quality).map_err(Failure::from)
            }
            (_, picture) => {
                let quality = self.quality.unwrap_or(DEFAULT_QUALITY);
                self.codecs.transform(picture, self.size, self.area.as_ref(), quality)
            }
        };
        match made {
            Ok(bytes) => {
                *made_by += 1;
                // Our own encoder's image; if the walk finds a flaw, the image only goes without offsets.
                let restarts = match walk(bytes, &mut self.restarts) {
                    Ok(_) => self.restarts.as_slice(),
                    Err(_) => &[],
                };
                Some(Ready { bytes, restarts })
            }
            Err(why) => {
                self.counters.failed += 1;
                if self.last_failure.as_ref() != Some(&why) {
                    log::warn!("a frame was dropped: {why}");
                    self.last_failure = Some(why);
                }
                None
            }
        }
    }

    fn way_for(&self, captured: &Captured<'_>) -> Way {
        let quality = self.quality.unwrap_or(DEFAULT_QUALITY);
        let Some(size) = size_of(captured) else { return Way::PassedThrough };
        let wanted = self.size.map_or(size, |size| (size.width, size.height));
        if !captured.notice && (self.area.is_some() || wanted != size) {
            let to = self.area.as_ref().map_or(wanted, Area::output_size);
            return Way::Transformed { from: size, to, quality };
        }
        if let Picture::Raw(_) = captured.picture {
            return Way::Encoded { size, quality };
        }
        match (self.quality, captured.summary.and_then(|summary| summary.quality)) {
            (Some(to), Some(from)) if to < from => Way::Requantised { from, to },
            _ => Way::PassedThrough,
        }
    }
}

/// Width and height, as far as they are known.
fn size_of(captured: &Captured<'_>) -> Option<(u32, u32)> {
    match captured.picture {
        Picture::Raw(raw) => Some((raw.width, raw.height)),
        Picture::Jpeg(_) => captured.summary.map(|it| (u32::from(it.width), u32::from(it.height))),
    }
}

impl Codecs {
    /// Scales and rectifies as asked, then encodes.
    fn transform(
        &mut self,
        picture: Picture<'_>,
        size: Option<Size>,
        area: Option<&Area>,
        quality: u8,
    ) -> Result<&[u8], Failure> {
        match picture {
            Picture::Jpeg(bytes) => self.decoder.decode_planar(bytes, &mut self.planar)?,
            Picture::Raw(raw) => self.planar.load(&raw)?,
        }
        let is_now = (self.planar.width() as u32, self.planar.height() as u32);
        let wanted = size.map_or(is_now, |size| (size.width, size.height));
        let mut planar = &self.planar;
        if wanted != is_now {
            let scaler = match self.scaler.take().filter(|scaler| scaler.output_size() == wanted) {
                Some(scaler) => self.scaler.insert(scaler),
                None => self.scaler.insert(Scaler::new(wanted)?),
            };
            let scaled = scaler.scale(planar)?;
            if area.is_none() {
                return encode(&mut self.encoder, &scaled, quality);
            }
            self.scaled.load(&scaled)?;
            planar = &self.scaled;
        }
        let Some(area) = area else {
            return Err(CodecError::Unsupported("no transformation to make").into());
        };
        let rectifier = match self.rectifier.take().filter(|(size, _)| *size == wanted) {
            Some(rectifier) => self.rectifier.insert(rectifier),
            None => self.rectifier.insert((wanted, Rectifier::new(area, wanted)?)),
        };
        let rectified = rectifier.1.rectify(planar)?;
        encode(&mut self.encoder, &rectified, quality)
    }
}

fn encode<'a>(encoder: &'a mut Encoder, raw: &RawPicture<'_>, quality: u8) -> Result<&'a [u8], Failure> {
    Ok(encoder.encode(raw, quality)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(size: Option<Size>, area: Option<Area>) -> PictureSettings {
        PictureSettings {
            source: "pattern".parse().unwrap(),
            format: "auto".parse().unwrap(),
            quality: None,
            fps: None,
            size,
            area,
            controls: Vec::new(),
        }
    }

    fn captured(samples: &[u8], (width, height): (u32, u32)) -> Captured<'_> {
        let format = crate::picture::RawFormat::Yuyv;
        let colour = crate::picture::Colour::default();
        let raw = RawPicture { samples, format, width, height, stride: width * 2, colour };
        let (at, restarts) = (crate::time::Instant::ORIGIN, &[][..]);
        Captured { picture: Picture::Raw(raw), at, summary: None, restarts, notice: false }
    }

    const WHOLE: [[f64; 2]; 4] = [[0.0, 0.0], [640.0, 0.0], [640.0, 360.0], [0.0, 360.0]];

    #[test]
    fn an_area_outside_of_what_comes_is_refused() {
        let mut pipeline = Pipeline::new(&settings(None, None));
        let area = Some(Area::new(WHOLE, WHOLE).unwrap());
        assert!(pipeline.check(&settings(None, area)).is_ok(), "nothing is known yet");
        assert!(pipeline.process(&captured(&vec![128; 320 * 180 * 2], (320, 180))).is_some());
        let why = pipeline.check(&settings(None, area)).unwrap_err().to_string();
        assert!(why.contains("outside of the picture of 320x180"), "{why}");
        assert!(pipeline.check(&settings(Some(Size { width: 640, height: 360 }), area)).is_ok());
        pipeline.forget_size();
        assert!(pipeline.check(&settings(None, area)).is_ok());
    }

    #[test]
    fn only_what_was_made_is_counted_as_made() {
        let mut pipeline = Pipeline::new(&settings(None, Some(Area::new(WHOLE, WHOLE).unwrap())));
        assert!(pipeline.process(&captured(&[128; 64 * 48 * 2], (64, 48))).is_none());
        assert_eq!(pipeline.counters(), PipelineCounters { failed: 1, ..PipelineCounters::default() });
        pipeline.retune(&settings(None, None));
        assert!(pipeline.process(&captured(&[128; 64 * 48 * 2], (64, 48))).is_some());
        let expected = PipelineCounters { failed: 1, encoded: 1, ..PipelineCounters::default() };
        assert_eq!(pipeline.counters(), expected);
    }
}
