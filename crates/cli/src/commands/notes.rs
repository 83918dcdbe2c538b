use xunpin::Engine;

use crate::output;

/// Says on standard error what had to be mended, each thing once. A reader mends the full-text index when it first needs
/// it, so there may be something to say after the work as well as after the opening.
#[derive(Default)]
pub(super) struct Notes {
    told: Vec<String>,
}

impl Notes {
    /// Opens with what there is to say now.
    pub(super) fn of(engine: &Engine) -> Self {
        let mut notes = Self::default();
        notes.tell(engine);
        notes
    }

    /// Says what is new.
    pub(super) fn tell(&mut self, engine: &Engine) {
        for note in engine.notes() {
            let text = note.to_string();
            if !self.told.contains(&text) {
                output::tell(format_args!("note: {text}"));
                self.told.push(text);
            }
        }
    }
}
