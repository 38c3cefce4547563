//! `peerMetadata`: which peers are believed in what they say of themselves, and when that is read.

use weir_config::Cursor;

/// Whose description of itself is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// That of peers with a certificate.
    #[default]
    Mtls,
    /// Everyone's.
    Always,
    /// No peer's.
    Never,
}

/// When the header is read in which the peer of an outbound stream describes itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReadAt {
    /// When the stream ends, from the headers as the client got them.
    #[default]
    End,
    /// When the response headers pass this filter, before the filters ahead of it can remove any.
    Response,
}

/// The whole field.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PeerMetadata {
    pub(crate) trust: Trust,
    pub(crate) read_at: ReadAt,
}

impl PeerMetadata {
    /// Reads the field; what it leaves out has its default.
    // Alone, so that its checks do not make its caller one more function that can reach a panic.
    #[inline(never)]
    pub(crate) fn read(at: &Cursor<'_>) -> Option<Self> {
        let mut fields = at.object()?;
        let trust = match fields.take("trust") {
            Some(at) => at.word(&[("mtls", Trust::Mtls), ("always", Trust::Always), ("never", Trust::Never)]),
            None => Some(Trust::default()),
        };
        let read_at = match fields.take("readAt") {
            Some(at) => at.word(&[("end", ReadAt::End), ("response", ReadAt::Response)]),
            None => Some(ReadAt::default()),
        };
        fields.finish();
        Some(Self { trust: trust?, read_at: read_at? })
    }
}
