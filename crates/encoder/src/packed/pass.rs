use std::ops::Range;

use xunpin_kernels::{Activations, Gate, Gated, Member, Shared, attention, vector};

use super::blueprint::{Norms, Positions};
use super::matrix::Matrix;
use super::model::{Layer, Norm, PackedModel, padded_inner, store};
use crate::batch::PackedTokens;
use crate::bert;
use crate::layers::Sight;
use crate::pooling::Pooling;

/// Queries, in tokens, that are scored at once: bounds the memory of a long text, and in layers with a window leaves
/// out most of the tokens that are out of sight.
const QUERY_BLOCK: usize = 64;

/// Keys of a text are laid out for multiples of this many tokens.
const KEY_BLOCK: usize = 16;

/// Buffers of a pass, kept from batch to batch.
pub(super) struct Scratch {
    /// `[tokens, width]`, the states.
    states: Shared<f32>,
    /// `[tokens, queries + 2 * keys]`.
    qkv: Shared<f32>,
    /// For each text and key head `[head_width, tokens of the text]`, filled up to [`KEY_BLOCK`].
    keys: Shared<f32>,
    /// `[tokens, queries]`.
    attended: Shared<f32>,
    /// `[tokens, width]`, what a branch adds.
    branch: Shared<f32>,
    /// `[tokens, padded inner]`.
    inner: Shared<f32>,
    /// Input of the next product.
    input: Activations,
    /// `[texts, width or dimension]`, twice, in turns.
    pooled: [Shared<f32>; 2],
    dense_input: Activations,
}

impl Scratch {
    pub(super) fn new(model: &PackedModel) -> Self {
        let empty = || Shared::new(0);
        Self {
            states: empty(),
            qkv: empty(),
            keys: empty(),
            attended: empty(),
            branch: empty(),
            inner: empty(),
            input: Activations::new(model.precision(), 0, 0),
            pooled: [empty(), empty()],
            dense_input: Activations::new(model.dense_precision(), 0, 0),
        }
    }

    /// Makes room for a batch.
    fn fit(&mut self, model: &PackedModel, tokens: usize, texts: usize, keys: usize) {
        let blueprint = &model.blueprint;
        let inner = padded_inner(blueprint);
        self.states.reserve(tokens * blueprint.width);
        self.qkv.reserve(tokens * blueprint.qkv_width());
        self.keys.reserve(keys);
        self.attended.reserve(tokens * blueprint.heads.queries());
        self.branch.reserve(tokens * blueprint.width);
        self.inner.reserve(tokens * inner);
        self.input.reserve(tokens, inner.max(blueprint.width).max(blueprint.heads.queries()));
        let widest = blueprint.dense.iter().map(|dense| dense.outputs).fold(blueprint.width, usize::max);
        self.pooled.iter_mut().for_each(|pooled| pooled.reserve(texts * widest));
        self.dense_input.reserve(texts, widest);
    }
}

/// One batch on its way through the model. Every thread of a crew runs the same steps, takes its share of rows or panels
/// in each, and meets the others before it reads what they wrote.
pub(super) struct Pass<'a> {
    model: &'a PackedModel,
    scratch: &'a Scratch,
    ids: &'a [u32],
    texts: Vec<Range<usize>>,
    /// The place of every token in its own text, or its row in the table of places.
    places: Vec<usize>,
    /// Where each text's keys begin.
    key_starts: Vec<usize>,
    prompt: usize,
}

impl<'a> Pass<'a> {
    /// Readies a batch; ids and lengths are within the model's limits, `prompt` is the number of tokens that belong to
    /// each text's prompt.
    pub(super) fn new(
        model: &'a PackedModel,
        batch: &'a PackedTokens,
        prompt: usize,
        scratch: &'a mut Scratch,
    ) -> Self {
        let texts: Vec<Range<usize>> = batch.ranges().collect();
        let heads = model.blueprint.heads;
        let mut key_starts = Vec::with_capacity(texts.len());
        let mut keys = 0;
        for text in &texts {
            key_starts.push(keys);
            keys += heads.keys() * text.len().next_multiple_of(KEY_BLOCK);
        }
        let mut places = Vec::with_capacity(batch.ids().len());
        for text in &texts {
            match model.blueprint.positions {
                Positions::Rotary { .. } => places.extend(0..text.len()),
                Positions::Table { padding, .. } => {
                    bert::place_rows(padding, &batch.ids()[text.clone()], &mut places);
                }
            }
        }
        scratch.fit(model, batch.ids().len(), texts.len(), keys);
        Self { model, scratch, ids: batch.ids(), texts, places, key_starts, prompt }
    }

