//! Where the reference vectors are, when they are.

use std::path::{Path, PathBuf};

/// The folder of one set of vectors: in `SANSIP_VECTORS`, or in `shared/reference/vectors` beside
/// the repository or any folder above it. `None`, and a note printed, when there is none.
pub fn folder(set: &str) -> Option<PathBuf> {
    let found = std::env::var_os("SANSIP_VECTORS").map(PathBuf::from).or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|a| a.join("shared/reference/vectors"))
            .find(|p| p.is_dir())
    });
    let folder = found.map(|f| f.join(set)).filter(|f| f.is_dir());
    if folder.is_none() {
        println!("skipped: no reference vectors `{set}`");
    }
    folder
}
