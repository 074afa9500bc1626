use super::*;
use proptest::prelude::*;

const START: Instant = Instant::from_millis(60_000);
const CAMERA: [u8; 32] = [7; 32];
const BODY: &[u8] = b"the body of a first message";

fn gate() -> Gate {
    Gate::new(&CAMERA, &core::array::from_fn(|at| at as u8), START)
}

fn from(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn knock(gate: &mut Gate, now: Instant, from: SocketAddr, cookie: Option<MacBytes>) -> Verdict {
    knock_known(gate, now, from, cookie, false)
}

fn knock_known(
    gate: &mut Gate,
    now: Instant,
    from: SocketAddr,
    cookie: Option<MacBytes>,
    known: bool,
) -> Verdict {
    let first = GateKeys::new(&CAMERA).first_mac(BODY);
    let second = cookie.map_or([0; MAC_LEN], |cookie| second_mac(&cookie, BODY, &first));
    let knock = Knock { from, known, body: BODY, first_mac: &first, second_mac: &second };
    gate.judge(now, &knock, |bytes| bytes.fill(0x42))
}

/// Keeps knocking from many addresses until a cookie is asked for, and gives that for `address`.
fn cookie_for(gate: &mut Gate, now: Instant, address: SocketAddr) -> MacBytes {
    for last in 0..=FREE_PER_WINDOW {
        knock(gate, now, from(&format!("198.51.100.{last}:1")), None);
    }
    let Verdict::Cookie(sealed) = knock(gate, now, address, None) else { panic!("not busy") };
    let keys = GateKeys::new(&CAMERA);
    keys.open_cookie(&keys.first_mac(BODY), &sealed).unwrap()
}

#[test]
fn who_does_not_know_the_camera_gets_no_answer() {
    let mut gate = gate();
    let first = GateKeys::new(&[8; 32]).first_mac(BODY);
    for _ in 0..1000 {
        let stranger = Knock {
            from: from("192.0.2.1:5"),
            known: false,
            body: BODY,
            first_mac: &first,
            second_mac: &[0; MAC_LEN],
        };
        assert_eq!(gate.judge(START, &stranger, |_| panic!("no randomness is spent")), Verdict::Stranger);
    }
    // Nor do they make the gate busy for others.
    assert_eq!(knock(&mut gate, START, from("192.0.2.1:5"), None), Verdict::Pass);
    assert_eq!(gate.counters(), GateCounters { passed: 1, strangers: 1000, ..GateCounters::default() });
}

#[test]
fn whoever_has_many_addresses_does_not_have_all_of_the_time() {
    let mut gate = gate();
    let mut now = START;
    let address = |nth: u32| SocketAddr::from((nth.to_be_bytes(), 5));
    let passes = |gate: &mut Gate, now, nth, known| {
        let cookie = cookie_for(gate, now, address(nth));
        knock_known(gate, now, address(nth), Some(cookie), known) == Verdict::Pass
    };
    let first = 0x0a00_0000;
    let passed = (first..first + 500).filter(|nth| passes(&mut gate, now, *nth, false)).count();
    assert_eq!(passed, (PROVEN_BURST - PROVEN_RESERVE) as usize);
    // A viewer that is in comes in again all the same.
    assert!(passes(&mut gate, now, 0x0b00_0000, true));
    now += PROVEN_COST * 2;
    assert!(passes(&mut gate, now, 0x0b00_0001, false));
    assert!(!passes(&mut gate, now, 0x0b00_0002, false));
    assert!(gate.counters().limited >= 436);
}

#[test]
fn under_load_only_a_cookie_for_the_same_address_and_port_passes() {
    let mut gate = gate();
    let cookie = cookie_for(&mut gate, START, from("192.0.2.1:5"));
    assert_eq!(knock(&mut gate, START, from("192.0.2.1:5"), Some(cookie)), Verdict::Pass);
    for other in ["192.0.2.1:6", "192.0.2.2:5", "[2001:db8::1]:5"] {
        assert!(matches!(knock(&mut gate, START, from(other), Some(cookie)), Verdict::Cookie(_)), "{other}");
    }
    // The same address as a socket for both families shows it.
    assert_eq!(knock(&mut gate, START, from("[::ffff:192.0.2.1]:5"), Some(cookie)), Verdict::Pass);
    assert_eq!(knock(&mut gate, START + BUSY_FOR, from("203.0.113.9:1"), None), Verdict::Pass);
}

#[test]
fn cookies_grow_old() {
    for (age, passes) in [(0, true), (119, true), (121, true), (239, true), (241, false), (500, false)] {
        let mut gate = gate();
        let address = from("192.0.2.1:5");
        let cookie = cookie_for(&mut gate, START, address);
        let mut now = START;
        for _ in 0..age {
            now += Duration::from_secs(1);
            cookie_for(&mut gate, now, from("203.0.113.9:1"));
        }
        let verdict = knock(&mut gate, now, address, Some(cookie));
        assert_eq!(verdict == Verdict::Pass, passes, "after {age} s: {verdict:?}");
    }
    // Nobody came for a long time: the old secret is not kept for as long again.
    let mut gate = gate();
    let cookie = cookie_for(&mut gate, START, from("192.0.2.1:5"));
    let late = START + SECRET_LIFE * 2;
    cookie_for(&mut gate, late, from("203.0.113.9:1"));
    assert!(matches!(knock(&mut gate, late, from("192.0.2.1:5"), Some(cookie)), Verdict::Cookie(_)));
}

#[test]
fn a_cookie_grows_no_older_when_nobody_comes_in_time_to_change_the_secret() {
    let mut gate = gate();
    let address = from("192.0.2.1:5");
    let cookie = cookie_for(&mut gate, START, address);
    // The first to come finds the secret nearly twice as old as it should be.
    cookie_for(&mut gate, START + Duration::from_secs(239), from("203.0.113.9:1"));
    let late = START + SECRET_LIFE * 2;
    cookie_for(&mut gate, late, from("203.0.113.9:1"));
    assert!(matches!(knock(&mut gate, late, address, Some(cookie)), Verdict::Cookie(_)));
}

#[test]
fn a_prefix_has_its_share_and_no_more() {
    let mut gate = gate();
    let mut passed = 0;
    // One message in 20 ms for ten seconds, from one /64, slow enough that the gate is never busy.
    for nth in 0..500u32 {
        let now = START + Duration::from_millis(20) * nth;
        let address = from(&format!("[2001:db8::{nth:x}]:5"));
        passed += u32::from(knock(&mut gate, now, address, None) == Verdict::Pass);
    }
    // As many at once as a burst, then what ten seconds bring.
    assert_eq!(passed, BURST + 49);
    let now = START + Duration::from_secs(10);
    assert_eq!(knock(&mut gate, now, from("[2001:db8:0:1::1]:5"), None), Verdict::Pass);
}

#[test]
fn a_clock_that_has_just_begun_lets_in() {
    let mut gate = Gate::new(&CAMERA, &[1; 64], Instant::ORIGIN);
    assert_eq!(knock(&mut gate, Instant::ORIGIN, from("192.0.2.1:5"), None), Verdict::Pass);
}

proptest! {
    /// A cookie that was changed anywhere, or is for another message or camera, does not open.
    #[test]
    fn forged_cookies_do_not_open(at in 0..SEALED_COOKIE_LEN, bit in 0..8u32, other in any::<[u8; MAC_LEN]>()) {
        let keys = GateKeys::new(&CAMERA);
        let sealed = keys.seal_cookie(&[1; MAC_LEN], &[2; MAC_LEN], [3; NONCE_LEN]);
        prop_assert_eq!(keys.open_cookie(&[1; MAC_LEN], &sealed), Some([2; MAC_LEN]));
        let mut forged = sealed;
        forged[at] ^= 1 << bit;
        prop_assert_eq!(keys.open_cookie(&[1; MAC_LEN], &forged), None);
        prop_assume!(other != [1; MAC_LEN]);
        prop_assert_eq!(keys.open_cookie(&other, &sealed), None);
        prop_assert_eq!(GateKeys::new(&[8; 32]).open_cookie(&[1; MAC_LEN], &sealed), None);
    }

    /// Anything that changes a message changes whether it passes.
    #[test]
    fn changed_messages_are_strangers(body in prop::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>()) {
        let first = GateKeys::new(&CAMERA).first_mac(&body);
        let mut changed = body.clone();
        *at.get_mut(&mut changed) ^= 1;
        let mut gate = gate();
        let knock = Knock { from: from("192.0.2.1:5"), known: false, body: &changed, first_mac: &first, second_mac: &[0; MAC_LEN] };
        prop_assert_eq!(gate.judge(START, &knock, |_| ()), Verdict::Stranger);
    }
}
