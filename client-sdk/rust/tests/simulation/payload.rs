//! What calls carry: bytes that tell which call they belong to.

pub(crate) const READ: &str = "/simulation.Reader/Read";
pub(crate) const WRITE: &str = "/simulation.Writer/Write";
pub(crate) const COUNT: &str = "/simulation.Writer/Count";

/// The header that names the call, for servers that do not read the request.
pub(crate) const CALL_HEADER: &str = "simulation-call";

pub(crate) fn request(call: usize, length: usize) -> Vec<u8> {
    bytes(call, u32::MAX, length)
}

/// The answer of a unary call is number 0.
pub(crate) fn response(call: usize, number: u32, length: usize) -> Vec<u8> {
    bytes(call, number, length)
}

fn bytes(call: usize, number: u32, length: usize) -> Vec<u8> {
    let mark = u64::from(number) << 32 | call as u64;
    let mark = mark.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    mark.into_iter().cycle().take(length.max(mark.len())).collect()
}