    /// Runs all steps as `member` of a crew. Afterwards [`vectors`](Self::vectors) holds the result.
    pub(super) fn run(&self, member: &Member<'_>) {
        let mut scores = Vec::new();
        let layers = &self.model.layers;
        self.embed(member);
        for (at, layer) in layers.iter().enumerate() {
            self.multiply(member, &layer.qkv, &self.scratch.qkv, Gate::Identity);
            self.turn(member, layer);
            self.attend(member, layer, &mut scores);
            self.multiply(member, &layer.output, &self.scratch.branch, Gate::Identity);
            let next = match self.model.blueprint.norms {
                Norms::After => Next { after: Some(&layer.attention_norm), before: None },
                _ => Next { after: layer.after_attention.as_ref(), before: Some(&layer.mlp_norm) },
            };
            self.join(member, &next);
            self.feed_forward(member, layer);
            let next = match self.model.blueprint.norms {
                Norms::After => Next { after: Some(&layer.mlp_norm), before: None },
                _ => Next {
                    after: layer.after_mlp.as_ref(),
                    before: layers.get(at + 1).map(|next| &next.attention_norm),
                },
            };
            self.join(member, &next);
        }
        self.pool(member);
        self.dense(member);
    }

    /// The result, `[texts, dimension]`, not normalised.
    pub(super) fn vectors(&self) -> Vec<f32> {
        let count = self.texts.len() * self.model.blueprint.dimension();
        // SAFETY: the pass is over, nobody writes.
        unsafe { self.pooled(self.model.dense.len()).part(0..count) }.to_vec()
    }

    fn pooled(&self, step: usize) -> &Shared<f32> {
        &self.scratch.pooled[step % 2]
    }

    fn row(&self, at: usize, width: usize) -> Range<usize> {
        at * width..(at + 1) * width
    }

    /// Token and place of every row, and the input of the first product.
    fn embed(&self, member: &Member<'_>) {
        let Self { model, scratch, .. } = self;
        let (isa, width) = (model.isa, model.blueprint.width);
        let mut row = vec![0f32; width];
        for at in member.share(self.ids.len()) {
            // SAFETY: rows are shared out, so this one is only ours.
            let state = unsafe { scratch.states.part_mut(self.row(at, width)) };
            model.tokens.copy_row(isa, self.ids[at] as usize, state);
            if let Some((places, norm)) = &model.places {
                vector::add(isa, &places.get()[self.row(self.places[at], width)], state);
                row.copy_from_slice(state);
                self.norm(norm, &row, state);
            }
            let before = match model.blueprint.norms {
                Norms::After => None,
                _ => model.layers.first().map(|layer| &layer.attention_norm),
            };
            self.ready(at, state, before, &mut row);
        }
        member.meet();
    }

    /// Norm of `from` into `to`.
    fn norm(&self, norm: &Norm, from: &[f32], to: &mut [f32]) {
        let (isa, eps) = (self.model.isa, self.model.blueprint.eps);
        match &norm.bias {
            Some(bias) => vector::layer_norm(isa, from, norm.weight.get(), bias.get(), eps, to),
            None => vector::rms_norm(isa, from, norm.weight.get(), eps, to),
        }
    }

    /// Makes row `at` of the next product's input from a state, through a norm if there is one before it.
    fn ready(&self, at: usize, state: &[f32], before: Option<&Norm>, row: &mut [f32]) {
        let values = match before {
            Some(norm) => {
                self.norm(norm, state, row);
                &*row
            }
            None => state,
        };
        // SAFETY: rows are shared out, so this one is only ours.
        unsafe { self.scratch.input.set_row(self.model.isa, at, values) };
    }

    /// A product of all rows; threads divide the outputs.
    fn multiply(&self, member: &Member<'_>, matrix: &Matrix, out: &Shared<f32>, gate: Gate) {
        let store = store(out, matrix, gate);
        // SAFETY: between two meetings the input is only read.
        unsafe {
            let panels = member.share(matrix.panels());
            matrix.multiply(self.model.isa, &self.scratch.input, 0..self.ids.len(), panels, &store);
        }
        member.meet();
    }

