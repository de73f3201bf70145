//! The C programs and examples, built and run by `ci/c.sh tests`.

use std::path::Path;
use std::process::Command;

/// What the script ends with where something that it needs is missing.
const SKIPPED: i32 = 77;

#[test]
fn the_c_programs_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let run = Command::new("bash").arg("ci/c.sh").arg("tests").current_dir(root).output();
    let Ok(run) = run else {
        println!("skipped: no bash");
        return;
    };
    let said = String::from_utf8_lossy(&run.stdout);
    if run.status.code() == Some(SKIPPED) {
        println!("{said}");
        return;
    }
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
}
