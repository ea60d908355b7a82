"""Coverage-guided fuzzing of every parser: `targets` is the table, `run` the command."""
