use super::*;
use crate::proto::fragment::Cut;
use crate::time::Duration;
use crate::wire::RestartIndex;
use proptest::prelude::*;

fn header(frame: u32, shard: u16, cut: &Cut, len: usize) -> MediaHeader {
    MediaHeader {
        epoch: 0,
        stream: StreamId::new(1, [0; 8]),
        packet: 0,
        frame: FrameNumber(frame),
        shard,
        data_shards: cut.shards(),
        parity_shards: 0,
        source: 0,
        flags: Flags::NONE,
        frame_len: len as u32,
        captured: CaptureOffset::new(Duration::from_millis(u64::from(frame))),
        next_restart: RestartIndex::NONE,
    }
}

/// Feeds one shard; returns the frame if it became whole.
fn feed(
    to: &mut Reassembly,
    number: u32,
    frame: &[u8],
    cut: &Cut,
    shard: u16,
) -> Result<Option<Vec<u8>>, NoPlace> {
    let header = header(number, shard, cut, frame.len());
    let range = cut.range(shard);
    let place = to.place(&header, range.len() + TAG_LEN)?;
    to.bytes_mut(&place).copy_from_slice(&frame[range]);
    if !to.written(&header, &place) {
        return Ok(None);
    }
    let mut buffer = vec![0; to.max_frame()].into_boxed_slice();
    let info = to.take(&mut buffer).unwrap();
    Ok(Some(buffer[..info.len].to_vec()))
}

fn frame(len: usize, seed: u32) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13) as u8).collect()
}

#[test]
fn a_newer_frame_takes_the_place_of_the_oldest() {
    let mut to = Reassembly::new(1_000);
    let bytes = frame(300, 1);
    let cut = Cut::new(300, 100).unwrap();
    for number in 0..5 {
        assert_eq!(feed(&mut to, number, &bytes, &cut, 0), Ok(None));
    }
    assert_eq!(feed(&mut to, 0, &bytes, &cut, 1), Err(NoPlace::Late));
    // Finishing frame 3 gives up 1 and 2; frame 4 goes on.
    assert_eq!(feed(&mut to, 3, &bytes, &cut, 1), Ok(None));
    assert_eq!(feed(&mut to, 3, &bytes, &cut, 2), Ok(Some(bytes.clone())));
    assert_eq!(feed(&mut to, 3, &bytes, &cut, 2), Err(NoPlace::Late));
    assert_eq!(feed(&mut to, 4, &bytes, &cut, 1), Ok(None));
    assert_eq!(feed(&mut to, 4, &bytes, &cut, 2), Ok(Some(bytes.clone())));
    assert_eq!(to.incomplete(), 3);
    for shard in 0..3 {
        feed(&mut to, 7, &bytes, &cut, shard).unwrap();
    }
    assert_eq!(to.incomplete(), 5);
    // Without any whole frame, what is pushed out counts, and what was never seen at all.
    for number in [10, 12, 13, 14, 15, 16] {
        assert_eq!(feed(&mut to, number, &bytes, &cut, 1), Ok(None));
    }
    assert_eq!(to.incomplete(), 5 + 5);
}

#[test]
fn a_whole_frame_that_nobody_took_never_lets_a_part_of_another_out() {
    let mut to = Reassembly::new(1_000);
    let bytes = frame(300, 1);
    let cut = Cut::new(300, 100).unwrap();
    let put = |to: &mut Reassembly, number, shard| {
        let header = header(number, shard, &cut, bytes.len());
        let place = to.place(&header, 100 + TAG_LEN).unwrap();
        to.written(&header, &place)
    };
    assert_eq!([0, 1, 2].map(|shard| put(&mut to, 0, shard)), [false, false, true]);
    for newer in 1..=4 {
        assert!(!put(&mut to, newer, 0));
    }
    assert_eq!(to.take(&mut vec![0; 1_000].into_boxed_slice()), None);
}

#[test]
fn what_contradicts_itself_or_others_has_no_place() {
    let mut to = Reassembly::new(1_000);
    let cut = Cut::new(300, 100).unwrap();
    let good = header(7, 0, &cut, 300);
    // (header, payload bytes, why)
    let alone = [
        (good, 0, NoPlace::Inconsistent),
        (good, 98, NoPlace::Inconsistent),
        (good, 101, NoPlace::Inconsistent),
        (good, 302, NoPlace::Inconsistent),
        (MediaHeader { shard: 2, ..good }, 102, NoPlace::Inconsistent),
        (MediaHeader { shard: 2, ..good }, 99, NoPlace::Inconsistent),
        (MediaHeader { data_shards: 1, ..good }, 299, NoPlace::Inconsistent),
        (MediaHeader { frame_len: 1_001, ..good }, 400, NoPlace::TooLarge),
        (MediaHeader { shard: 3, parity_shards: 1, ..good }, 100, NoPlace::Parity),
    ];
    for (header, len, why) in alone {
        assert_eq!(to.place(&header, len + TAG_LEN).err(), Some(why), "{header:?} {len}");
    }
    assert_eq!(feed(&mut to, 7, &frame(300, 0), &cut, 0), Ok(None));
    let others = [
        MediaHeader { shard: 1, frame_len: 299, ..good },
        MediaHeader { shard: 1, data_shards: 4, ..good },
        MediaHeader { shard: 1, source: 1, ..good },
        MediaHeader { shard: 1, flags: Flags::NOTICE, ..good },
    ];
    for header in others {
        assert_eq!(to.place(&header, 100 + TAG_LEN).err(), Some(NoPlace::Inconsistent), "{header:?}");
    }
}

proptest! {
    /// Order on the wire never changes what comes out, and nothing comes out before all is in.
    #[test]
    fn any_arrival_order_rebuilds_the_frame(
        (len, half, order) in (1usize..20_000, 32usize..700)
            .prop_flat_map(|(len, half)| {
                let shards = Cut::new(len, half * 2).unwrap().shards();
                (Just(len), Just(half), Just((0..shards).collect::<Vec<_>>()).prop_shuffle())
            }),
    ) {
        let cut = Cut::new(len, half * 2).unwrap();
        let bytes = frame(len, half as u32);
        let mut to = Reassembly::new(20_000);
        for (nth, shard) in order.iter().enumerate() {
            let out = feed(&mut to, 0, &bytes, &cut, *shard).unwrap();
            prop_assert_eq!(out.is_some(), nth + 1 == order.len());
            if let Some(out) = out {
                prop_assert_eq!(&out, &bytes);
            }
        }
    }

    /// No header, however odd, reaches outside of the buffer.
    #[test]
    fn odd_headers_stay_inside(
        (data_shards, shard) in (1u16..300).prop_flat_map(|shards| (Just(shards), 0..shards)),
        frame_len in 300u32..3_000,
        len in prop_oneof![0usize..3_000, (1usize..100).prop_map(|half| half * 2)],
    ) {
        let mut to = Reassembly::new(2_000);
        let cut = Cut::new(10, 10).unwrap();
        let header = MediaHeader { shard, data_shards, frame_len, ..header(0, 0, &cut, 10) };
        if let Ok(place) = to.place(&header, len + TAG_LEN) {
            prop_assert_eq!(to.bytes_mut(&place).len(), len);
            to.written(&header, &place);
        }
    }
}
