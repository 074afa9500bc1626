//! From whole frames to the outlets.

use crate::proto::reassembly::FrameInfo;
use crate::time::Instant;
use crate::viewer::figures::{Figures, Report, Totals};
use crate::viewer::frame::{FramePool, Stamp};
use crate::viewer::outlets::Outlets;
use crate::wire::MAX_FRAME;

/// Takes whole frames, counts them, and hands them to the outlets.
pub(super) struct Inlet {
    /// Where frames go.
    pub(super) outlets: Outlets,
    pool: FramePool,
    spare: Box<[u8]>,
    figures: Figures,
    last_frame: Instant,
    wanted: Option<u64>,
    told_damaged: bool,
}

impl Inlet {
    /// Nothing has come yet; `wanted` is how many frames are enough.
    pub(super) fn new(outlets: Outlets, wanted: Option<u64>, now: Instant) -> Self {
        let pool = FramePool::new(MAX_FRAME);
        let spare = pool.buffer();
        let figures = Figures::new(now);
        Self { outlets, pool, spare, figures, last_frame: now, wanted, told_damaged: false }
    }

    /// Whether all the frames that are wanted have come.
    pub(super) fn has_enough(&self) -> bool {
        self.wanted.is_some_and(|wanted| self.figures.whole() >= wanted)
    }

    /// When the last frame came, or the start.
    pub(super) const fn last_frame(&self) -> Instant {
        self.last_frame
    }

    /// The figures at `now`.
    pub(super) fn report(&self, now: Instant, totals: Totals) -> Report {
        self.figures.report(now, totals, self.outlets.totals())
    }

    /// A frame has become whole: `take` puts it into the buffer that it is given. Says whether there was one.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        take: impl FnOnce(&mut Box<[u8]>) -> Option<FrameInfo>,
    ) -> bool {
        if self.has_enough() {
            return false;
        }
        let Some(info) = take(&mut self.spare) else { return false };
        let buffer = std::mem::replace(&mut self.spare, self.pool.buffer());
        let stamp = Stamp {
            stream: info.stream.to_bytes(),
            number: u64::from(info.number.0),
            captured: info.captured.since_start(),
            arrived: now,
        };
        match self.pool.adopt(buffer, info.len, stamp) {
            Ok(frame) => {
                let notice = info.flags.is_notice();
                self.last_frame = now;
                self.figures.frame(&stamp, info.len, frame.size());
                if notice {
                    self.figures.notice();
                }
                self.outlets.frame(&frame, notice);
            }
            Err(defect) => {
                self.figures.damaged();
                if !self.told_damaged {
                    self.told_damaged = true;
                    log::warn!("a frame is no JPEG image ({defect}); such frames are left out and counted");
                }
            }
        }
        true
    }
}