    /// Norms and turns queries and keys; keys are laid down for the scores' product.
    fn turn(&self, member: &Member<'_>, layer: &Layer) {
        let Self { model, scratch, .. } = self;
        let (isa, blueprint) = (model.isa, &model.blueprint);
        let (heads, width) = (blueprint.heads, blueprint.heads.width);
        let scale = 1.0 / (width as f32).sqrt();
        let mut row = vec![0f32; width];
        let share = member.share(self.ids.len());
        for (text, starts) in self.texts.iter().zip(&self.key_starts) {
            let stride = text.len().next_multiple_of(KEY_BLOCK);
            for at in text.start.max(share.start)..text.end.min(share.end) {
                // SAFETY: rows are shared out, so this one is only ours.
                let qkv = unsafe { scratch.qkv.part_mut(self.row(at, blueprint.qkv_width())) };
                let angles = model.angles(layer.sight, self.places[at]);
                for (head, values) in
                    qkv.chunks_exact_mut(width).take(heads.heads + heads.kv_heads).enumerate()
                {
                    let query = head < heads.heads;
                    if let Some((queries, keys)) = &layer.head_norms {
                        row.copy_from_slice(values);
                        let weight = if query { queries } else { keys };
                        vector::rms_norm(isa, &row, weight.get(), blueprint.eps, values);
                    } else if query {
                        vector::scale(isa, scale, values);
                    }
                    if let Some(angles) = angles {
                        vector::rotate(isa, angles, values);
                    }
                    if !query {
                        let first = starts + (head - heads.heads) * width * stride + at - text.start;
                        for (step, value) in values.iter().enumerate() {
                            let place = first + step * stride;
                            // SAFETY: a token's keys are written by the thread that has its row.
                            unsafe { scratch.keys.part_mut(place..place + 1)[0] = *value };
                        }
                    }
                }
            }
        }
        member.meet();
    }

    /// What every token takes from those it sees, as input of the next product.
    fn attend(&self, member: &Member<'_>, layer: &Layer, scores: &mut Vec<f32>) {
        let share = member.share(self.ids.len());
        for (at, text) in self.texts.iter().enumerate() {
            let rows = text.start.max(share.start)..text.end.min(share.end);
            for first in rows.clone().step_by(QUERY_BLOCK) {
                let block = first..rows.end.min(first + QUERY_BLOCK);
                self.attend_block(layer.sight, text, self.key_starts[at], block, scores);
            }
        }
        member.meet();
    }

    /// The same for some rows of one text.
    fn attend_block(
        &self,
        sight: Sight,
        text: &Range<usize>,
        keys_at: usize,
        block: Range<usize>,
        scores: &mut Vec<f32>,
    ) {
        let Self { model, scratch, .. } = self;
        let (isa, heads) = (model.isa, model.blueprint.heads);
        let (width, qkv_width, out_width) = (heads.width, model.blueprint.qkv_width(), heads.queries());
        let (back, ahead) = sight.reach(text.len());
        // Places in the text: the queries, and all keys that any of them sees, from a multiple of the block on.
        let (first, last) = (block.start - text.start, block.end - 1 - text.start);
        let from = first.saturating_sub(back) / KEY_BLOCK * KEY_BLOCK;
        let to = (last + ahead + 1).min(text.len());
        let stride = text.len().next_multiple_of(KEY_BLOCK);
        let columns = (to - from).next_multiple_of(KEY_BLOCK);
        let rows = block.len();
        scores.resize(rows * columns, 0.0);
        // SAFETY: between two meetings queries, keys and values are only read, and these rows of the result are ours.
        let (qkv, keys, out) = unsafe {
            (
                scratch.qkv.part(text.start * qkv_width..text.end * qkv_width),
                scratch.keys.part(keys_at..keys_at + heads.keys() * stride),
                scratch.attended.part_mut(block.start * out_width..block.end * out_width),
            )
        };
        for head in 0..heads.heads {
            let kv_head = head / (heads.heads / heads.kv_heads);
            let queries = &qkv[first * qkv_width + head * width..];
            let keys = &keys[kv_head * width * stride + from..];
            attention::multiply(isa, rows, width, columns, queries, qkv_width, keys, stride, scores, columns);
            for (at, scores) in scores.chunks_exact_mut(columns).enumerate() {
                let place = first + at;
                let seen = place.saturating_sub(back).max(from) - from..(place + ahead + 1).min(to) - from;
                scores[..seen.start].fill(0.0);
                scores[seen.end..].fill(0.0);
                vector::softmax(isa, &mut scores[seen]);
            }
            let values = (heads.heads + heads.kv_heads + kv_head) * width;
            let values = &qkv[from * qkv_width + values..];
            let out = &mut out[head * width..];
            attention::multiply(
                isa,
                rows,
                to - from,
                width,
                scores,
                columns,
                values,
                qkv_width,
                out,
                out_width,
            );
        }
        for (row, values) in block.zip(out.chunks_exact(out_width)) {
            // SAFETY: these rows are ours.
            unsafe { scratch.input.set_row(isa, row, values) };
        }
    }

