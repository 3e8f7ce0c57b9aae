"""Shapes: resources of jobs in a short text (RFC 46). Read `parser.py`."""
