//! (being written)
#[test]
fn look() {
    let mut out = Vec::new();
    for f in std::env::var("LOOK")
        .unwrap_or_default()
        .split(',')
        .filter(|f| !f.is_empty())
    {
        hinomi::cli::check::check_with(
            std::path::Path::new(f),
            hinomi::cli::check::CheckOptions {
                json: false,
                no_secrets: true,
            },
            &mut out,
        );
    }
    println!("{}", String::from_utf8_lossy(&out));
}
