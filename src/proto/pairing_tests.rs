use core::net::IpAddr;

use super::*;
use crate::proto::identity::StaticSecret;
use crate::proto::random::Counted;
use crate::time::{Duration, Instant};
use proptest::prelude::*;

const NOW: Instant = Instant::from_millis(1_000);
const VIEWER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 7));

struct Scene {
    offer: Offer,
    run: Run,
    viewer: Partner,
    camera: Partner,
    random: Counted,
}

fn scene(seed: u64, same_code: bool) -> Scene {
    let mut random = Counted::new(seed);
    let partner = |name: &str, role, random: &mut Counted| Partner {
        key: StaticSecret::generate(random).public(),
        name: name.parse().unwrap(),
        role,
    };
    let camera = partner("barn", Role::Tune, &mut random);
    let viewer = partner("laptop", Role::View, &mut random);
    let code = Code::new(SecretLength::Typed, &mut random);
    let mut typed = code.reveal().parse::<Code>().unwrap();
    if !same_code {
        let wrong = format!(
            "{}-{}",
            code.channel(),
            Code::new(SecretLength::Typed, &mut random).reveal().split_once('-').unwrap().1
        );
        typed = wrong.parse().unwrap();
    }
    let run = Run::new(&typed, viewer, NOW, &mut random);
    Scene { offer: Offer::new(code, camera, NOW), run, viewer, camera, random }
}

/// Carries datagrams until nothing is said any more; `change` may spoil each.
fn carry(scene: &mut Scene, mut change: impl FnMut(&mut Pairing)) -> (Option<Partner>, Option<Partner>) {
    let (mut stored, mut paired) = (None, None);
    let mut now = NOW;
    for _ in 0..8 {
        let Some(mut said) = scene.run.poll_transmit(now) else { break };
        change(&mut said);
        let mut reply = match scene.offer.handle(now, VIEWER, &said, &mut scene.random) {
            Said::Reply(reply) => reply,
            Said::Store(viewer) => {
                stored = Some(viewer);
                scene.offer.stored().unwrap()
            }
            Said::Nothing => continue,
        };
        change(&mut reply);
        if let Output::Paired(camera) = scene.run.handle(now, &reply) {
            paired = Some(camera);
        }
        now += Duration::from_millis(100);
    }
    (stored, paired)
}

#[test]
fn with_the_code_both_store_each_other() {
    let mut scene = scene(1, true);
    let (stored, paired) = carry(&mut scene, |_| {});
    let viewer = Partner { role: Role::Tune, ..scene.viewer };
    assert_eq!((stored, paired), (Some(viewer), Some(scene.camera)));
    assert_eq!(scene.offer.state(NOW), OfferState::Used);
    // Once used, it is used.
    let mut other = self::scene(1, true);
    other.offer = scene.offer;
    assert_eq!(carry(&mut other, |_| {}), (None, None));
}

#[test]
fn three_wrong_codes_burn_it_and_nobody_stores_anything() {
    let mut scene = scene(2, false);
    for nth in 1..=TRIES {
        let (stored, paired) = carry(&mut scene, |_| {});
        assert_eq!((stored, paired), (None, None));
        assert_eq!(scene.run.failure(NOW + Duration::from_secs(11)), Some(Failure::WrongCode));
        let left = TRIES - nth;
        let expected = if left == 0 { OfferState::Burnt } else { OfferState::Open(NOW + CODE_LIFE, left) };
        assert_eq!(scene.offer.state(NOW), expected);
        let wrong = "12345-000000".replace("12345", &scene.offer.code().channel().to_string());
        scene.offer.next_run_now();
        scene.run = Run::new(&wrong.parse().unwrap(), scene.viewer, NOW, &mut scene.random);
    }
    let right = scene.offer.code().clone();
    scene.run = Run::new(&right, scene.viewer, NOW, &mut scene.random);
    assert_eq!(carry(&mut scene, |_| {}), (None, None), "even with the right one");
}

