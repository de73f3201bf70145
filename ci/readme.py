#!/usr/bin/env python3
"""Checks that the C and Python examples of README.md are the tested files they name."""

import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
text = (root / "README.md").read_text(encoding="utf-8")
found = re.findall(r"<!-- (examples/\S+) -->\n```\w+\n(.*?)```", text, re.DOTALL)
bad = [name for name, block in found if (root / name).read_text(encoding="utf-8") != block]
if len(found) < 2 or bad:
    sys.exit(f"README.md differs from {', '.join(bad) or 'nothing: it names too few examples'}")
print(f"README.md shows {', '.join(name for name, _ in found)} as they are")
