"""Pytest plugin: give unittest back the names that Python 3.12 dropped and upstream's tests still use.

Loaded by run_upstream_tests.py for upstream's tests only; neither the wheel nor our own tests need it.
"""

import unittest

NAMES = {"assertEquals": "assertEqual", "assertRaisesRegexp": "assertRaisesRegex"}

for old, new in NAMES.items():
    if not hasattr(unittest.TestCase, old):
        setattr(unittest.TestCase, old, getattr(unittest.TestCase, new))