#[test]
fn another_channel_costs_no_try() {
    let mut scene = scene(3, true);
    let other = (scene.offer.code().channel() - 10_000 + 1) % 90_000 + 10_000;
    let code: Code = format!("{other}-000000").parse().unwrap();
    let run = Run::new(&code, scene.viewer, NOW, &mut scene.random);
    let right = core::mem::replace(&mut scene.run, run);
    assert_eq!(carry(&mut scene, |_| {}), (None, None));
    assert_eq!(scene.offer.state(NOW), OfferState::Open(NOW + CODE_LIFE, TRIES));
    assert_eq!(scene.run.failure(NOW + Duration::from_secs(10)), Some(Failure::NoAnswer));
    scene.run = right;
    assert!(carry(&mut scene, |_| {}).1.is_some());
}

#[test]
fn channels_are_not_searched_from_one_address() {
    let mut scene = scene(8, true);
    let hello = scene.run.poll_transmit(NOW).unwrap();
    let stranger = IpAddr::from([10, 0, 0, 66]);
    let other = |nth: u32| {
        let mut body = hello.body;
        body[..4].copy_from_slice(&nth.to_be_bytes());
        Pairing { body, ..hello }
    };
    let mut ask = |from, hello: &Pairing| {
        matches!(scene.offer.handle(NOW, from, hello, &mut scene.random), Said::Reply(_))
    };
    // The same one again and again is somebody who has read it wrongly.
    (0..100).for_each(|_| assert!(!ask(VIEWER, &other(1))));
    (1..=u32::from(WRONG_CHANNELS)).for_each(|nth| assert!(!ask(stranger, &other(nth))));
    // Others, each for the first time, do not make it forgotten.
    (0..1_000).for_each(|nth: u16| {
        let [high, low] = nth.to_be_bytes();
        assert!(!ask([10, 1, high, low].into(), &other(1)));
    });
    assert!(!ask(stranger, &hello), "it has asked too often");
    assert!(ask(VIEWER, &hello));
}

#[test]
fn a_guess_from_where_no_answer_arrives_costs_no_try() {
    let mut scene = scene(7, true);
    let hello = scene.run.poll_transmit(NOW).unwrap();
    assert!(matches!(scene.offer.handle(NOW, VIEWER, &hello, &mut scene.random), Said::Reply(_)));
    let blind = Pairing { step: Step::Introduction, run: hello.run, body: [7; Pairing::BODY] };
    for _ in 0..10 {
        assert_eq!(scene.offer.handle(NOW, VIEWER, &blind, &mut scene.random), Said::Nothing);
    }
    assert_eq!(scene.offer.state(NOW), OfferState::Open(NOW + CODE_LIFE, TRIES));
}

#[test]
fn a_code_does_not_outlive_its_time() {
    let mut scene = scene(4, true);
    let late = NOW + CODE_LIFE;
    let hello = scene.run.poll_transmit(NOW).unwrap();
    assert_eq!(scene.offer.handle(late, VIEWER, &hello, &mut scene.random), Said::Nothing);
    assert_eq!(scene.offer.state(late), OfferState::Expired);
}

#[test]
fn a_lost_last_word_is_said_again() {
    let mut scene = scene(5, true);
    let mut now = NOW;
    let mut confirmation = None;
    while confirmation.is_none() {
        let said = scene.run.poll_transmit(now).unwrap();
        match scene.offer.handle(now, VIEWER, &said, &mut scene.random) {
            Said::Reply(reply) => assert_eq!(scene.run.handle(now, &reply), Output::Wait),
            Said::Store(_) => confirmation = Some(said),
            Said::Nothing => panic!("all goes well"),
        }
        now += Duration::from_millis(10);
    }
    let confirmation = confirmation.unwrap();
    assert_eq!(
        scene.offer.handle(now, VIEWER, &confirmation, &mut scene.random),
        Said::Nothing,
        "it is being stored"
    );
    let last = scene.offer.stored().unwrap();
    // Lost; the viewer says its own again.
    now += Duration::from_secs(1);
    let again = scene.run.poll_transmit(now).unwrap();
    assert_eq!(again, confirmation);
    assert_eq!(scene.offer.handle(now, VIEWER, &again, &mut scene.random), Said::Reply(last));
    assert_eq!(scene.run.handle(now, &last), Output::Paired(scene.camera));
}

