//! The words of MIBs that have a meaning of their own.

/// Whether a word is one of the base types.
pub(super) fn is_base(word: &str) -> bool {
    base(word).is_some()
}

/// The base type that a word names.
pub(super) fn base(word: &str) -> Option<Base> {
    Some(match word {
        "INTEGER" | "Integer32" | "UInteger32" | "Unsigned32" | "Gauge" | "Gauge32" | "TimeTicks" => {
            Base::Number
        }
        "Counter" | "Counter32" | "Counter64" => Base::Counter,
        "OCTETSTRING" | "OBJECT" => Base::Octets,
        "BITS" | "BITSTRING" => Base::Bits,
        "IpAddress" | "NetworkAddress" => Base::Address,
        "Opaque" | "NULL" | "NsapAddress" | "ObjectSyntax" | "SimpleSyntax" | "ApplicationSyntax"
        | "ObjectName" | "NotificationName" => Base::Other,
        _ => return None,
    })
}

/// What kinds of values there are, as far as metrics tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Number,
    Counter,
    Octets,
    Bits,
    Address,
    /// Nothing that a metric is made of.
    Other,
}

/// Whether a word has a meaning of its own in MIBs, and so is no name.
pub(super) fn is_reserved(word: &str) -> bool {
    is_base(word)
        || matches!(
            word,
            "obsolete"
                | "optional"
                | "LAST-UPDATED"
                | "ORGANIZATION"
                | "CONTACT-INFO"
                | "MODULE-IDENTITY"
                | "MODULE-COMPLIANCE"
                | "DEFINITIONS"
                | "END"
                | "AUGMENTS"
                | "not-accessible"
                | "write-only"
                | "UNITS"
                | "REFERENCE"
                | "NUM-ENTRIES"
                | "BIT"
                | "NOTIFICATION-TYPE"
                | "OBJECT-GROUP"
                | "OBJECT-IDENTITY"
                | "IDENTIFIER"
                | "read-write"
                | "read-create"
                | "OCTET"
                | "OF"
                | "SEQUENCE"
                | "read-only"
                | "DESCRIPTION"
                | "INDEX"
                | "DEFVAL"
                | "deprecated"
                | "SIZE"
                | "MAX-ACCESS"
                | "ACCESS"
                | "mandatory"
                | "current"
                | "STATUS"
                | "SYNTAX"
                | "OBJECT-TYPE"
                | "TRAP-TYPE"
                | "ENTERPRISE"
                | "BEGIN"
                | "IMPORTS"
                | "EXPORTS"
                | "accessible-for-notify"
                | "TEXTUAL-CONVENTION"
                | "NOTIFICATION-GROUP"
                | "DISPLAY-HINT"
                | "FROM"
                | "AGENT-CAPABILITIES"
                | "MACRO"
                | "IMPLIED"
                | "SUPPORTS"
                | "INCLUDES"
                | "VARIATION"
                | "REVISION"
                | "not-implemented"
                | "OBJECTS"
                | "NOTIFICATIONS"
                | "MODULE"
                | "MIN-ACCESS"
                | "PRODUCT-RELEASE"
                | "WRITE-SYNTAX"
                | "CREATION-REQUIRES"
                | "MANDATORY-GROUPS"
                | "GROUP"
                | "CHOICE"
                | "IMPLICIT"
                | "VARIABLES"
        )
}
