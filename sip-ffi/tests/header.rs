//! `include/sansip.h` is what cbindgen makes of this crate. `BLESS=1` writes it.

use std::path::Path;

#[test]
fn the_header_is_what_the_source_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("../include/sansip.h");
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    // In the order of the header. `arena` and `guard` have nothing in it.
    for module in ["code", "abi", "config", "output", "engine", "verb", "answer", "parse"] {
        builder = builder.with_src(root.join("src").join(module).with_extension("rs"));
    }
    let mut made = Vec::new();
    builder.generate().unwrap().write(&mut made);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &made).unwrap();
    }
    let made = String::from_utf8(made).unwrap();
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = made.lines().zip(kept.lines()).position(|(a, b)| a != b);
    assert!(
        made == kept,
        "include/sansip.h differs from line {}; BLESS=1 cargo test -p sansip-ffi --test header",
        differs.map_or(0, |n| n + 1),
    );
}
