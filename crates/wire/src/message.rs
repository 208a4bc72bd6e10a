use crate::{Malformed, Reader, Unencodable, Writer};

/// The fields of a message or of a struct in one, in order. Generated.
pub trait Fields: Sized {
    /// Reads the fields as `version` has them.
    ///
    /// # Errors
    /// The bytes are not such fields.
    fn read(r: &mut Reader, version: i16) -> Result<Self, Malformed>;

    /// Writes the fields as `version` has them. What cannot be written is noted in the writer.
    fn write(&self, w: &mut Writer, version: i16);
}

/// A message of the protocol.
pub trait Message: Fields + Default {
    /// The API's key; of records in `__cluster_metadata` and the coordinators' topics the number of the
    /// record's kind; -1 if the schema gives neither.
    const API_KEY: i16;
    /// Lowest version that can be read and written.
    const MIN_VERSION: i16;
    /// Highest version that can be read and written.
    const MAX_VERSION: i16;

    /// Whether `version` has compact lengths and tagged fields (KIP-482).
    fn is_flexible(version: i16) -> bool;

    /// Reads one message; bytes that follow it stay in the reader.
    ///
    /// # Errors
    /// The bytes are not such a message, or it has no such version.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, Malformed> {
        if version < Self::MIN_VERSION || version > Self::MAX_VERSION {
            return Err(Malformed::UnknownVersion(version));
        }
        Self::read(reader, version)
    }

    /// Appends the message to `out`. Fields the version lacks are dropped if the schema calls them
    /// ignorable.
    ///
    /// # Errors
    /// A field that is not ignorable has a value `version` cannot hold, a value is too long, or the
    /// message has no such version. `out` is of no use then.
    fn encode(&self, out: &mut Writer, version: i16) -> Result<(), Unencodable> {
        if version < Self::MIN_VERSION || version > Self::MAX_VERSION {
            return Err(Unencodable::UnknownVersion(version));
        }
        self.write(out, version);
        out.status()
    }
}
