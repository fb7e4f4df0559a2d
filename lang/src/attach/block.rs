//! `test:NAME`, `bench:NAME`: blocks that are run with `--test` and `--bench`.

use super::{Place, Provider, Refusal, Request, Sight};
use crate::context::Context;
use crate::target::{Purpose, Target};

/// `test`, `bench`.
pub(super) struct Block;

impl Provider for Block {
    fn names(&self) -> &'static [&'static str] {
        &["test", "bench"]
    }

    fn resolve(&self, request: &Request) -> Result<Vec<Place>, Refusal> {
        request.no_source_line()?;
        let [name] = request.args() else { return Err(request.count_error("1")) };
        if name.is_empty() {
            return Err(request.error(format!("a {} block has a name", request.kind.name)));
        }
        let purpose = if request.kind.name == "test" { Purpose::Test } else { Purpose::Bench };
        let target = Target::Block { purpose, name: name.as_str().into() };
        Ok(vec![Place::new(format!("{}:{name}", request.kind.name), target)])
    }

    fn context(&self, sight: &Sight) -> Context {
        Context::bare(sight.kind)
    }
}
