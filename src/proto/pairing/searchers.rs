//! Who has asked for channels that are not open here.

use core::net::IpAddr;

use heapless::Vec as FixedVec;

/// Wrong channels after which an address is not listened to any more, for as long as the code is open.
pub const WRONG_CHANNELS: u8 = 8;

/// Addresses that are remembered. Of more, the one with the fewest wrong channels is forgotten.
pub const SEARCHERS: usize = 64;

#[derive(Default)]
pub(super) struct Searchers(FixedVec<Searcher, SEARCHERS>);

struct Searcher {
    address: IpAddr,
    last: u32,
    wrong: u8,
}

impl Searchers {
    pub(super) fn may_ask(&self, address: IpAddr) -> bool {
        !self.0.iter().any(|searcher| searcher.address == address && searcher.wrong >= WRONG_CHANNELS)
    }

    /// Counts a wrong channel; the same one again is a viewer that waits for an answer.
    pub(super) fn count(&mut self, address: IpAddr, channel: u32) {
        if let Some(searcher) = self.0.iter_mut().find(|searcher| searcher.address == address) {
            searcher.wrong = searcher.wrong.saturating_add(u8::from(searcher.last != channel));
            searcher.last = channel;
            return;
        }
        if self.0.is_full() {
            let fewest = self.0.iter().enumerate().min_by_key(|(_, searcher)| searcher.wrong);
            let at = fewest.map_or(0, |(at, _)| at);
            self.0.remove(at);
        }
        self.0.push(Searcher { address, last: channel, wrong: 1 }).ok();
    }
}
