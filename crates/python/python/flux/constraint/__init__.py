"""Constraints: which nodes, or which jobs. Read `parser.py`."""
