//! The control socket: how commands speak to the running service.
//!
//! A Unix stream socket of mode 0660. The peer's credentials are asked of the kernel: root, the service's own
//! user and members of the socket's group may speak. A connection carries one request, one line of JSON of at
//! most 4 KiB, and one answer, a line of JSON:
//!
//! ```json
//! {"do":"status"}                      -> {"ok":true,"status":{...}}
//! {"do":"sources"}                     -> {"ok":true,"active":"front","sources":[{"name":"front",...}]}
//! {"do":"source","name":"front"}       -> {"ok":true,"active":"front","sources":[...]}
//! {"do":"source","name":"off"}         -> {"ok":true,"sources":[...]}
//! {"do":"tune","quality":70}           -> {"ok":true,"picture":"..."}    and fps, size, source, area, controls
//! {"do":"viewers","from":0}            -> {"ok":true,"viewers":[{"name":"anna",...}],"next":8}
//! {"do":"viewer-add","name":"anna","key":"sealpub1...","role":"view"}
//! {"do":"viewer-remove","name":"anna"} -> {"ok":true,...}
//! {"do":"pair","role":"view"}          -> {"ok":true,"pairing":{"state":"open","code":"48213-k7m2qx",...}}
//! {"do":"pairing"}                     -> {"ok":true,"pairing":{"state":"used","viewer":"anna",...}}
//! {"do":"pair-cancel"}                 -> {"ok":true}
//! anything else                        -> {"ok":false,"error":"what is wrong, and the mend"}
//! ```
//!
//! A paired viewer asks the same inside its session, as far as its role goes.
//!
//! | file | what it does |
//! |---|---|
//! | `protocol` | requests and answers, from and to bytes |
//! | `socket` | the listening socket: made, guarded, removed |
//! | `peer` | who is at the other end |
//! | `client` | the commands' side |

pub mod client;
mod peer;
mod protocol;
mod socket;

pub(crate) use protocol::respond;
pub use protocol::{PairingState, Reply, Request, SourceState, Tune, ViewerState, parse, parse_line};
pub use socket::{ControlSocket, default_path, find, user_path};
