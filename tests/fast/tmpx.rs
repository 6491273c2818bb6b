#[test]
fn x() {
    for d in std::fs::read_dir("/tmp").unwrap().flatten() {
        let p = d.path().join("hinomi.toml");
        if d.file_name().to_string_lossy().starts_with("hnm-") && p.exists() {
            println!("{}", p.display());
            let c = hinomi::cli::check::check(&p, false, &mut std::io::stdout());
            println!("code {c}");
        }
    }
}
