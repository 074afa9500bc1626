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
//! anything else                        -> {"ok":false,"error":"what is wrong, and the mend"}
//! ```
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
pub use protocol::{Reply, Request, SourceState, parse};
pub use socket::{ControlSocket, default_path};
