# Takes out of Cargo.toml what only the receiver's window, the packages' assets and the tests need. Cargo
# asks for every crate that the manifest names, used or not, and the window alone names two hundred.
# Used by the recipe and by yocto/crates, which makes the matching list and Cargo.lock.
/^eframe = /d
/^clap_complete = /d
/^clap_mangen = /d
s/, "dep:eframe"//
s/, "dep:clap_complete"//
s/, "dep:clap_mangen"//
/^\[dev-dependencies\]/,/^$/d
