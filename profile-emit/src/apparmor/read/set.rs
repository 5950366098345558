//! Sets of bytes.

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Set([u64; 4]);

impl Set {
    pub(super) const NONE: Self = Self([0; 4]);

    pub(super) fn add(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    pub(super) fn inverted(&self) -> Self {
        Self(self.0.map(|word| !word))
    }

    pub(super) fn without(mut self, byte: u8) -> Self {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word &= !(1 << (byte & 63));
        }
        self
    }

    /// No path has a NUL.
    pub(super) fn no_slash() -> Self {
        Self::NONE.inverted().without(b'/').without(0)
    }

    /// Every byte of a path.
    pub(super) fn any() -> Self {
        Self::NONE.inverted().without(0)
    }

    pub(super) fn one(byte: u8) -> Self {
        let mut set = Self::NONE;
        set.add(byte);
        set
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    pub(super) fn expression(&self) -> String {
        if *self == Self::NONE {
            return r"[^\x00-\xff]".to_owned();
        }
        let bytes: Vec<u8> = (0..=u8::MAX).filter(|byte| self.has(*byte)).collect();
        let ranges = bytes.chunk_by(|a, b| b - a == 1);
        let ranges = ranges.filter_map(|range| Some((range.first()?, range.last()?)));
        let text: String =
            ranges.map(|(first, last)| format!(r"\x{first:02x}-\x{last:02x}")).collect();
        format!("[{text}]")
    }
}
