"""All SQL of scheduling, by noun: `students` and `schools` (the view, read and written in a generation), `plans` (decisions)."""
