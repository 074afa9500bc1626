//! tmp
/// Where the socket is unless the configuration says otherwise.
#[must_use]
pub fn default_path() -> std::path::PathBuf {
    let given = std::env::var_os("RUNTIME_DIRECTORY").filter(|value| !value.is_empty());
    std::path::PathBuf::from(given.unwrap_or_else(|| "/run/sealcam".into())).join("control.sock")
}
