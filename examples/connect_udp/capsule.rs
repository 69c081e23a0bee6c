//! Capsules (RFC 9297 3.2), and the datagrams in them (RFC 9298 5).
//!
//! ```text
//! Capsule  = type (i), length (i), value
//! DATAGRAM = type 0, value: context (i), of which 0 is UDP, and the payload
//! ```

/// A variable-length integer and what is behind it (RFC 9000 16); `None` if there is not all of it yet.
fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, _) = bytes.split_first()?;
    let (own, rest) = bytes.split_at_checked(1 << (first >> 6))?;
    let value = own
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    // The two bits that tell the length are not part of it.
    Some((value & (u64::MAX >> (66 - 8 * own.len())), rest))
}

fn write_varint(value: u64, bytes: &mut Vec<u8>) {
    match value {
        0..0x40 => bytes.push(value as u8),
        0x40..0x4000 => bytes.extend((value as u16 | 0x4000).to_be_bytes()),
        0x4000..0x4000_0000 => bytes.extend((value as u32 | 0x8000_0000).to_be_bytes()),
        _ => bytes.extend((value | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

/// The longest payload of UDP.
pub(crate) const MAX_PAYLOAD: usize = 65_527;
const DATAGRAM: u64 = 0;
const UDP: u64 = 0;

/// Writes a payload as a capsule.
pub(crate) fn write(payload: &[u8], bytes: &mut Vec<u8>) {
    write_varint(DATAGRAM, bytes);
    write_varint(payload.len() as u64 + 1, bytes);
    write_varint(UDP, bytes);
    bytes.extend_from_slice(payload);
}

/// Takes capsules apart as they come, and holds one datagram at most.
#[derive(Default)]
pub(crate) struct Reader {
    held: Vec<u8>,
    /// How much of a capsule that is nothing to us is still to come.
    skip: u64,
}

/// A datagram that no UDP could have sent. The connection is of no use after it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Reader {
    /// Takes what was read, and gives the payloads that are whole to `deliver`.
    pub(crate) fn read(
        &mut self,
        mut bytes: &[u8],
        mut deliver: impl FnMut(&[u8]),
    ) -> Result<(), TooLong> {
        loop {
            let skipped =
                usize::try_from(self.skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
            self.skip -= skipped as u64;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            // A byte at a time until the length is known, then as many as that.
            let wanted = self.wanted().min(bytes.len());
            let (taken, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
            self.held.extend_from_slice(taken);
            bytes = rest;
            self.finish(&mut deliver)?;
        }
    }

    /// How many more bytes it takes to know more of the capsule that has begun.
    fn wanted(&self) -> usize {
        match head(&self.held) {
            Some((_, length, value)) => {
                usize::try_from(length).map_or(1, |length| length - value.len())
            }
            None => 1,
        }
    }

    /// Delivers a datagram that is whole, or begins to skip what is none.
    fn finish(&mut self, deliver: &mut impl FnMut(&[u8])) -> Result<(), TooLong> {
        let Some((kind, length, value)) = head(&self.held) else {
            return Ok(());
        };
        if kind != DATAGRAM {
            self.skip = length;
            self.held.clear();
            return Ok(());
        }
        // The context may be written in more octets than it needs.
        if length > MAX_PAYLOAD as u64 + 8 {
            return Err(TooLong);
        }
        if value.len() as u64 == length {
            match read_varint(value) {
                Some((UDP, payload)) if payload.len() <= MAX_PAYLOAD => deliver(payload),
                Some((UDP, _)) => return Err(TooLong),
                // Another context, which nobody agreed on, is dropped (RFC 9298 4).
                _ => {}
            }
            self.held.clear();
        }
        Ok(())
    }
}

/// A capsule's type, its length, and what there is of its value.
fn head(bytes: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (kind, rest) = read_varint(bytes)?;
    let (length, value) = read_varint(rest)?;
    Some((kind, length, value))
}

#[cfg(test)]
mod tests {
    use super::{MAX_PAYLOAD, Reader, TooLong, read_varint, write, write_varint};

    #[test]
    fn integers_are_those_of_rfc_9000() {
        // Its examples, in A.1.
        for (bytes, value) in [
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..],
                151_288_809_941_952_652,
            ),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
        ] {
            assert_eq!(read_varint(bytes), Some((value, &[][..])));
            let mut written = Vec::new();
            write_varint(value, &mut written);
            assert_eq!(written, bytes);
        }
        assert_eq!(read_varint(&[0x40, 0x25]), Some((37, &[][..])));
        assert_eq!(read_varint(&[0x40]), None);
    }

    fn read(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, TooLong> {
        let (mut reader, mut read) = (Reader::default(), Vec::new());
        for piece in pieces {
            reader.read(piece, |payload| read.push(payload.to_vec()))?;
        }
        Ok(read)
    }

    #[test]
    fn datagrams_are_read_however_they_are_cut() {
        let mut bytes = Vec::new();
        let payloads = [vec![], vec![7; 100], vec![1; MAX_PAYLOAD], vec![2]];
        for payload in &payloads {
            write(payload, &mut bytes);
            // What nobody knows is skipped: types 1 and 0x1234, of 3 and no octets.
            bytes.extend([1, 3, b'a', b'b', b'c', 0x52, 0x34, 0]);
        }
        assert_eq!(read(&[&bytes]).unwrap(), payloads);
        let octets: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(read(&octets).unwrap(), payloads);
        let pieces: Vec<_> = bytes.chunks(1000).collect();
        assert_eq!(read(&pieces).unwrap(), payloads);
    }

    #[test]
    fn other_contexts_are_dropped() {
        assert_eq!(read(&[&[0, 3, 2, 9, 9, 0, 2, 0, 8, 0, 0]]).unwrap(), [[8]]);
    }

    #[test]
    fn what_udp_cannot_have_sent_ends_it() {
        let mut bytes = vec![0];
        write_varint(MAX_PAYLOAD as u64 + 100, &mut bytes);
        assert_eq!(read(&[&bytes]), Err(TooLong));
        let mut bytes = vec![0];
        write_varint(u64::MAX >> 2, &mut bytes);
        assert_eq!(read(&[&bytes]), Err(TooLong));
        // Of another type it is skipped, and never held.
        let mut bytes = vec![9];
        write_varint(u64::MAX >> 2, &mut bytes);
        assert_eq!(read(&[&bytes, &[0; 1000]]).unwrap(), Vec::<Vec<u8>>::new());
    }
}
