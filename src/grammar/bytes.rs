//! Sets of octets, and the search for where a member ends.

/// A set of octets, asked by a look into a table.
#[derive(Clone, Debug)]
pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    /// Makes the set of all ASCII letters and digits, and of these.
    #[expect(
        clippy::indexing_slicing,
        reason = "done by the compiler, which checks"
    )]
    pub(crate) const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < table.len() {
            table[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        let mut rest = others;
        while let [first, tail @ ..] = rest {
            table[*first as usize] = true;
            rest = tail;
        }
        Self(table)
    }

    #[expect(clippy::indexing_slicing, reason = "an octet is within 256")]
    pub(crate) const fn contains(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }

    pub(crate) fn contains_all(&self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| self.contains(*byte))
    }
}

/// Returns where the first of two octets stands, looking at eight places at a time.
#[inline]
pub(super) fn find_either(bytes: &[u8], one: u8, other: u8) -> Option<usize> {
    let mut words = bytes.chunks_exact(8);
    let mut passed = 0;
    for word in words.by_ref() {
        let Ok(word) = word.try_into().map(u64::from_le_bytes) else {
            break;
        };
        let found = places(word, one) | places(word, other);
        if found != 0 {
            return Some(passed + found.trailing_zeros() as usize / 8);
        }
        passed += 8;
    }
    let rest = words.remainder().iter();
    let at = rest
        .clone()
        .position(|byte| *byte == one || *byte == other)?;
    Some(passed + at)
}

/// Sets the high bit of the first octet of `word` that is `byte`, and perhaps of some behind it.
const fn places(word: u64, byte: u8) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let zero = word ^ (ONES * byte as u64);
    zero.wrapping_sub(ONES) & !zero & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use super::find_either;

    #[test]
    fn the_first_of_two_is_found_wherever_it_stands() {
        for length in 0..40 {
            let mut bytes = vec![b'-'; length];
            assert_eq!(find_either(&bytes, b',', b'"'), None);
            for at in (0..length).rev() {
                bytes[at] = if at % 2 == 0 { b',' } else { b'"' };
                assert_eq!(find_either(&bytes, b',', b'"'), Some(at), "{length}");
            }
        }
        assert_eq!(find_either(b"\xff\x80\x2d\xac,", b',', b'"'), Some(4));
    }
}
