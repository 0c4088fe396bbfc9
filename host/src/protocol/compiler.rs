//! What makes native code, and which of it a run may use.

use serde::{Deserialize, Serialize};

/// What makes native code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compiler {
    /// wasmtime's optimising compiler.
    Cranelift,
    /// wasmtime's baseline compiler: ready in a third to a fifth of the time, and its code takes
    /// up to 2.6 times as long.
    Winch,
}

impl Compiler {
    /// All there are, that whose code is fastest first.
    pub const BEST_FIRST: [Compiler; 2] = [Compiler::Cranelift, Compiler::Winch];

    /// The one whose code is fastest, which takes every module.
    pub const BEST: Compiler = Compiler::BEST_FIRST[0];

    /// As files are named, on the command line and in events.
    pub fn name(self) -> &'static str {
        match self {
            Compiler::Cranelift => "cranelift",
            Compiler::Winch => "winch",
        }
    }
}

/// Which compilers a run may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compilers {
    /// Whichever suits each module and test.
    #[default]
    Auto,
    /// One alone, but that the best takes what another refuses.
    Only(Compiler),
}

impl Compilers {
    /// Whether code that this one made may be run. Winch is of wasmtime's first tier on x86-64
    /// alone: elsewhere it has to be asked for.
    pub fn may_use(self, compiler: Compiler) -> bool {
        match self {
            Compilers::Auto => compiler == Compiler::BEST || cfg!(target_arch = "x86_64"),
            Compilers::Only(only) => compiler == only,
        }
    }

    /// What compiles what has no compiled form yet: that which is ready soonest.
    pub fn first(self) -> Compiler {
        let soonest_first = Compiler::BEST_FIRST.into_iter().rev();
        let mut allowed = soonest_first.filter(|compiler| self.may_use(*compiler));
        allowed.next().unwrap_or(Compiler::BEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_used_alone() {
        for only in Compiler::BEST_FIRST {
            let compilers = Compilers::Only(only);
            assert_eq!(compilers.first(), only);
            let allowed = Compiler::BEST_FIRST.map(|compiler| compilers.may_use(compiler));
            assert_eq!(allowed.iter().filter(|allowed| **allowed).count(), 1);
        }
        assert!(Compilers::Auto.may_use(Compiler::BEST));
    }
}
