//! The way from a display's name to an open window.

use super::app::App;
use super::{WindowError, icon};
use eframe::egui;
use std::ffi::OsString;
use std::panic;

/// The displays that the environment names.
#[derive(Debug, Default)]
pub(super) struct Display {
    wayland: Option<OsString>,
    x11: Option<OsString>,
}

impl Display {
    pub(super) fn of_environment() -> Self {
        let wayland = std::env::var_os("WAYLAND_DISPLAY").or_else(|| std::env::var_os("WAYLAND_SOCKET"));
        Self { wayland, x11: std::env::var_os("DISPLAY") }
    }
}

/// Whether there is any point in trying: macOS and Windows need no name for their display.
pub(super) fn is_named(display: Display) -> bool {
    let named = |name: Option<OsString>| name.is_some_and(|name| !name.is_empty());
    cfg!(any(target_os = "macos", target_os = "windows")) || named(display.wayland) || named(display.x11)
}

/// Opens the window and works for it until it is closed.
pub(super) fn open(
    address: &str,
    context: &egui::Context,
    app: impl FnOnce() -> App,
) -> Result<(), WindowError> {
    let viewport = egui::ViewportBuilder::default()
        .with_title(format!("{address} – sealview"))
        .with_app_id("sealview")
        .with_icon(icon::icon())
        .with_inner_size([960.0, 540.0])
        .with_min_inner_size([160.0, 90.0]);
    let options = eframe::NativeOptions {
        viewport,
        // Pictures are drawn when they come; waiting for the screen would only delay them.
        glow_options: eframe::egui_glow::GlowConfiguration { vsync: false, ..Default::default() },
        persist_window: false,
        multisampling: 0,
        ..Default::default()
    };
    let run = || {
        let create: eframe::AppCreator<'_> = Box::new(|_| Ok(Box::new(app())));
        eframe::run_native_ext("sealview", options, Some(context.clone()), create)
    };
    // A missing system library is a panic down there.
    match panic::catch_unwind(panic::AssertUnwindSafe(run)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(WindowError::Open { reason: error.to_string() }),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(WindowError::Open { reason: text.unwrap_or("the window system gave up").to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_name_is_no_display() {
        let cases = [
            (None, None, false),
            (Some(""), Some(""), false),
            (None, Some(":0"), true),
            (Some("wayland-0"), None, true),
        ];
        for (wayland, x11, named) in cases {
            let display = Display { wayland: wayland.map(Into::into), x11: x11.map(Into::into) };
            let named = named || cfg!(any(target_os = "macos", target_os = "windows"));
            assert_eq!(is_named(display), named, "{wayland:?} {x11:?}");
        }
    }
}
