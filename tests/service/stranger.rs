#![allow(unsafe_code, reason = "the C library changes the user of all threads; the kernel of one")]
//! Another user of the machine, for as long as a closure runs.

use std::thread;

/// Nobody's number on most systems.
const NOBODY: libc::c_int = 65_534;

/// Runs `action` in a thread that belongs to another user and no group of ours. Only root can.
pub(crate) fn as_stranger<T: Send>(action: impl FnOnce() -> T + Send) -> T {
    let become_stranger = || {
        // SAFETY: these calls take numbers and an empty list, and change nothing but this thread's rights.
        let results = unsafe {
            [
                libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()),
                libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY),
                libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY),
            ]
        };
        assert_eq!(results, [0; 3], "{}", std::io::Error::last_os_error());
        action()
    };
    thread::scope(|scope| scope.spawn(become_stranger).join().unwrap())
}
