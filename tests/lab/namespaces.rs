#![allow(unsafe_code, reason = "setns, which std does not offer")]
//! Network namespaces of this test alone, gone when it ends.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Some hosts, each a network namespace of its own.
pub(crate) struct Lab {
    hosts: Vec<(&'static str, String)>,
}

impl Lab {
    /// Makes `hosts` without links. `None`, with the reason printed, if this user may not.
    ///
    /// # Panics
    ///
    /// If root cannot either: then the tests would silently not run where they should.
    pub(crate) fn new(hosts: &[&'static str]) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: only root makes network namespaces");
            return None;
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut lab = Self { hosts: Vec::new() };
        for host in hosts {
            let name = format!("sealcam-{}-{count}-{host}", std::process::id());
            run("ip", &["netns", "add", &name]);
            lab.hosts.push((host, name));
            lab.ip(host, "link set lo up");
            // An address would be unusable for its first seconds.
            lab.set(host, "net.ipv6.conf.default.accept_dad", "0");
            lab.set(host, "net.ipv6.conf.default.dad_transmits", "0");
        }
        Some(lab)
    }

    fn name(&self, host: &str) -> &str {
        &self.hosts.iter().find(|(short, _)| *short == host).expect("a host of this lab").1
    }

    /// Moves this thread to `host`: sockets that it opens from now on are there, and stay there.
    pub(crate) fn enter(&self, host: &str) {
        let namespace = std::fs::File::open(format!("/run/netns/{}", self.name(host))).unwrap();
        // SAFETY: setns takes a descriptor, which is open, and changes this thread only.
        let result = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
        assert_eq!(result, 0, "setns: {}", std::io::Error::last_os_error());
    }

    /// A cable from one host to another.
    pub(crate) fn link(&self, a: &str, at_a: &str, b: &str, at_b: &str) {
        let (a, b) = (self.name(a), self.name(b));
        run("ip", &["link", "add", at_a, "netns", a, "type", "veth", "peer", "name", at_b, "netns", b]);
    }

    /// `ip` on a host.
    pub(crate) fn ip(&self, host: &str, command: &str) {
        let mut arguments = vec!["-n", self.name(host)];
        arguments.extend(command.split(' '));
        run("ip", &arguments);
    }

    /// `tc` on a host; false if it refuses.
    pub(crate) fn tc(&self, host: &str, command: &str) -> bool {
        let mut tc = Command::new("tc");
        tc.args(["-n", self.name(host)]).args(command.split(' '));
        tc.output().is_ok_and(|output| output.status.success())
    }

    /// Sets a sysctl on a host.
    pub(crate) fn set(&self, host: &str, key: &str, value: &str) {
        run("ip", &["netns", "exec", self.name(host), "sysctl", "-qw", &format!("{key}={value}")]);
    }

    /// The sum of some of a host's IP counters, IPv4 and IPv6.
    pub(crate) fn snmp(&self, host: &str, names: &[&str]) -> u64 {
        self.enter(host);
        let read = |file: &str| std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap();
        let (v4, v6) = (read("snmp"), read("snmp6"));
        // One line of names, then one of values; and for IPv6 a name and a value on each line.
        let mut lines = v4.lines().filter(|line| line.starts_with("Ip:")).map(str::split_whitespace);
        let (keys, values) = (lines.next().unwrap(), lines.next().unwrap());
        let pairs = v6.lines().filter_map(|line| line.split_once(char::is_whitespace));
        let all = keys.zip(values).chain(pairs).filter(|(key, _)| names.contains(key));
        all.map(|(_, value)| value.trim().parse::<u64>().unwrap()).sum()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for (_, name) in &self.hosts {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("iproute2 is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {errors}", arguments.join(" "));
}

/// Lets some milliseconds pass.
pub(crate) fn pause(millis: u16) {
    poll(&mut [], PollTimeout::from(millis)).unwrap();
}

/// Waits until a socket takes more, or a millisecond if a queue behind it is full.
pub(crate) fn wait_for_room(socket: BorrowedFd<'_>) {
    poll(&mut [PollFd::new(socket, PollFlags::POLLOUT)], PollTimeout::from(1000_u16)).unwrap();
    pause(1);
}
