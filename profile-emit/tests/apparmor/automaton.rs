//! A compiled profile as the kernel reads and walks it (security/apparmor/policy_unpack.c and match.c).

/// One automaton: tables of states and of transitions.
#[derive(Debug)]
pub(crate) struct Automaton {
    accept: Vec<u32>,
    base: Vec<u32>,
    default: Vec<u32>,
    next: Vec<u32>,
    check: Vec<u32>,
    classes: Option<Vec<u32>>,
}

const MAGIC: u32 = 0x1b5e_783d;
const START: u32 = 1;
const IS_DIFFERENCE: u32 = 1 << 31;

impl Automaton {
    fn read(blob: &[u8]) -> Self {
        assert_eq!(big_endian(&blob[..4]), MAGIC);
        let mut tables: [Option<Vec<u32>>; 9] = Default::default();
        let mut rest = &blob[big_endian(&blob[4..8]) as usize..];
        while rest.len() >= 12 {
            let [id, width] = [&rest[..2], &rest[2..4]].map(|b| big_endian(b) as usize);
            let bytes = 12 + width * big_endian(&rest[8..12]) as usize;
            tables[id] = Some(rest[12..bytes].chunks(width).map(big_endian).collect());
            rest = &rest[bytes.next_multiple_of(8).min(rest.len())..];
        }
        let [_, accept, base, check, default, classes, _, _, next] = tables;
        let [accept, base, default, next, check] =
            [accept, base, default, next, check].map(Option::unwrap);
        Self { accept, base, default, next, check, classes }
    }

    fn step(&self, mut state: u32, byte: u8) -> u32 {
        let class = self.classes.as_ref().map_or(u32::from(byte), |c| c[usize::from(byte)]);
        loop {
            let base = self.base[state as usize];
            let at = ((base & 0xff_ffff) + class) as usize;
            if self.check[at] == state {
                return self.next[at];
            }
            state = self.default[state as usize];
            if base & IS_DIFFERENCE == 0 {
                return state;
            }
        }
    }

    /// What the state that these bytes lead to accepts.
    fn accepts(&self, bytes: impl IntoIterator<Item = u8>) -> u32 {
        self.accept[bytes.into_iter().fold(START, |at, byte| self.step(at, byte)) as usize]
    }
}

/// A compiled profile.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) name: String,
    /// By number.
    pub(crate) capabilities: u64,
    /// Absent without a rule for it, and then nothing is accepted.
    files: Option<Automaton>,
    rules: Option<Automaton>,
}

/// What may be done with a file: `MAY_EXEC` and so on (security/apparmor/include/file.h).
pub(crate) mod may {
    pub(crate) const EXEC: u32 = 1;
    pub(crate) const WRITE: u32 = 2;
    pub(crate) const READ: u32 = 4;
    pub(crate) const APPEND: u32 = 8;
    pub(crate) const LINK: u32 = 0x10;
    pub(crate) const LOCK: u32 = 0x20;
    pub(crate) const MAP: u32 = 0x40;
}

/// How a program runs, beside `may::EXEC` (`dfa_map_xindex`).
const TRANSITION: u32 = 0x3f80;
/// In the same profile.
const INHERIT: u32 = 0x200;

impl Compiled {
    /// The profiles in what `apparmor_parser` writes.
    pub(crate) fn read(data: &[u8]) -> Vec<Self> {
        let mut profiles = Vec::new();
        let mut reader = Reader { data, at: 0, structs: Vec::new() };
        let mut now = Partial::default();
        while let Some((name, item)) = reader.item() {
            let place: Vec<&str> = reader.structs.iter().map(String::as_str).collect();
            match (place.as_slice(), name.as_str(), item) {
                (["profile"], "", Item::Text(text)) if now.name.is_none() => now.name = Some(text),
                (["profile"], "", Item::Number(number)) => now.low.push(number),
                (["profile", "caps64"], "", Item::Number(number)) => now.high.push(number),
                (["profile"], "aadfa", Item::Blob(blob)) => now.files = Some(Automaton::read(blob)),
                (["profile", "policydb"], "aadfa", Item::Blob(blob)) => {
                    now.rules = Some(Automaton::read(blob));
                }
                ([], _, Item::End) => profiles.push(std::mem::take(&mut now).whole()),
                (_, "start" | "dfa_start", _) => unreachable!("another start is not read here"),
                _ => {}
            }
        }
        profiles
    }

    /// What the owner of the file at a path may do, and others.
    pub(crate) fn file(&self, path: &[u8]) -> (u32, u32) {
        let accepted = accepts(&self.files, path.iter().copied());
        assert_eq!(accepted >> 28, 0, "no change of profile: {accepted:x}");
        (file_permissions(accepted), file_permissions(accepted >> 14))
    }

