//! As much of a certificate as its verifier does not tell.

/// Returns whether subject and issuer are the same (RFC 5280 4.1).
pub(super) fn is_self_issued(certificate: &[u8]) -> bool {
    names(certificate).is_some_and(|(issuer, subject)| issuer == subject)
}

fn names(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, certificate, _) = element(certificate)?;
    let (_, signed, _) = element(certificate)?;
    // The version may be left out.
    let fields = match element(signed)? {
        (VERSION, _, rest) => rest,
        _ => signed,
    };
    let (_, _serial_number, rest) = element(fields)?;
    let (_, _algorithm, rest) = element(rest)?;
    let (_, issuer, rest) = element(rest)?;
    let (_, _validity, rest) = element(rest)?;
    let (_, subject, _) = element(rest)?;
    Some((issuer, subject))
}

const VERSION: u8 = 0xa0;

/// Returns the first element's tag and value, and what comes behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*length) {
        short @ ..0x80 => (short, rest),
        long => {
            let (octets, rest) = rest.split_at_checked(long & 0x7f)?;
            let octets = octets.iter();
            let add = |sum: usize, octet: &u8| Some(sum.checked_mul(256)? | usize::from(*octet));
            (
                octets.copied().try_fold(0, |sum, octet| add(sum, &octet))?,
                rest,
            )
        }
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((*tag, value, rest))
}
