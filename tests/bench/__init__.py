"""Benchmarks: each prints a figure as a ratio to its limit, measured in the same run. `make bench`; results are kept here.

A benchmark is a module with `main()`; it reports with `tests.bench.report.report`. No test asserts a time.
"""
