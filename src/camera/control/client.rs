//! The commands' side of the control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::protocol::{Reply, Request};
use crate::exit::RunError;
use crate::time::Duration;

/// A service that lives answers in a fraction of that, even while it opens a camera.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any answer has.
const LONGEST_REPLY: u64 = 1 << 20;

/// Asks the service at `path`; gives the answer and its line.
///
/// # Errors
///
/// [`RunError`] if there is no service, or it refuses.
pub fn ask(path: &Path, request: &Request) -> Result<(Reply, String), RunError> {
    let line = exchange(path, request).map_err(|why| explain(path, &why))?;
    let reply: Reply = serde_json::from_str(&line).map_err(|why| {
        RunError::Failed(format!("{}: the service's answer is not understood: {why}", path.display()))
    })?;
    match reply.error {
        Some(why) => Err(RunError::Failed(why)),
        None => Ok((reply, line)),
    }
}

fn exchange(path: &Path, request: &Request) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream.take(LONGEST_REPLY)).read_line(&mut answer)?;
    if answer.ends_with('\n') { Ok(answer) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn explain(path: &Path, why: &io::Error) -> RunError {
    let path = path.display();
    RunError::Failed(match why.kind() {
        io::ErrorKind::NotFound => format!(
            "no service is running: there is no control socket at {path}; start it with \
             `systemctl start sealcam` or `sealcam run --config FILE`, or name its socket with --control PATH"
        ),
        io::ErrorKind::ConnectionRefused => {
            format!("no service is running: nobody listens at {path} any more; start it again")
        }
        io::ErrorKind::PermissionDenied => {
            format!("{path}: permission denied: be root, the service's user, or in the socket's group")
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("{path}: the service does not answer; its log says more (`journalctl -u sealcam`)")
        }
        _ => format!("{path}: {why}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_service_the_mend_is_named() {
        let folder = crate::keys::state::test_folder();
        let path = folder.path().join("control.sock");
        let why = ask(&path, &Request::Status {}).unwrap_err().to_string();
        assert!(why.starts_with("no service is running") && why.contains("sealcam run"), "{why}");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let why = ask(&path, &Request::Status {}).unwrap_err().to_string();
        assert!(why.contains("nobody listens"), "{why}");
    }
}
