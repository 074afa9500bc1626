//! Who may come in, as the list says.

use super::Crowd;
use crate::keys::list::ListError;
use crate::keys::viewers::{Viewer, ViewersFile, ViewersList};
use crate::proto::group::Admitted;
use crate::time::Instant;
use crate::wire::Name;

impl Crowd {
    /// Reads the list again. One that cannot be read changes nothing: a slip of the pen puts nobody out.
    pub fn reload(&mut self, now: Instant) {
        match self.list.read() {
            Ok(list) => {
                if self.trouble.take().is_some() {
                    log::info!("the list of viewers is good again");
                }
                self.admit(now, &list);
            }
            Err(why) => {
                let why = why.to_string();
                if self.trouble.as_ref() != Some(&why) {
                    log::error!("{why}; the viewers let in before stay let in");
                    self.trouble = Some(why);
                }
            }
        }
    }

    /// Puts a viewer out although the list cannot be changed. Says whether it could be read.
    pub fn put_out(&mut self, now: Instant, name: Name) -> bool {
        let list = self.list.read().map(|mut list| {
            list.remove(name);
            list
        });
        list.map(|list| self.admit(now, &list)).is_ok()
    }

    pub(super) fn admit(&mut self, now: Instant, list: &ViewersList) {
        let admitted: Vec<Admitted> = list
            .iter()
            .map(|viewer| Admitted { key: viewer.key, name: viewer.name, role: viewer.role })
            .collect();
        self.group.set_admitted(now, &admitted, &mut self.random);
    }

    /// All who may come in, as the file says now.
    ///
    /// # Errors
    ///
    /// [`ListError`] if it cannot be read.
    pub fn listed(&mut self) -> Result<Vec<Viewer>, ListError> {
        // Another reader, so that a change is still noticed by this one.
        let list = ViewersFile::new(self.state.clone()).read()?;
        Ok(list.iter().copied().collect())
    }

    /// The list of who may come in.
    #[must_use]
    pub const fn list(&self) -> &ViewersFile {
        &self.list
    }
}
