//! The system call `adjtimex`, read-only.
//!
//! No safe crate hands its result on whole, so this is the one place of the exporter with unsafe code.

#![allow(unsafe_code)]

use std::io;

/// Reads the kernel's clock discipline: its state (`TIME_OK` to `TIME_ERROR`) and the record.
pub(crate) fn read() -> io::Result<(i32, libc::timex)> {
    // SAFETY: `timex` is a plain C structure of integers, for which all zeros is a valid value; padding included.
    let mut record: libc::timex = unsafe { std::mem::zeroed() };
    // `modes` is 0 in it, which asks the kernel to change nothing.
    // SAFETY: the pointer is to a record of the type that the call expects, valid for writes, and not kept by it.
    let state = unsafe { libc::adjtimex(&raw mut record) };
    if state < 0 { Err(io::Error::last_os_error()) } else { Ok((state, record)) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_answers() {
        match super::read() {
            Ok((state, record)) => {
                assert!((0..=5).contains(&state));
                assert!(record.tick > 0, "a tick takes some microseconds");
            }
            Err(error) => println!("note: this machine does not let us ask: {error}"),
        }
    }
}
