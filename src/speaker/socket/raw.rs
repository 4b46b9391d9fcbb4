//! Socket options that no safe library has, by number.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd};

/// A value that the kernel reads as octets.
///
/// # Safety
/// The type has no padding, or its padding is initialised, and no pointers.
#[expect(unsafe_code, reason = "what is given to the kernel must be nothing but initialised octets")]
pub(super) unsafe trait Plain {}

#[expect(unsafe_code, reason = "an integer is plain octets")]
// SAFETY: no padding, no pointers.
unsafe impl Plain for libc::c_int {}

#[expect(unsafe_code, reason = "setsockopt takes a pointer")]
pub(super) fn set<T: Plain>(socket: &impl AsFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open for as long as it is borrowed, and `value` is `length` initialised octets (`Plain`) that
    // the kernel copies before it returns.
    let done = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), length)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The octets of an option, at most `N` of them.
#[expect(unsafe_code, reason = "getsockopt takes a pointer")]
pub(super) fn get<const N: usize>(socket: &impl AsFd, level: i32, option: i32) -> io::Result<Vec<u8>> {
    let mut octets = [MaybeUninit::<u8>::uninit(); N];
    let mut length = libc::socklen_t::try_from(N).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open for as long as it is borrowed; the kernel writes at most `length` octets, which is the
    // size of the buffer, and then sets `length` to how many those were.
    let done = unsafe {
        libc::getsockopt(socket.as_fd().as_raw_fd(), level, option, octets.as_mut_ptr().cast(), &raw mut length)
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let written = octets.iter().take(length as usize);
    // SAFETY: the kernel has written the first `length` of them.
    Ok(written.map(|octet| unsafe { octet.assume_init() }).collect())
}
