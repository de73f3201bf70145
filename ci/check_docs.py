#!/usr/bin/env python3
"""Checks that the C and Python examples of README.md are the tested files they name, and that the
links between the pages lead somewhere."""

import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
problems = []

readme = (root / "README.md").read_text(encoding="utf-8")
examples = re.findall(r"<!-- (examples/\S+) -->\n```\w+\n(.*?)```", readme, re.DOTALL)
if len(examples) < 2:
    problems.append("README.md names too few examples")
for name, block in examples:
    if (root / name).read_text(encoding="utf-8") != block:
        problems.append(f"README.md does not show {name} as it is")

pages = [*root.glob("*.md"), *(root / "docs").glob("*.md")]
for page in pages:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not (page.parent / link).exists():
            problems.append(f"{page.relative_to(root)}: {link} leads nowhere")

if problems:
    sys.exit("\n".join(problems))
print(f"{len(pages)} pages: every link leads somewhere, every example is the tested file")
