"""Pure folds over journal entries: what a thread says, what a run did, what it cost."""
