//! Settings of the viewer, checked: whoever holds one can run.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::args::{ConnectArgs, PeerArgs, ViewArgs, WatchArgs};
use super::recorder::Container;
use crate::exit::RunError;
use crate::keys::identity::public_key_from_text;
use crate::net::{Interface, ReceiveOptions};
use crate::proto::identity::PublicKey;
use crate::time::Duration;

/// Settings of `sealview watch`.
#[derive(Debug, Clone)]
pub struct WatchConfig {
    /// Where to listen.
    pub receive: ReceiveOptions,
    /// The key file.
    pub key: PathBuf,
    /// What becomes of the frames.
    pub view: ViewConfig,
    /// Where state is kept.
    pub state: Option<PathBuf>,
    /// Forget what was seen under the key.
    pub forget: bool,
}

/// Settings of `sealview connect`.
#[derive(Debug, Clone)]
pub struct ConnectConfig {
    /// Which camera.
    pub peer: PeerConfig,
    /// Receive from the camera's group.
    pub multicast: bool,
    /// What becomes of the frames.
    pub view: ViewConfig,
}

/// Which paired camera, and how it is reached.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// As the person says it: a name, an address, a host; perhaps a port.
    pub camera: String,
    /// Its key, if that was given.
    pub key: Option<PublicKey>,
    /// The interface to reach it by.
    pub interface: Option<Interface>,
    /// Where state is kept.
    pub state: Option<PathBuf>,
}

/// What becomes of the frames, whichever way they come.
#[derive(Debug, Clone)]
pub struct ViewConfig {
    /// Whether a window is wanted.
    pub window: bool,
    /// Whether frames go to standard output.
    pub stdout: bool,
    /// The recording.
    pub record: Option<PathBuf>,
    /// The snapshot.
    pub snapshot: Option<PathBuf>,
    /// Stop after this many whole frames.
    pub frames: Option<u64>,
    /// Give up after this time without a whole frame.
    pub timeout: Option<Duration>,
    /// Where figures go.
    pub stats_json: Option<PathBuf>,
}

impl TryFrom<WatchArgs> for WatchConfig {
    type Error = RunError;

    fn try_from(args: WatchArgs) -> Result<Self, RunError> {
        let at: SocketAddr = args.at.parse().map_err(|_| {
            RunError::Usage(format!(
                "ADDR:PORT: {:?} is no address and port: write 0.0.0.0:5000 or [::]:5000 for all interfaces, \
                 or a multicast group such as 239.1.2.3:5000",
                args.at
            ))
        })?;
        if at.port() == 0 {
            return Err(RunError::Usage(
                "ADDR:PORT: port 0 would be a different one every time: choose one".into(),
            ));
        }
        Ok(Self {
            receive: ReceiveOptions { interface: args.interface, ..ReceiveOptions::new(at) },
            key: args.key,
            view: args.view.try_into()?,
            state: args.state,
            forget: args.forget,
        })
    }
}

impl TryFrom<ConnectArgs> for ConnectConfig {
    type Error = RunError;

    fn try_from(args: ConnectArgs) -> Result<Self, RunError> {
        Ok(Self { peer: args.peer.try_into()?, multicast: args.multicast, view: args.view.try_into()? })
    }
}

impl TryFrom<PeerArgs> for PeerConfig {
    type Error = RunError;

    fn try_from(args: PeerArgs) -> Result<Self, RunError> {
        let key = args.camera_key.as_deref().map(public_key_from_text).transpose();
        let key = key.map_err(|why| RunError::Usage(format!("--key: {why}")))?;
        Ok(Self { camera: args.camera, key, interface: args.interface, state: args.state })
    }
}

impl TryFrom<ViewArgs> for ViewConfig {
    type Error = RunError;

