use oauth::{base64url, from_base64url};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// One thing that is done to an input.
#[derive(Debug, Clone)]
pub(crate) enum Mutation {
    Flip {
        bit: Index,
    },
    Cut {
        end: Index,
    },
    Remove {
        from: Index,
        length: u8,
    },
    Insert {
        at: Index,
        bytes: Vec<u8>,
    },
    /// A part of another valid input in place of the same part.
    Splice {
        other: Index,
        from: Index,
        to: Index,
    },
    /// One part of a token, between dots, is another one's.
    Graft {
        other: Index,
        part: Index,
    },
    /// One part of a token, decoded.
    Inside {
        part: Index,
        what: Box<Mutation>,
    },
}

/// Valid inputs, and what is done to one of them.
pub(crate) fn mutations() -> impl Strategy<Value = (Index, Vec<Mutation>)> {
    (any::<Index>(), vec(mutation(), 0..5))
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let inside = (any::<Index>(), plain());
    let graft = (any::<Index>(), any::<Index>());
    prop_oneof![
        3 => plain(),
        1 => graft.prop_map(|(other, part)| Mutation::Graft { other, part }),
        3 => inside.prop_map(|(part, what)| Mutation::Inside { part, what: Box::new(what) }),
    ]
}

fn plain() -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    let texts = prop_oneof![
        vec(any::<u8>(), 0..8),
        "[A-Za-z0-9_.=&%+-]{0,12}".prop_map(String::into_bytes),
        Just(b"\"crit\":[\"x\"],".to_vec()),
        Just(b"\"alg\":\"none\",".to_vec()),
        Just(b"\"exp\":99999999999,".to_vec()),
        Just(b"\"scope\":\"admin\",".to_vec()),
        Just(b"[[[[[[[[[[[[".to_vec()),
    ];
    prop_oneof![
        index().prop_map(|bit| Mutation::Flip { bit }),
        index().prop_map(|end| Mutation::Cut { end }),
        (index(), any::<u8>()).prop_map(|(from, length)| Mutation::Remove { from, length }),
        (index(), texts).prop_map(|(at, bytes)| Mutation::Insert { at, bytes }),
        (index(), index(), index()).prop_map(|(other, from, to)| Mutation::Splice {
            other,
            from,
            to
        }),
    ]
}

/// What the mutations make of the chosen input.
pub(crate) fn mutated(valid: &[Vec<u8>], which: Index, mutations: &[Mutation]) -> Vec<u8> {
    mutations
        .iter()
        .fold(which.get::<Vec<u8>>(valid).clone(), |bytes, one| apply(bytes, one, valid))
}

fn apply(mut bytes: Vec<u8>, mutation: &Mutation, valid: &[Vec<u8>]) -> Vec<u8> {
    let length = bytes.len();
    match mutation {
        Mutation::Flip { bit } if length > 0 => {
            let bit = bit.index(length * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        Mutation::Flip { .. } => {}
        Mutation::Cut { end } => bytes.truncate(end.index(length + 1)),
        Mutation::Remove { from, length: removed } => {
            let from = from.index(length + 1);
            bytes.drain(from..length.min(from + usize::from(*removed)));
        }
        Mutation::Insert { at, bytes: inserted } => {
            let at = at.index(length + 1);
            bytes.splice(at..at, inserted.iter().copied());
        }
        Mutation::Splice { other, from, to } => {
            let other = other.get::<Vec<u8>>(valid);
            let (one, two) = (from.index(other.len() + 1), to.index(other.len() + 1));
            let (from, to) = (one.min(two), one.max(two));
            bytes.splice(from.min(length)..to.min(length), other[from..to].iter().copied());
        }
        Mutation::Graft { other, part } => {
            let other = parts(other.get::<Vec<u8>>(valid));
            let mut own = parts(&bytes);
            let (to, from) = (part.index(own.len()), part.index(other.len()));
            own[to].clone_from(&other[from]);
            bytes = own.join(&b'.');
        }
        Mutation::Inside { part, what } => {
            let mut own = parts(&bytes);
            let part = part.index(own.len());
            let text = std::str::from_utf8(&own[part]).ok();
            let (prefix, text) = match text.and_then(|text| text.split_at_checked(4)) {
                Some(("ar1_", rest)) => ("ar1_", Some(rest)),
                _ => ("", text),
            };
            if let Some(decoded) = text.and_then(from_base64url) {
                let encoded = base64url(&apply(decoded, what, valid));
                own[part] = format!("{prefix}{encoded}").into_bytes();
                bytes = own.join(&b'.');
            }
        }
    }
    bytes
}

fn parts(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split(|byte| *byte == b'.').map(<[u8]>::to_vec).collect()
}