#[test]
fn of_two_viewers_with_the_code_one_is_stored() {
    let mut scene = scene(6, true);
    let code = scene.offer.code().clone();
    scene.offer.next_run_now();
    let mut other = Run::new(&code, scene.viewer, NOW, &mut scene.random);
    let mut confirmations = Vec::new();
    for run in [&mut scene.run, &mut other] {
        scene.offer.next_run_now();
        for _ in 0..2 {
            let said = run.poll_transmit(NOW).unwrap();
            let Said::Reply(reply) = scene.offer.handle(NOW, VIEWER, &said, &mut scene.random) else {
                panic!("both know the code")
            };
            run.handle(NOW, &reply);
        }
        confirmations.push(run.poll_transmit(NOW).unwrap());
    }
    let mut confirm = |nth: usize| scene.offer.handle(NOW, VIEWER, &confirmations[nth], &mut scene.random);
    assert!(matches!(confirm(0), Said::Store(_)));
    assert_eq!(confirm(1), Said::Nothing, "the first is being stored");
    assert_eq!(confirm(0), Said::Nothing);
    assert!(scene.offer.stored().is_some());
    let mut confirm = |nth: usize| scene.offer.handle(NOW, VIEWER, &confirmations[nth], &mut scene.random);
    assert!(matches!(confirm(0), Said::Reply(_)));
    assert_eq!(confirm(1), Said::Nothing, "the code has been used");
}

#[test]
fn codes_are_read_as_people_type_them_and_never_printed_whole() {
    let code: Code = "48213-k7m2qx".parse().unwrap();
    for same in ["48213-K7M2QX", " 48213-k7m 2qx ", "48213-k7m-2qx"] {
        assert_eq!(same.parse::<Code>().unwrap(), code, "{same}");
    }
    assert_eq!("48213-00011z".parse::<Code>(), "48213-OoOilZ".parse());
    for wrong in [
        "",
        "48213",
        "4821-k7m2qx",
        "04821-k7m2qx",
        "48213-k7m2q",
        "48213-k7m2qxx",
        "48213-k7m2q!",
        "48213-k7m2qü",
    ] {
        assert_eq!(wrong.parse::<Code>(), Err(NotACode), "{wrong}");
    }
    assert!(!format!("{code:?}").contains("k7m2qx"));
    let long = Code::new(SecretLength::Scanned, &mut Counted::new(1));
    assert_eq!(long.reveal().parse::<Code>().unwrap(), long);
}

proptest! {
    /// Whatever bit changes on the way, neither end stores what the other did not say.
    #[test]
    fn a_changed_bit_stores_nothing_wrong(seed in any::<u64>(), which in 0usize..6, at in 0usize..160, bit in 0u8..8) {
        let mut scene = scene(seed, true);
        let mut nth = 0;
        let (stored, paired) = carry(&mut scene, |said| {
            if nth == which {
                let mut bytes = said.to_bytes();
                bytes[at] ^= 1 << bit;
                if let Ok(changed) = Pairing::parse(&bytes) {
                    *said = changed;
                }
            }
            nth += 1;
        });
        let viewer = Partner { role: Role::Tune, ..scene.viewer };
        prop_assert!(stored.is_none_or(|stored| stored == viewer));
        prop_assert!(paired.is_none_or(|paired| paired == scene.camera));
        prop_assert!(paired.is_none() || stored.is_some());
    }
}
