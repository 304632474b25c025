//! Renders a card: counts the work first, then lets Tera write into a buffer that does not grow beyond its limit.

use std::io::{self, Write};

use tera::{Context, Tera};

use crate::{bounds, compile, filters, source::tree::Node, value::Values};

/// A large page; a card is a hundredth of it.
pub(crate) const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// Tera escapes templates whose name ends so.
const NAME: &str = "card.html";

/// Why a card was not rendered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenderError {
    /// The values make more work than is allowed.
    #[error("the card would take more than {} steps", bounds::STEPS_MAX)]
    Steps,
    /// The output is longer than is allowed.
    #[error("the card would be longer than {OUTPUT_BYTES_MAX} bytes")]
    Output,
    /// Tera refused what the compiler wrote: a fault of this service.
    #[error("the template engine failed")]
    Engine(#[from] tera::Error),
}

/// Renders trees. Clones share the engine.
#[derive(Clone)]
pub(crate) struct Renderer {
    engine: std::sync::Arc<Tera>,
}

impl Renderer {
    pub(crate) fn new() -> Self {
        Self { engine: std::sync::Arc::new(filters::engine()) }
    }

    /// The HTML of `nodes` with `values`, which are complete.
    pub(crate) fn render(&self, nodes: &[Node], values: &Values) -> Result<String, RenderError> {
        bounds::steps(nodes, values).map_err(|bounds::TooMuchWork| RenderError::Steps)?;
        let mut tera = Tera::clone(&self.engine);
        tera.add_raw_template(NAME, &compile::compile(nodes))?;
        let mut output = Bounded { bytes: Vec::new(), full: false };
        let rendered = tera.render_to(NAME, &Context::from_serialize(values)?, &mut output);
        if output.full {
            return Err(RenderError::Output);
        }
        rendered?;
        // Tera writes only text; what is not would be a fault of its.
        String::from_utf8(output.bytes).map_err(|error| RenderError::Engine(tera::Error::message(error)))
    }
}

/// Takes at most [`OUTPUT_BYTES_MAX`] bytes.
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + buffer.len() > OUTPUT_BYTES_MAX {
            self.full = true;
            return Err(io::Error::other("the output is full"));
        }
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