    fn try_from(args: ViewArgs) -> Result<Self, RunError> {
        if let Some(path) = &args.record {
            Container::of(path).map_err(|why| RunError::Usage(format!("--record: {why}")))?;
        }
        let figures_on_stdout = args.stats_json.as_ref().is_some_and(|path| path.as_os_str() == "-");
        if args.stdout && figures_on_stdout {
            return Err(RunError::Usage(
                "--stdout and --stats-json -: standard output carries one of them; name a file for the figures"
                    .into(),
            ));
        }
        Ok(Self {
            window: !args.no_window && !args.stdout,
            stdout: args.stdout,
            record: args.record,
            snapshot: args.snapshot,
            frames: args.frames.map(Into::into),
            timeout: args.timeout.map(Duration::from_secs_f64),
            stats_json: args.stats_json,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::viewer::args::{Cli, Command};
    use clap::{CommandFactory, Parser};

    fn config(line: &str) -> Result<WatchConfig, String> {
        let words = ["sealview", "watch", "--key", "k"].into_iter().chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|why| why.to_string())?;
        let Command::Watch(args) = cli.command else { panic!("{line}") };
        WatchConfig::try_from(*args).map_err(|why| why.to_string())
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_settings_name_the_option_and_the_mend() {
        let cases = [
            ("5000", "ADDR:PORT"),
            ("0.0.0.0:0", "port 0"),
            ("0.0.0.0:5000 --record film.mp4", "--record"),
            ("0.0.0.0:5000 --stdout --stats-json -", "--stats-json -"),
            ("0.0.0.0:5000 --timeout 0", "--timeout"),
            ("0.0.0.0:5000 --frames 0", "--frames"),
        ];
        for (line, names) in cases {
            let why = config(line).expect_err(line);
            assert!(why.contains(names), "{line}: {why}");
        }
    }

    fn connect(line: &str) -> Result<ConnectConfig, String> {
        let words = ["sealview", "connect"].into_iter().chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|why| why.to_string())?;
        let Command::Connect(args) = cli.command else { panic!("{line}") };
        ConnectConfig::try_from(*args).map_err(|why| why.to_string())
    }

    #[test]
    fn a_paired_camera_takes_the_same_options() {
        let config =
            connect("barn:5005 --multicast --no-window --frames 3 --interface lo --state dir").unwrap();
        assert_eq!(
            (config.peer.camera.as_str(), config.multicast, config.view.frames),
            ("barn:5005", true, Some(3))
        );
        assert!(config.peer.interface.is_some() && config.peer.state.is_some() && !config.view.window);
        assert!(connect("barn --record film.mp4").unwrap_err().contains("--record"));
    }

    #[test]
    fn what_is_no_public_key_is_not_repeated() {
        let why = connect("barn --key sealsecretfoobar").unwrap_err();
        assert!(why.starts_with("--key: ") && !why.contains("foobar"), "{why}");
    }

    #[test]
    fn commands_to_a_camera_are_read() {
        let parse = |line: &str| {
            Cli::try_parse_from(["sealview"].into_iter().chain(line.split_whitespace()))
                .map(|cli| cli.command)
        };
        let good = [
            "tune barn --quality 60 --fps 7.5 --size 640x360 --source front --control gain=3 --control focus=1",
            "viewers barn",
            "viewers barn list --state dir",
            "viewers barn add anna sealpub1x --role tune --key sealpub1y",
            "viewers --interface lo barn remove anna",
        ];
        for line in good {
            assert!(matches!(parse(line), Ok(Command::Tune(_) | Command::Viewers(_))), "{line}");
        }
        let wrong = [
            ("tune barn --quality 0", "--quality"),
            ("tune barn --fps 1000", "--fps"),
            ("tune barn --size 640", "640x360"),
            ("viewers barn add anna sealpub1x --role root", "view, tune or admin"),
            ("viewers barn add -a sealpub1x", "-a"),
        ];
        for (line, names) in wrong {
            let why = parse(line).expect_err(line).to_string();
            assert!(why.contains(names), "{line}: {why}");
        }
    }

    #[test]
    fn standard_output_takes_the_place_of_the_window() {
        assert!(config("[::]:5000").unwrap().view.window);
        assert!(!config("[::]:5000 --stdout").unwrap().view.window);
        assert!(!config("[::]:5000 --no-window").unwrap().view.window);
    }
}