    /// The owner may link an existing file to a new name, without a look at the rules of both.
    pub(crate) fn links(&self, new: &[u8], existing: &[u8]) -> bool {
        if self.file(new).0 & may::LINK == 0 {
            return false;
        }
        let pair = new.iter().chain(b"\0").chain(existing).copied();
        accepts(&self.files, pair) & (may::LINK | may::LOCK) == may::LINK
    }

    /// A socket of this family and type may be made (`aa_profile_af_perm`; `AA_MAY_CREATE` is bit 4).
    pub(crate) fn makes_socket(&self, family: u16, kind: u16) -> bool {
        const CLASS_NET: u8 = 14;
        let words = family.to_be_bytes().into_iter().chain(kind.to_be_bytes());
        accepts(&self.rules, std::iter::once(CLASS_NET).chain(words)) & 0x10 != 0
    }
}

fn accepts(automaton: &Option<Automaton>, bytes: impl IntoIterator<Item = u8>) -> u32 {
    automaton.as_ref().map_or(0, |automaton| automaton.accepts(bytes))
}

fn file_permissions(accepted: u32) -> u32 {
    let [allowed, transition] = [accepted & 0x7f, accepted & TRANSITION];
    if allowed & may::EXEC == 0 {
        assert_eq!(transition, 0, "a way to run what may not be run");
    } else {
        // Bit 0x100 says that the environment is kept, as `ix` does.
        assert_eq!(transition & !0x4100, INHERIT & transition, "{transition:x}");
        assert_ne!(transition & INHERIT, 0, "{transition:x}");
    }
    allowed
}

#[derive(Default)]
struct Partial {
    name: Option<String>,
    low: Vec<u64>,
    high: Vec<u64>,
    files: Option<Automaton>,
    rules: Option<Automaton>,
}

impl Partial {
    /// The first of the numbers without a name are the allowed capabilities' two halves.
    fn whole(self) -> Compiled {
        Compiled {
            name: self.name.unwrap(),
            capabilities: self.low[0] | self.high[0] << 32,
            files: self.files,
            rules: self.rules,
        }
    }
}

/// The tagged data that holds everything (`enum aa_code`).
struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    structs: Vec<String>,
}

enum Item<'a> {
    Number(u64),
    Text(String),
    Blob(&'a [u8]),
    Begin,
    End,
    Other,
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> &'a [u8] {
        self.at += bytes;
        &self.data[self.at - bytes..self.at]
    }

    fn number(&mut self, bytes: usize) -> u64 {
        self.take(bytes).iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte))
    }

    fn text(&mut self) -> String {
        let bytes = usize::try_from(self.number(2)).unwrap();
        let text = self.take(bytes).strip_suffix(b"\0").unwrap();
        String::from_utf8(text.to_vec()).unwrap()
    }

    /// The next item and its name; the structs that it is in are kept.
    fn item(&mut self) -> Option<(String, Item<'a>)> {
        const NAME: u8 = 4;
        let mut code = *self.data.get(self.at)?;
        self.at += 1;
        let mut name = String::new();
        if code == NAME {
            name = self.text();
            code = self.take(1)[0];
        }
        let item = match code {
            0..=3 => Item::Number(self.number(1 << code)),
            5 => Item::Text(self.text()),
            6 => {
                let bytes = usize::try_from(self.number(4)).unwrap();
                let from = self.at;
                let blob = self.take(bytes);
                // The automaton in it is aligned as seen from the end.
                let padding = from.wrapping_sub(self.at & 7).wrapping_neg() & 7;
                Item::Blob(&blob[padding..])
            }
            7 => {
                self.structs.push(name.clone());
                Item::Begin
            }
            8 => {
                self.structs.pop();
                Item::End
            }
            11 => {
                self.number(2);
                Item::Other
            }
            9 | 10 | 12 => Item::Other,
            other => panic!("code {other} at {}", self.at),
        };
        Some((name, item))
    }
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte))
}

/// By hand: from state 1, `a` leads to state 2.
#[test]
fn transitions_follow_the_default_only_where_the_check_fails() {
    let automaton = Automaton {
        accept: vec![0, 0, 7],
        base: vec![0, 0, IS_DIFFERENCE],
        default: vec![0, 0, 1],
        next: [vec![0; 97], vec![2], vec![0; 160]].concat(),
        check: [vec![0; 97], vec![1], vec![0; 160]].concat(),
        classes: None,
    };
    assert_eq!(automaton.accepts(*b"a"), 7);
    assert_eq!(automaton.accepts(*b"b"), 0);
    // State 2 has no transitions of its own and differs in nothing from state 1.
    assert_eq!(automaton.accepts(*b"aa"), 7);
    assert_eq!(automaton.accepts(*b"ab"), 0);
}
