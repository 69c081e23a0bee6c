//! Frames and header blocks for a client that sends what it is told to: quiche's, of its own tests.

use octets::{Octets, OctetsMut};
use tokio_quiche::quiche::h3::{
    Header, NameValue,
    qpack::{Decoder, Encoder},
};

pub(crate) const DATA: u64 = 0;
pub(crate) const HEADERS: u64 = 1;
pub(crate) const SETTINGS: u64 = 4;
pub(crate) const GOAWAY: u64 = 7;

/// RFC 9114 7.2.8: numbers that mean nothing, for both sides to be used to.
pub(crate) const fn is_grease(number: u64) -> bool {
    number >= 0x21 && (number - 0x21).is_multiple_of(0x1f)
}

/// A frame of any type.
pub(crate) fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
    [&frame_head(kind, payload.len() as u64)[..], payload].concat()
}

pub(crate) fn frame_head(kind: u64, length: u64) -> Vec<u8> {
    let mut head = vec![0; 16];
    let mut octets = OctetsMut::with_slice(&mut head);
    octets.put_varint(kind).unwrap();
    octets.put_varint(length).unwrap();
    let length = octets.off();
    head.truncate(length);
    head
}

/// Two numbers, if they are all there, and how long they are: a frame's type and length, or a setting.
pub(crate) fn pair(octets: &[u8]) -> Option<(u64, u64, usize)> {
    let mut octets = Octets::with_slice(octets);
    let (first, second) = (octets.get_varint().ok()?, octets.get_varint().ok()?);
    Some((first, second, octets.off()))
}

pub(crate) fn number(octets: &[u8]) -> u64 {
    Octets::with_slice(octets).get_varint().unwrap()
}

pub(crate) fn encode(fields: &[(&str, &str)]) -> Vec<u8> {
    let fields = fields.iter();
    let fields: Vec<_> = fields
        .map(|(name, value)| Header::new(name.as_bytes(), value.as_bytes()))
        .collect();
    let mut block = vec![0; 1 << 16];
    let length = Encoder::new().encode(&fields, &mut block).unwrap();
    block.truncate(length);
    block
}

pub(crate) fn decode(block: &[u8]) -> Vec<(String, String)> {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    let fields = Decoder::new().decode(block, 1 << 20).unwrap();
    let fields = fields.iter();
    fields
        .map(|field| (text(field.name()), text(field.value())))
        .collect()
}
