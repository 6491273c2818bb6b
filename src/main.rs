//! The program: hands over to the command line and turns its outcome into an exit code.

fn main() -> std::process::ExitCode {
    hinomi::cli::main(std::env::args_os()).into()
}
