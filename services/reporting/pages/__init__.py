"""The pages, by noun. Each module reads its page's model in one snapshot; `render.py` makes HTML of it, `api.py` JSON."""
