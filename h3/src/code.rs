//! Error codes (RFC 9114 8.1).

use tokio_quiche::quiche::h3::WireErrorCode;

/// Why a stream or a connection ends.
pub(crate) type Code = u64;

pub(crate) const NO_ERROR: Code = WireErrorCode::NoError as Code;
pub(crate) const INTERNAL_ERROR: Code = WireErrorCode::InternalError as Code;
pub(crate) const FRAME_UNEXPECTED: Code = WireErrorCode::FrameUnexpected as Code;
pub(crate) const EXCESSIVE_LOAD: Code = WireErrorCode::ExcessiveLoad as Code;
pub(crate) const REQUEST_REJECTED: Code = WireErrorCode::RequestRejected as Code;
pub(crate) const REQUEST_CANCELLED: Code = WireErrorCode::RequestCancelled as Code;
pub(crate) const REQUEST_INCOMPLETE: Code = WireErrorCode::RequestIncomplete as Code;
pub(crate) const MESSAGE_ERROR: Code = WireErrorCode::MessageError as Code;
