//! `sealview viewers`: whom a paired camera lets in.

use super::errand::Errand;
use super::requests::{ListedViewer, Reply, Request, printable};
use crate::commands::say;
use crate::exit::RunError;
use crate::keys::identity::public_key_from_text;
use crate::keys::list::MOST;
use crate::viewer::args::{AddViewerArgs, ViewersArgs, ViewersCommand};

/// Does what `sealview viewers` was asked to.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend.
pub fn viewers(args: ViewersArgs) -> Result<(), RunError> {
    let command = args.command.unwrap_or(ViewersCommand::List);
    // What is wrong in the command is told before anyone is asked.
    if let ViewersCommand::Add(viewer) = &command {
        public_key_from_text(&viewer.key).map_err(|why| RunError::usage(format!("KEY: {why}")))?;
    }
    let mut errand = Errand::begin(&args.peer.try_into()?)?;
    let told = run(&command, |request| errand.ask(request));
    errand.end();
    say(&told?)
}

fn run(
    command: &ViewersCommand,
    mut ask: impl FnMut(&Request) -> Result<Reply, RunError>,
) -> Result<String, RunError> {
    match command {
        ViewersCommand::List => Ok(as_text(&list(ask)?)),
        ViewersCommand::Add(AddViewerArgs { name, key, role }) => {
            let (name, key) = (name.to_string(), key.clone());
            ask(&Request::ViewerAdd { name: name.clone(), key, role: role.name() })?;
            Ok(format!("{name} is let in, with the role {role}.\n"))
        }
        ViewersCommand::Remove { name } => {
            let name = name.to_string();
            ask(&Request::ViewerRemove { name: name.clone() })?;
            Ok(format!("{name} is let in no longer.\n"))
        }
    }
}

/// Asks for one part of the list after the other.
fn list(mut ask: impl FnMut(&Request) -> Result<Reply, RunError>) -> Result<Vec<ListedViewer>, RunError> {
    let mut all = Vec::new();
    let mut from = 0;
    loop {
        let reply = ask(&Request::Viewers { from })?;
        all.extend(reply.viewers);
        match reply.next {
            Some(next) if next > from && all.len() < MOST => from = next,
            _ => return Ok(all),
        }
    }
}

fn as_text(list: &[ListedViewer]) -> String {
    if list.is_empty() {
        return "Nobody is let in.\n".into();
    }
    let widest = list.iter().map(|viewer| viewer.name.chars().count()).max().unwrap_or_default();
    let line = |viewer: &ListedViewer| {
        let ListedViewer { name, role, key, address, joined_s } = viewer;
        let there = match (address, joined_s) {
            (Some(address), Some(seconds)) => format!(" at {address} for {seconds:.0} s"),
            (Some(address), None) => format!(" at {address}"),
            (None, _) => String::new(),
        };
        printable(&format!("{name:<widest$} {role:<5} {key}{there}")) + "\n"
    };
    list.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_come_in_parts() {
        let mut asked = vec![];
        let told = run(&ViewersCommand::List, |request| {
            asked.push(request.clone());
            let part = match request {
                Request::Viewers { from: 0 } => {
                    r#"{"ok":true,"viewers":[{"name":"a","role":"view","key":"K"}],"next":1}"#
                }
                _ => {
                    r#"{"ok":true,"viewers":[{"name":"ben","role":"admin","key":"L","address":"10.0.0.9:4",
                        "joined_s":61.4}],"next":1}"#
                }
            };
            Reply::parse(part.as_bytes())
        });
        assert_eq!(told.unwrap(), "a   view  K\nben admin L at 10.0.0.9:4 for 61 s\n");
        assert_eq!(asked, [Request::Viewers { from: 0 }, Request::Viewers { from: 1 }]);
        let none = run(&ViewersCommand::List, |_| Reply::parse(br#"{"ok":true}"#));
        assert_eq!(none.unwrap(), "Nobody is let in.\n");
    }

    #[test]
    fn changes_are_asked_for_once() {
        let add = AddViewerArgs {
            name: "anna".parse().unwrap(),
            key: "sealpub1x".into(),
            role: crate::wire::Role::Tune,
        };
        let remove = ViewersCommand::Remove { name: "anna".parse().unwrap() };
        for (command, request, words) in [
            (
                ViewersCommand::Add(add),
                Request::ViewerAdd { name: "anna".into(), key: "sealpub1x".into(), role: "tune" },
                "with the role tune",
            ),
            (remove, Request::ViewerRemove { name: "anna".into() }, "no longer"),
        ] {
            let told = run(&command, |asked| {
                assert_eq!(*asked, request);
                Reply::parse(br#"{"ok":true}"#)
            });
            assert!(told.unwrap().contains(words));
            let refused = run(&command, |_| Reply::parse(br#"{"ok":false,"error":"you may not"}"#));
            assert!(refused.unwrap_err().to_string().contains("you may not"));
        }
    }
}
