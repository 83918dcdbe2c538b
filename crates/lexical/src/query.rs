use std::collections::HashMap;

use xunpin_analysis::{Term, TermKind};

/// How often a repeated word counts at most.
const MAX_REPEATS: u32 = 3;

/// A query's distinct terms, in groups: a word or model number with its parts. Each term belongs to one group: the one
/// whose whole it is, else the first that has it as a part.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) groups: Vec<Group>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Group {
    /// The whole first.
    pub(crate) terms: Vec<PlannedTerm>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct PlannedTerm {
    pub(crate) text: String,
    pub(crate) kind: TermKind,
    /// How often the query holds it, at most 3.
    pub(crate) count: u32,
}

impl PlannedTerm {
    /// True for a word inside another one, or a part of a model number.
    pub(crate) fn is_part(&self) -> bool {
        matches!(self.kind, TermKind::SubWord | TermKind::Part)
    }
}

impl Plan {
    /// Of the terms of a query, by rising position, the whole first at each.
    pub(crate) fn new(terms: &[Term]) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        // Group and place in it of each term; only looked up, never listed.
        let mut places: HashMap<&str, (usize, usize)> = HashMap::new();
        let wholes = terms.chunk_by(|a, b| a.position == b.position).filter_map(|place| place.first());
        for whole in wholes {
            places.entry(&whole.text).or_insert_with(|| {
                groups.push(Group { terms: vec![PlannedTerm::new(whole)] });
                (groups.len() - 1, 0)
            });
        }
        for place in terms.chunk_by(|a, b| a.position == b.position) {
            let Some(&(group, _)) = place.first().and_then(|whole| places.get(whole.text.as_str())) else {
                continue;
            };
            for term in place {
                let (group, at) = *places.entry(&term.text).or_insert_with(|| {
                    groups[group].terms.push(PlannedTerm::new(term));
                    (group, groups[group].terms.len() - 1)
                });
                let planned = &mut groups[group].terms[at];
                planned.count = (planned.count + 1).min(MAX_REPEATS);
            }
        }
        Self { groups }
    }
}

impl PlannedTerm {
    fn new(term: &Term) -> Self {
        Self { text: term.text.clone(), kind: term.kind, count: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_term_belongs_to_one_group() {
        use TermKind::*;
        let term = |text: &str, position, kind| Term { text: text.into(), position, kind };
        let plan = Plan::new(&[
            term("保湿霜", 0, Word),
            term("保湿", 0, SubWord),
            term("湿霜", 0, SubWord),
            term("保湿", 1, Word),
            term("保湿霜", 2, Word),
            term("保湿", 2, SubWord),
            term("湿霜", 2, SubWord),
            term("保湿", 3, Word),
        ]);
        let shown: Vec<Vec<(&str, u32)>> = plan
            .groups
            .iter()
            .map(|g| g.terms.iter().map(|t| (t.text.as_str(), t.count)).collect())
            .collect();
        assert_eq!(shown, [vec![("保湿霜", 2), ("湿霜", 2)], vec![("保湿", 3)]]);
        assert!(!plan.groups[1].terms[0].is_part());
        assert!(Plan::new(&[]).groups.is_empty());
    }
}
