"""The rules of the house that import-linter cannot say (see `style.md`'s "who may import whom"): read from the syntax trees."""
