//! The elements of RFC 9559 that a recording has.

use super::{TICK_NANOS, ebml};

pub(super) const SEGMENT: u32 = 0x1853_8067;
pub(super) const INFO: u32 = 0x1549_a966;
pub(super) const TRACKS: u32 = 0x1654_ae6b;
pub(super) const CLUSTER: u32 = 0x1f43_b675;
pub(super) const CUES: u32 = 0x1c53_bb6b;
pub(super) const TIMESTAMP: u32 = 0xe7;
pub(super) const SIMPLE_BLOCK: u32 = 0xa3;

/// Track number, time, flags.
pub(super) const BLOCK_HEAD_LEN: usize = 4;

/// What stands before the body of a SimpleBlock: a key frame of track 1, `ticks` after its cluster.
pub(super) fn block_head(ticks: i16) -> [u8; BLOCK_HEAD_LEN] {
    let [high, low] = ticks.to_be_bytes();
    [0x80 | TRACK as u8, high, low, 0x80]
}

/// The EBML head: a Matroska file that a reader of version 2 understands.
pub(super) fn file_head(to: &mut Vec<u8>) {
    ebml::master(to, 0x1a45_dfa3, |to| {
        ebml::unsigned(to, 0x4286, 1); // EBMLVersion
        ebml::unsigned(to, 0x42f7, 1); // EBMLReadVersion
        ebml::unsigned(to, 0x42f2, 4); // EBMLMaxIDLength
        ebml::unsigned(to, 0x42f3, 8); // EBMLMaxSizeLength
        ebml::text(to, 0x4282, "matroska"); // DocType
        ebml::unsigned(to, 0x4287, 2); // DocTypeVersion: SimpleBlock
        ebml::unsigned(to, 0x4285, 2); // DocTypeReadVersion
    });
}

/// Info, its last element a Void that [`duration`] goes over; returns the offset of that Void.
pub(super) fn info(to: &mut Vec<u8>, program: &str) -> usize {
    ebml::master(to, INFO, |to| {
        ebml::unsigned(to, 0x2a_d7b1, TICK_NANOS); // TimestampScale
        ebml::text(to, 0x4d80, program); // MuxingApp
        ebml::text(to, 0x5741, program); // WritingApp
        ebml::void(to, DURATION_LEN);
    });
    to.len() - DURATION_LEN
}

/// Bytes of Info that ends behind the duration at `duration_at`; it stands behind the room for
/// the SeekHead at the beginning of the segment's body.
pub(super) fn info_len(duration_at: u64, segment: u64) -> u64 {
    duration_at + DURATION_LEN as u64 - (segment + super::SEEK_HEAD_ROOM as u64)
}

/// Duration in ticks, [`DURATION_LEN`] bytes.
pub(super) fn duration(ticks: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(DURATION_LEN);
    ebml::float(&mut bytes, 0x4489, ticks as f64);
    bytes
}

/// Tracks with one video track of motion JPEG.
pub(super) fn tracks(to: &mut Vec<u8>, width: u16, height: u16) {
    ebml::master(to, TRACKS, |to| {
        ebml::master(to, 0xae, |to| {
            ebml::unsigned(to, 0xd7, TRACK); // TrackNumber
            ebml::unsigned(to, 0x73c5, TRACK); // TrackUID
            ebml::unsigned(to, 0x83, 1); // TrackType: video
            ebml::unsigned(to, 0x9c, 0); // FlagLacing
            ebml::text(to, 0x22_b59c, "und"); // Language
            ebml::text(to, 0x86, "V_MJPEG"); // CodecID
            ebml::master(to, 0xe0, |to| {
                ebml::unsigned(to, 0x9a, 2); // FlagInterlaced: progressive
                ebml::unsigned(to, 0xb0, u64::from(width)); // PixelWidth
                ebml::unsigned(to, 0xba, u64::from(height)); // PixelHeight
            });
        });
    });
}

/// One point of the Cues.
pub(super) fn cue_point(to: &mut Vec<u8>, tick: u64, position: u64) {
    ebml::master(to, 0xbb, |to| {
        ebml::unsigned(to, 0xb3, tick); // CueTime
        ebml::master(to, 0xb7, |to| {
            ebml::unsigned(to, 0xf7, TRACK); // CueTrack
            ebml::unsigned(to, 0xf1, position); // CueClusterPosition
        });
    });
}

/// SeekHead: where in the segment the elements stand.
pub(super) fn seek_head(to: &mut Vec<u8>, contents: impl Iterator<Item = (u32, u64)>) {
    ebml::master(to, 0x114d_9b74, |to| {
        for (id, position) in contents {
            ebml::master(to, 0x4dbb, |to| {
                ebml::binary(to, 0x53ab, &id.to_be_bytes()); // SeekID
                ebml::unsigned_wide(to, 0x53ac, position); // SeekPosition
            });
        }
    });
}

const TRACK: u64 = 1;
/// Id, size and 8 bytes of float.
const DURATION_LEN: usize = 2 + 1 + 8;
