//! The program: hands over to the command line and turns its outcome into an exit code.

/// Polling makes and frees small pieces all the time; the system's allocator spends a fifth of the program's time on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    hinomi::cli::main(std::env::args_os()).into()
}
