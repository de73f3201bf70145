//! `include/sansip.h` is what cbindgen makes of this crate. `BLESS=1` writes it.

use std::path::Path;

#[test]
fn the_header_is_what_the_source_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("../include/sansip.h");
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    // In the order of the header. `arena` and `guard` have nothing in it.
    let modules =
        ["code", "abi", "config", "media", "output", "engine", "verb", "policy", "answer", "parse"];
    for module in modules {
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

/// `FlowOpened` as `flow_opened`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[test]
fn every_input_of_the_engine_is_in_the_three_languages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let rust = read("sip-core/src/engine/input.rs");
    let (c, python) = (read("include/sansip.h"), read("sip-py/python/sansip/_engine.py"));
    let body = rust.split("pub enum Input<'a> {").nth(1).unwrap().split("\n}").next().unwrap();
    let inputs: Vec<String> = body
        .lines()
        .map(|l| l.trim().split([' ', ',']).next().unwrap())
        .filter(|w| w.starts_with(char::is_uppercase))
        .map(snake)
        .collect();
    assert!(inputs.len() >= 22, "{inputs:?}");
    for input in inputs {
        let names = match input.as_str() {
            "answer" => ["answer_failed"; 2],
            "add_line" => ["line_add", "add_line"],
            "remove_line" => ["line_remove", "remove_line"],
            same => [same; 2],
        };
        assert!(c.contains(&format!(" sansip_{}(", names[0])), "C lacks {input}");
        assert!(python.contains(&format!("    def {}(", names[1])), "Python lacks {input}");
    }
}
