//! What stands in a profile: rules with their qualifiers, blocks, conditions, includes, children and hats.

use super::ast::{Asks, Condition, Decision, Entry, Node, Qualifiers, Rule};
use super::error::{Problem, ReadError};
use super::lexer::Lexer;
use super::parser::{DEEPEST, Parser, Read, Seen, variable_name};
use super::rules;

impl Parser<'_> {
    /// Entries up to the closing brace, or to the end of a file that is included.
    pub(super) fn entries(
        &mut self,
        lexer: &mut Lexer<'_>,
        seen: &mut Seen,
        depth: usize,
        in_braces: bool,
    ) -> Read<Vec<Node<Entry>>> {
        if depth > DEEPEST {
            return Err(lexer.error(Problem::Deep("braces", DEEPEST)));
        }
        let mut all = Vec::new();
        loop {
            match lexer.peek() {
                None if in_braces => {
                    return Err(lexer.expected("a rule, or } for the profile's end"));
                }
                None => return Ok(all),
                Some(b'}') if in_braces => {
                    lexer.take(b"}");
                    return Ok(all);
                }
                Some(_) => {
                    let place = lexer.place();
                    all.push(Node { place, is: self.entry(lexer, seen, depth)? });
                }
            }
        }
    }

    fn entry(&mut self, lexer: &mut Lexer<'_>, seen: &mut Seen, depth: usize) -> Read<Entry> {
        let qualifiers = qualifiers(lexer);
        let (next, name) = (lexer.peek(), lexer.peek_name());
        let what = match (next, name) {
            (Some(b'{'), _) => {
                if qualifiers.decision == Some(Decision::Deny) {
                    return Err(forbidden(lexer, "deny", "a block"));
                }
                lexer.take(b"{");
                return Ok(Entry::Block(qualifiers, self.entries(lexer, seen, depth + 1, true)?));
            }
            (Some(b'#'), _) | (_, "include") => "an include",
            (Some(b'^'), _) | (_, "profile" | "hat") => "a profile",
            (_, "if") => "if",
            (_, "abi") => "an ABI",
            _ => {
                let denies = qualifiers.decision == Some(Decision::Deny);
                let rule = rules::rule(lexer, denies)?;
                check(lexer, qualifiers, &rule)?;
                return Ok(Entry::Rule(qualifiers, rule));
            }
        };
        for (is_there, qualifier) in words(qualifiers) {
            if is_there {
                return Err(forbidden(lexer, qualifier, what));
            }
        }
        Ok(match what {
            "an include" => {
                Entry::Include(self.include(lexer, seen, &mut |parser, lexer, seen| {
                    parser.entries(lexer, seen, depth, false)
                })?)
            }
            "a profile" => Entry::Profile(self.profile(lexer, depth)?),
            "if" => self.condition(lexer, seen, depth)?,
            _ => Entry::Abi(self.abi(lexer)?),
        })
    }

    fn condition(&mut self, lexer: &mut Lexer<'_>, seen: &mut Seen, depth: usize) -> Read<Entry> {
        lexer.take_name("if");
        let mut not = false;
        while lexer.take_name("not") {
            not = !not;
        }
        let defined = lexer.take_name("defined");
        let asks = match (lexer.peek(), defined) {
            (Some(b'$'), false) => Asks::True(variable_name(lexer)?),
            (Some(b'$'), true) => Asks::DefinedBoolean(variable_name(lexer)?),
            (Some(b'@'), true) => Asks::DefinedVariable(variable_name(lexer)?),
            _ => return Err(lexer.expected("${…}, defined ${…} or defined @{…}")),
        };
        lexer.need(b"{", "{")?;
        let then = self.entries(lexer, seen, depth + 1, true)?;
        let mut otherwise = Vec::new();
        if lexer.take_name("else") {
            let place = lexer.place();
            if lexer.peek_name() == "if" {
                if depth >= DEEPEST {
                    return Err(lexer.error(Problem::Deep("conditions", DEEPEST)));
                }
                let is = self.condition(lexer, seen, depth + 1)?;
                otherwise.push(Node { place, is });
            } else {
                lexer.need(b"{", "{ or if")?;
                otherwise = self.entries(lexer, seen, depth + 1, true)?;
            }
        }
        Ok(Entry::If { condition: Condition { not, asks }, then, otherwise })
    }
}

/// `audit`, `allow` or `deny`, `owner`: in this order.
fn qualifiers(lexer: &mut Lexer<'_>) -> Qualifiers {
    let audit = lexer.take_name("audit");
    let decision = if lexer.take_name("allow") {
        Some(Decision::Allow)
    } else if lexer.take_name("deny") {
        Some(Decision::Deny)
    } else {
        None
    };
    Qualifiers { audit, decision, owner: lexer.take_name("owner") }
}

fn words(qualifiers: Qualifiers) -> [(bool, &'static str); 4] {
    [
        (qualifiers.audit, "audit"),
        (qualifiers.decision == Some(Decision::Allow), "allow"),
        (qualifiers.decision == Some(Decision::Deny), "deny"),
        (qualifiers.owner, "owner"),
    ]
}

fn forbidden(lexer: &Lexer<'_>, qualifier: &'static str, what: &'static str) -> ReadError {
    lexer.error(Problem::Qualifier { qualifier, what })
}

/// Which rules have which qualifiers.
fn check(lexer: &Lexer<'_>, qualifiers: Qualifiers, rule: &Rule) -> Read<()> {
    let of_files = matches!(rule, Rule::AllFiles | Rule::File { .. } | Rule::Link { .. });
    if qualifiers.owner && !of_files {
        return Err(forbidden(lexer, "owner", "a rule that is not about files"));
    }
    if matches!(rule, Rule::Rlimit { .. })
        && let Some((_, qualifier)) = words(qualifiers).iter().find(|(is_there, _)| *is_there)
    {
        return Err(forbidden(lexer, qualifier, "a limit"));
    }
    Ok(())
}
