use crate::code::Coder;
use crate::sketch::SketchQuery;

/// A query as walks and scans want it: its code, and what is compared with sketches. Made once, however many graphs are asked.
#[derive(Clone, Debug)]
pub struct Query {
    code: Vec<i8>,
    pub(crate) sketched: SketchQuery,
}

impl Query {
    /// The query `vector`, of unit length, for codes of `coder`.
    pub fn new(coder: &Coder, vector: &[f32]) -> Self {
        let mut code = vec![0; coder.stride()];
        coder.encode(vector, &mut code);
        let sketched = SketchQuery::new(coder.dimension(), &code);
        Self { code, sketched }
    }

    /// Its code.
    pub fn code(&self) -> &[i8] {
        &self.code
    }
}
