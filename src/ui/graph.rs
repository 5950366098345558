//! The programs of a recording as a picture: who runs whom, and what each needs. As DOT (graphviz.org/doc/info/lang.html), and as SVG
//! that needs no other program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use learner::domains::{Domain, Domains, Needs};
use tracer::recording::ByteString;

use super::text::safe;

/// Sizes in the picture, in its units (pixels, unless it is scaled).
const LETTER: usize = 7;
const LINE: usize = 16;
const GAP: usize = 24;
const LAYER: usize = 60;

fn needs(needs: &Needs) -> String {
    let parts = [
        (needs.calls, "calls"),
        (needs.reads + needs.writes, "files"),
        (needs.writes, "of them changed"),
        (needs.programs, "programs"),
        (needs.sockets, "sockets"),
        (needs.capabilities, "capabilities"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// The lines of a program's box.
fn lines(domain: &Domain) -> [String; 2] {
    [safe(&domain.program.to_string()).into_owned(), needs(&domain.needs)]
}

/// As DOT. A program for which a profile of its own is proposed has a double border.
pub(crate) fn dot(domains: &Domains) -> String {
    let quoted = |text: &str| text.replace('\\', r"\\").replace('"', r#"\""#);
    let name = |program: &ByteString| quoted(&safe(&program.to_string()));
    let mut out = String::from("digraph domains {\n  node [shape=box];\n");
    for domain in &domains.domains {
        let [title, below] = lines(domain).map(|line| quoted(&line));
        let borders = if domain.proposal.is_some() { 2 } else { 1 };
        let program = name(&domain.program);
        let _infallible =
            writeln!(out, "  \"{program}\" [label=\"{title}\\n{below}\", peripheries={borders}];");
    }
    for domain in &domains.domains {
        for run in &domain.runs {
            let _infallible =
                writeln!(out, "  \"{}\" -> \"{}\";", name(&domain.program), name(run));
        }
    }
    out.push_str("}\n");
    out
}

/// Where a box stands.
struct Place {
    x: usize,
    y: usize,
    width: usize,
}

impl Place {
    fn middle(&self) -> usize {
        self.x + self.width / 2
    }
}

/// As SVG: a layer for each step from what nobody runs. A program for which a profile of its own is proposed has a bold border.
pub(crate) fn svg(domains: &Domains) -> String {
    let height = 2 * LINE + LINE / 2;
    let mut places: BTreeMap<&ByteString, Place> = BTreeMap::new();
    let mut width = 0;
    let layers = layers(domains);
    for (layer, programs) in layers.iter().enumerate() {
        let mut x = GAP;
        for domain in programs {
            let letters = lines(domain).iter().map(|line| line.chars().count()).max().unwrap_or(0);
            let own = letters * LETTER + 2 * LINE;
            let y = GAP + layer * (height + LAYER);
            places.insert(&domain.program, Place { x, y, width: own });
            x += own + GAP;
        }
        width = width.max(x);
    }
    let whole = GAP + layers.len() * (height + LAYER);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {whole}\" font-family=\"monospace\" font-size=\"12\">\n\
         <title>who runs whom</title>\n\
         <defs><marker id=\"to\" markerWidth=\"8\" markerHeight=\"8\" refX=\"8\" refY=\"4\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8\"/></marker></defs>\n"
    );
    for domain in &domains.domains {
        for run in &domain.runs {
            let (Some(from), Some(to)) = (places.get(&domain.program), places.get(run)) else {
                continue;
            };
            let _infallible = writeln!(
                out,
                "<path d=\"M{},{} L{},{}\" stroke=\"gray\" fill=\"none\" marker-end=\"url(#to)\"/>",
                from.middle(),
                from.y + height,
                to.middle(),
                to.y
            );
        }
    }
    for domain in &domains.domains {
        let Some(place) = places.get(&domain.program) else { continue };
        let border = if domain.proposal.is_some() { 3 } else { 1 };
        let _infallible = writeln!(
            out,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{height}\" fill=\"white\" stroke=\"black\" stroke-width=\"{border}\"/>",
            place.x, place.y, place.width
        );
        for (at, line) in (1..).zip(lines(domain)) {
            let _infallible = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                place.middle(),
                place.y + at * LINE,
                super::text::xml(&line)
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

/// The programs by how many steps they are from those that nobody runs; what only runs each other stands first.
fn layers(domains: &Domains) -> Vec<Vec<&Domain>> {
    let by_name: BTreeMap<&ByteString, &Domain> =
        domains.domains.iter().map(|domain| (&domain.program, domain)).collect();
    let others = |domain: &Domain| {
        let own = domain.program.clone();
        domain.runs.iter().filter(move |run| **run != own).cloned().collect::<Vec<_>>()
    };
    let run: BTreeSet<ByteString> = domains.domains.iter().flat_map(others).collect();
    let mut met: BTreeSet<&ByteString> = BTreeSet::new();
    let mut layers = Vec::new();
    let mut next: Vec<&Domain> =
        domains.domains.iter().filter(|domain| !run.contains(&domain.program)).collect();
    loop {
        next.retain(|domain| met.insert(&domain.program));
        if next.is_empty() {
            // A circle that nobody outside enters.
            match domains.domains.iter().find(|domain| !met.contains(&domain.program)) {
                Some(domain) => {
                    next.push(domain);
                    continue;
                }
                None => return layers,
            }
        }
        let after = next.iter().flat_map(|domain| &domain.runs).filter_map(|run| by_name.get(run));
        let after = after.copied().collect();
        layers.push(std::mem::replace(&mut next, after));
    }
}
