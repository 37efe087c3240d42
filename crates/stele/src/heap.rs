//! How much memory the heap may keep.

/// glibc gives threads heaps of their own, up to eight a core, and each keeps the most that it was ever asked for. One
/// a core is half of the memory and nearly as fast. glibc reads this limit when a process starts, so the server starts
/// itself again with it, as the same process, unless who started it has said how many there may be.
pub(crate) fn limit() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::os::unix::process::CommandExt;

        const LIMIT: &str = "MALLOC_ARENA_MAX";
        if [LIMIT, "GLIBC_TUNABLES"].iter().any(|name| std::env::var_os(name).is_some()) {
            return;
        }
        let (Ok(program), Ok(cores)) = (std::env::current_exe(), std::thread::available_parallelism()) else { return };
        let mut arguments = std::env::args_os();
        let mut again = std::process::Command::new(program);
        if let Some(name) = arguments.next() {
            again.arg0(name);
        }
        // It comes back only if it fails; then the server runs as it is, in more memory.
        let _ = again.args(arguments).env(LIMIT, cores.to_string()).exec();
    }
}
