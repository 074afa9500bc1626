//! What anybody on the local network may say to those who announce a camera, and to those who look for one.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libfuzzer_sys::fuzz_target;
use sealcam::net::discovery::{Announcer, Browser, Neighbourhood, PORT, Service, Wanted};
use sealcam::time::Instant;

fuzz_target!(|data: &[u8]| {
    let now = Instant::from_millis(1_000_000);
    let own = IpAddr::from(Ipv4Addr::new(10, 0, 0, 1));
    let Ok(name) = "barn".parse() else { return };
    let service = Service::new(name, 5004, "0123-4567-89ab-cdef");
    let mut announcer = Announcer::new(service, Ipv6Addr::UNSPECIFIED.into());
    announcer.set_neighbourhoods(now, &[Neighbourhood { index: 1, name: None, addresses: vec![own] }]);
    let mut browser = Browser::new(Wanted::All, now);
    for port in [PORT, 1] {
        let from = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 9), port));
        let alone = announcer.hear(now, 1, from, data);
        let answers = alone.into_iter().chain(announcer.poll_transmit(now).map(|(_, packet)| packet));
        for answer in answers {
            let mut fresh = Browser::new(Wanted::All, now);
            fresh.hear(1, (own, PORT).into(), &answer);
            assert_eq!(fresh.found().len(), 1);
        }
        browser.hear(1, from, data);
    }
    assert!(browser.found().len() <= 64 && browser.found().iter().all(|found| found.addresses.len() <= 8));
});