    /// The products of the feed-forward layer; `branch` holds what it adds.
    fn feed_forward(&self, member: &Member<'_>, layer: &Layer) {
        let Self { model, scratch, .. } = self;
        let blueprint = &model.blueprint;
        let inner = padded_inner(blueprint);
        if blueprint.gated {
            let gated = Gated { out: &scratch.inner, outputs: inner, gate: blueprint.function };
            // SAFETY: between two meetings the input is only read.
            unsafe {
                let panels = member.share(layer.up.panels());
                layer.up.multiply(model.isa, &scratch.input, 0..self.ids.len(), panels, &gated);
            }
            member.meet();
        } else {
            self.multiply(member, &layer.up, &scratch.inner, blueprint.function);
        }
        for at in member.share(self.ids.len()) {
            // SAFETY: rows are shared out, so this one is only ours.
            unsafe {
                let values = scratch.inner.part(at * inner..at * inner + blueprint.inner_width);
                scratch.input.set_row(model.isa, at, values);
            }
        }
        member.meet();
        self.multiply(member, &layer.down, &scratch.branch, Gate::Identity);
    }

    /// Adds the branch to the states and readies the input of what comes next.
    fn join(&self, member: &Member<'_>, next: &Next<'_>) {
        let Self { model, scratch, .. } = self;
        let (isa, blueprint) = (model.isa, &model.blueprint);
        let width = blueprint.width;
        let mut row = vec![0f32; width];
        for at in member.share(self.ids.len()) {
            // SAFETY: rows are shared out, so this one is only ours.
            let (state, branch) = unsafe {
                (scratch.states.part_mut(self.row(at, width)), scratch.branch.part(self.row(at, width)))
            };
            match (next.after, blueprint.norms) {
                (Some(norm), Norms::After) => {
                    vector::add(isa, branch, state);
                    row.copy_from_slice(state);
                    self.norm(norm, &row, state);
                }
                (Some(norm), _) => vector::add_rms_norm(isa, branch, norm.weight.get(), blueprint.eps, state),
                (None, _) => vector::add(isa, branch, state),
            }
            self.ready(at, state, next.before, &mut row);
        }
        member.meet();
    }

    /// One row a text.
    fn pool(&self, member: &Member<'_>) {
        let Self { model, scratch, .. } = self;
        let width = model.blueprint.width;
        let pooling = Pooling::new(&model.blueprint.pooling);
        let mut row = vec![0f32; width];
        if let Some(norm) = &model.last_norm {
            for at in member.share(self.ids.len()) {
                // SAFETY: rows are shared out, so this one is only ours.
                let state = unsafe { scratch.states.part_mut(self.row(at, width)) };
                row.copy_from_slice(state);
                self.norm(norm, &row, state);
            }
            member.meet();
        }
        for at in member.share(self.texts.len()) {
            let text = &self.texts[at];
            // SAFETY: states are only read now, and the text's row is only ours.
            let (states, out) = unsafe {
                (
                    scratch.states.part(text.start * width..text.end * width),
                    self.pooled(0).part_mut(self.row(at, width)),
                )
            };
            out.fill(0.0);
            pooling.pool(states, self.prompt, out);
        }
        member.meet();
    }

    /// The layers after the pooling.
    fn dense(&self, member: &Member<'_>) {
        let Self { model, scratch, .. } = self;
        let texts = self.texts.len();
        for (step, (matrix, shape)) in model.dense.iter().zip(&model.blueprint.dense).enumerate() {
            for at in member.share(texts) {
                // SAFETY: rows are shared out, so this one is only ours.
                unsafe {
                    let values = self.pooled(step).part(self.row(at, shape.inputs));
                    scratch.dense_input.set_row(model.isa, at, values);
                }
            }
            member.meet();
            let store = store(self.pooled(step + 1), matrix, shape.activation);
            // SAFETY: between two meetings the input is only read.
            unsafe {
                let panels = member.share(matrix.panels());
                matrix.multiply(model.isa, &scratch.dense_input, 0..texts, panels, &store);
            }
            member.meet();
        }
    }
}

/// What follows a branch.
struct Next<'a> {
    /// The branch's own last norm, or that of the sum.
    after: Option<&'a Norm>,
    /// The norm before the next product.
    before: Option<&'a Norm>,
}
