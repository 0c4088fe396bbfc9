//! Who calls a function, and whether they go on when it returns.
//!
//! A compiler that sees a function's body may know that it never returns, and then
//! puts nothing behind its calls but `unreachable`. Such callers would trap where the
//! function returns after all.

use super::Left;
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{FunctionBody, Operator};

/// The calls of a module.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// By callee: the functions that call it.
    callers: BTreeMap<u32, BTreeSet<u32>>,
    /// Functions whose address is taken in code.
    pub(super) referred: BTreeSet<u32>,
}

/// What comes after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum After {
    /// Something else.
    More,
    /// The caller returns.
    Return,
    /// `unreachable`
    End,
}

/// More functions that only pass a call on there are in no honest module.
const MAX_PASSING_ON: usize = 1000;

impl Calls {
    /// A function of this index has this in its body.
    pub fn sees(&mut self, caller: u32, operator: &Operator<'_>) {
        match operator {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.callers
                    .entry(*function_index)
                    .or_default()
                    .insert(caller);
            }
            Operator::RefFunc { function_index } => {
                self.referred.insert(*function_index);
            }
            _ => {}
        }
    }

    /// That all callers of a function can go on when it returns, those included that pass it on.
    ///
    /// # Errors
    /// [`Left::CallersEnd`] if one cannot.
    pub fn go_on_after<'a>(
        &self,
        function: u32,
        body: impl Fn(u32) -> Option<FunctionBody<'a>>,
    ) -> Result<(), Left> {
        let mut passing_on = vec![function];
        let mut at = 0;
        while let Some(callee) = passing_on.get(at).copied() {
            at += 1;
            for caller in self.callers.get(&callee).into_iter().flatten() {
                let body = body(*caller).ok_or(Left::CallersEnd)?;
                for after in after_calls(&body, callee)? {
                    match after {
                        After::More => {}
                        After::End => return Err(Left::CallersEnd),
                        After::Return if passing_on.contains(caller) => {}
                        After::Return if passing_on.len() == MAX_PASSING_ON => {
                            return Err(Left::CallersEnd);
                        }
                        After::Return => passing_on.push(*caller),
                    }
                }
            }
        }
        Ok(())
    }
}

/// What comes after each call of a function in a body.
fn after_calls(body: &FunctionBody<'_>, callee: u32) -> Result<Vec<After>, Left> {
    let mut operators = Vec::new();
    for operator in body.get_operators_reader()? {
        operators.push(operator?);
    }
    let blocks = Blocks::of(&operators);
    let after = |(at, operator): (usize, &Operator<'_>)| match operator {
        Operator::Call { function_index } if *function_index == callee => {
            Some(blocks.after(&operators, at + 1))
        }
        Operator::ReturnCall { function_index } if *function_index == callee => Some(After::Return),
        _ => None,
    };
    Ok(operators.iter().enumerate().filter_map(after).collect())
}

/// Where the blocks of a body begin and end.
struct Blocks {
    /// By operator: what encloses it.
    around: Vec<Option<usize>>,
    /// By operator that opens a block: where that ends.
    ends: BTreeMap<usize, usize>,
}

impl Blocks {
    fn of(operators: &[Operator<'_>]) -> Blocks {
        let mut open = Vec::new();
        let mut blocks = Blocks {
            around: Vec::with_capacity(operators.len()),
            ends: BTreeMap::new(),
        };
        for (at, operator) in operators.iter().enumerate() {
            blocks.around.push(open.last().copied());
            match operator {
                Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::TryTable { .. }
                | Operator::Try { .. } => open.push(at),
                Operator::End => {
                    if let Some(opened) = open.pop() {
                        blocks.ends.insert(opened, at);
                    }
                }
                _ => {}
            }
        }
        blocks
    }

    /// What happens from here on, as far as nothing is done that anybody could see: where there are
    /// several ways, the best of them.
    fn after(&self, operators: &[Operator<'_>], at: usize) -> After {
        let mut seen = BTreeSet::from([at]);
        let mut ahead = vec![at];
        let mut ends = BTreeSet::new();
        while let Some(at) = ahead.pop() {
            match self.step(operators, at) {
                Step::Ends(After::More) => return After::More,
                Step::Ends(after) => {
                    ends.insert(after);
                }
                Step::Goes(ways) => ahead.extend(ways.into_iter().filter(|way| seen.insert(*way))),
            }
        }
        // what runs in circles does not trap
        ends.first().copied().unwrap_or(After::More)
    }

    /// Where an operator leads.
    fn step(&self, operators: &[Operator<'_>], at: usize) -> Step {
        let Some(operator) = operators.get(at) else {
            return Step::Ends(After::Return);
        };
        let around = self.around.get(at).copied().flatten();
        let end_of = |block: Option<usize>| block.and_then(|block| self.ends.get(&block));
        let behind = |depth: u32| {
            let mut block = around;
            for _ in 0..depth {
                block = block.and_then(|block| self.around[block]);
            }
            match block {
                Some(block) if matches!(operators[block], Operator::Loop { .. }) => block + 1,
                Some(_) => end_of(block).map_or(operators.len(), |end| end + 1),
                None => operators.len(),
            }
        };
        Step::Goes(match operator {
            Operator::Unreachable => return Step::Ends(After::End),
            Operator::Return => return Step::Ends(After::Return),
            operator if is_seen(operator) => return Step::Ends(After::More),
            Operator::Else => vec![end_of(around).map_or(operators.len(), |end| end + 1)],
            Operator::If { .. } => {
                let of_it = |other: &usize| self.around.get(*other) == Some(&Some(at));
                let is_else = |other: &usize| matches!(operators[*other], Operator::Else);
                let end = end_of(Some(at)).copied().unwrap_or(operators.len());
                let other = (at + 1..end).find(|other| is_else(other) && of_it(other));
                vec![at + 1, other.unwrap_or(end) + 1]
            }
            Operator::Br { relative_depth } => vec![behind(*relative_depth)],
            Operator::BrIf { relative_depth } => vec![at + 1, behind(*relative_depth)],
            Operator::BrTable { targets } => {
                let depths = targets.targets().filter_map(Result::ok);
                depths.chain([targets.default()]).map(behind).collect()
            }
            _ => vec![at + 1],
        })
    }
}

/// Where an operator leads.
enum Step {
    /// On to one of these.
    Goes(Vec<usize>),
    Ends(After),
}

/// Whether somebody could see that it was done: in memory, in a table, in another function.
fn is_seen(operator: &Operator<'_>) -> bool {
    let name = format!("{operator:?}");
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next();
    let name = name.unwrap_or_default();
    name.contains("Call")
        || name.contains("Store")
        || name.contains("Atomic")
        || name.contains("hrow")
        || name.starts_with("BrOn")
        || ["Memory", "Table"].iter().any(|of| name.starts_with(of))
            && !["MemorySize", "TableSize", "TableGet"].contains(&name)
}
