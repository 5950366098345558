//! The permissions of a file rule: `rwmix` (apparmor.d(5), "Access Modes").

/// What a rule permits to do with a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permissions {
    /// `r`
    pub read: bool,
    /// `w`
    pub write: bool,
    /// `a`
    pub append: bool,
    /// `l`
    pub link: bool,
    /// `k`
    pub lock: bool,
    /// `m`
    pub map: bool,
    /// `ix`, `Px` and so on.
    pub exec: Option<Exec>,
}

/// Under which profile a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exec {
    /// The first choice.
    pub transition: Transition,
    /// What is taken where there is no such profile.
    pub fallback: Option<Fallback>,
    /// The environment is scrubbed: the first letter is a capital. Of `ix` and `x` it means nothing.
    pub scrub: bool,
}

/// The profile that a program runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transition {
    /// `x` in a rule that denies: whichever.
    Any,
    /// `i`: the same.
    Inherit,
    /// `p`: one of its own.
    Profile,
    /// `c`: a child of this one.
    Child,
    /// `u`: none.
    Unconfined,
}

/// What is taken where there is no such profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fallback {
    /// `i`: the same profile.
    Inherit,
    /// `u`: none.
    Unconfined,
}

/// Every letter that permissions are written with.
pub(super) const LETTERS: &[u8] = b"rwalkmixpcuRWALKMIXPCU";

impl Permissions {
    /// Reads them.
    ///
    /// # Errors
    /// With the reason, when they are none, contradict each other, or are not those of a rule that denies or allows.
    pub fn read(text: &[u8], denies: bool) -> Result<Self, &'static str> {
        let mut all = Self::default();
        let mut rest = text.iter().copied();
        if text.is_empty() {
            return Err("there is no letter");
        }
        while let Some(letter) = rest.next() {
            let simple = match letter.to_ascii_lowercase() {
                b'r' => &mut all.read,
                b'w' => &mut all.write,
                b'a' => &mut all.append,
                b'l' => &mut all.link,
                b'k' => &mut all.lock,
                b'm' => &mut all.map,
                first => {
                    let exec = Exec::read(first, letter.is_ascii_uppercase(), &mut rest)?;
                    if all.exec.replace(exec).is_some_and(|before| before != exec) {
                        return Err("there are two ways to run a program");
                    }
                    continue;
                }
            };
            *simple = true;
        }
        match all.exec.map(|exec| exec.transition) {
            Some(Transition::Any) if !denies => Err("x needs i, p, c or u before it"),
            Some(Transition::Any) | None if all.write && all.append => {
                Err("w and a exclude each other")
            }
            Some(Transition::Any) | None => Ok(all),
            Some(_) if denies => Err("a rule that denies has x alone"),
            Some(_) if all.write && all.append => Err("w and a exclude each other"),
            Some(_) => Ok(all),
        }
    }
}

impl Exec {
    fn read(
        first: u8,
        scrub: bool,
        rest: &mut impl Iterator<Item = u8>,
    ) -> Result<Self, &'static str> {
        let transition = match first {
            b'x' => return Ok(Self { transition: Transition::Any, fallback: None, scrub: false }),
            b'i' => Transition::Inherit,
            b'p' => Transition::Profile,
            b'c' => Transition::Child,
            b'u' => Transition::Unconfined,
            _ => return Err("the letters are r, w, a, l, k, m, and x behind i, p, c or u"),
        };
        let mut fallback = None;
        let mut next = rest.next().map(|letter| letter.to_ascii_lowercase());
        if matches!(transition, Transition::Profile | Transition::Child) {
            fallback = match next {
                Some(b'i') => Some(Fallback::Inherit),
                Some(b'u') => Some(Fallback::Unconfined),
                _ => None,
            };
            if fallback.is_some() {
                next = rest.next().map(|letter| letter.to_ascii_lowercase());
            }
        }
        if next != Some(b'x') {
            return Err("i, p, c and u stand before x; p and c may have i or u between");
        }
        let scrub = scrub && transition != Transition::Inherit;
        Ok(Self { transition, fallback, scrub })
    }
}

impl std::fmt::Display for Permissions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letters = [
            (self.read, "r"),
            (self.write, "w"),
            (self.append, "a"),
            (self.link, "l"),
            (self.lock, "k"),
            (self.map, "m"),
        ];
        for (_, letter) in letters.iter().filter(|(has, _)| *has) {
            f.write_str(letter)?;
        }
        let Some(exec) = self.exec else { return Ok(()) };
        let way = match exec.transition {
            Transition::Any => "",
            Transition::Inherit => "i",
            Transition::Profile => "p",
            Transition::Child => "c",
            Transition::Unconfined => "u",
        };
        let way = if exec.scrub { way.to_ascii_uppercase() } else { way.to_owned() };
        let fallback = match (exec.fallback, exec.scrub) {
            (None, _) => "",
            (Some(Fallback::Inherit), _) => "i",
            (Some(Fallback::Unconfined), false) => "u",
            (Some(Fallback::Unconfined), true) => "U",
        };
        write!(f, "{way}{fallback}x")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_and_written() {
        for text in [
            "r", "rw", "ra", "rlkm", "ix", "px", "Px", "cx", "Cx", "ux", "Ux", "pix", "Pix", "cix",
            "Cix", "pux", "PUx", "cux", "CUx", "rmCx",
        ] {
            let read = Permissions::read(text.as_bytes(), false).unwrap();
            assert_eq!(read.to_string(), text);
        }
        let same = |a: &str, b: &str| {
            let read = |text: &str| Permissions::read(text.as_bytes(), false).unwrap();
            assert_eq!(read(a), read(b), "{a} {b}");
        };
        same("RW", "wrr");
        same("ixr", "rIX");
        same("Pux", "PUx");
        same("pxpx", "px");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (text, denies) in [
            ("", false),
            ("wa", false),
            ("x", false),
            ("rx", false),
            ("ix", true),
            ("wx", false),
            ("pxux", false),
            ("ixpx", false),
            ("uix", false),
            ("ipx", false),
            ("pcx", false),
            ("puix", false),
            ("p", false),
            ("rz", false),
            ("wax", true),
        ] {
            assert!(Permissions::read(text.as_bytes(), denies).is_err(), "{text}");
        }
        assert!(Permissions::read(b"wx", true).is_ok());
    }
}
