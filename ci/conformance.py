#!/usr/bin/env python3
"""The engine and the test purposes of ETSI TS 102 027-2: checks the verdicts of
sip-core/tests/etsi/purposes.tsv against the tests, and makes docs/conformance.md of both.

    conformance.py FILE     FILE is what `cargo test` wrote: every named test must have run and passed
    conformance.py --write  writes docs/conformance.md
"""

import csv
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
suite = root / "sip-core/tests/etsi"
page = root / "docs/conformance.md"

VERDICTS = {
    "pass": "the test of that name passes",
    "amended": "a later RFC changes what the cited clause asks for; the test checks what holds now",
    "n/a": "not applicable, with the reason",
    "void": "void in the catalogue",
}
ROLES = {
    "OE": "User agent, originating endpoint",
    "TE": "User agent, terminating endpoint",
    "RT": "User agent, registrant",
    "RR": "Registrar",
    "PR": "Proxy",
    "RD": "Redirect server",
}
USER_AGENT = ("OE", "TE")
COUNT = 609
COUNT_USER_AGENT = 252


def role(row):
    return next(part for part in row["id"].split("_") if part in ROLES)


def rules():
    """The first doc comment of each test: what it checks."""
    found = {}
    for path in sorted(suite.glob("*.rs")):
        text = path.read_text(encoding="utf-8")
        pattern = r"((?:^/// .*\n)+)#\[test\]\nfn (sip_\w+)\(\)"
        for comment, name in re.findall(pattern, text, re.MULTILINE):
            if name in found:
                sys.exit(f"{name}: two tests of that name")
            words = " ".join(line[4:] for line in comment.splitlines())
            found[name] = (words, path.name)
        untold = re.findall(r"(?<!/)(?:^|\n)\n#\[test\]\nfn (sip_\w+)\(\)", text)
        if untold:
            sys.exit(f"{path.name}: no comment says what {', '.join(untold)} checks")
    return found


def check_index(rows, tests):
    if len(rows) != COUNT or len({r["id"] for r in rows}) != COUNT:
        yield f"{len(rows)} purposes, not {COUNT} different ones"
    mine = [r for r in rows if role(r) in USER_AGENT]
    if len(mine) != COUNT_USER_AGENT:
        yield f"{len(mine)} purposes of the user agent, not {COUNT_USER_AGENT}"
    for row in rows:
        id_, verdict, test = row["id"], row["verdict"], row["test"]
        if verdict not in VERDICTS:
            yield f"{id_}: no verdict is called {verdict!r}"
        if (verdict == "void") != (row["status"] == "Void"):
            yield f"{id_}: void in the catalogue or in our index, not in both"
        if verdict in ("pass", "amended"):
            if test != id_.lower():
                yield f"{id_}: its test is not named after it: {test!r}"
            if test not in tests:
                yield f"{id_}: there is no test {test}"
        elif test:
            yield f"{id_}: {verdict}, and yet it names a test"
        if verdict in ("amended", "n/a") and not row["reason"]:
            yield f"{id_}: {verdict} without a reason"
        if row["status"] == "M" and verdict not in ("pass", "amended"):
            yield f"{id_}: mandatory, and {verdict}"
    named = {r["test"] for r in rows}
    yield from (f"{test}: a test without a purpose" for test in tests if test not in named)


def check_run(rows, output):
    ran = dict(re.findall(r"^test (?:\w+::)*(sip_\w+) \.\.\. (\w+)", output, re.MULTILINE))
    for row in rows:
        if row["test"] and ran.get(row["test"]) != "ok":
            yield f"{row['test']}: {ran.get(row['test'], 'did not run')}"


def link(row, tests):
    if row["test"] in tests:
        rule, name = tests[row["test"]]
        reason = f" *{row['reason']}*" if row["reason"] else ""
        return f"{rule}{reason} ([{name}](../sip-core/tests/etsi/{name}))"
    return row["reason"]


def table(rows, tests):
    yield "| purpose | RFC 3261 | status | verdict | what the test checks, or why there is none |"
    yield "|---|---|---|---|---|"
    for r in rows:
        cells = [r["id"], r["clauses"], r["status"], r["verdict"], link(r, tests)]
        yield "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def summary(rows):
    yield "| role | purposes | " + " | ".join(VERDICTS) + " | mandatory that pass |"
    yield "|---|---|" + "---|" * (len(VERDICTS) + 1)
    for short, name in ROLES.items():
        mine = [r for r in rows if role(r) == short]
        must = [r for r in mine if r["status"] == "M"]
        met = sum(r["verdict"] in ("pass", "amended") for r in must)
        counts = [str(sum(r["verdict"] == v for r in mine)) for v in VERDICTS]
        yield f"| {name} | {len(mine)} | {' | '.join(counts)} | {met} of {len(must)} |"


def render(rows, tests):
    yield "# Conformance: ETSI TS 102 027-2"
    yield ""
    yield "<!-- Made by `ci/conformance.py --write`: do not edit. -->"
    yield ""
    yield "ETSI TS 102 027-2 V4.1.1 lists 609 test purposes for RFC 3261. Here is each with the clauses"
    yield "that it cites, its status (M mandatory, R recommended, or the condition of the PICS), and"
    yield "what became of it. The catalogue's wording is not ours to repeat, and the tests do not come"
    yield "from it: each checks the rule of the clauses that its purpose cites, by the purpose's place"
    yield "among those that cite them. So a verdict here says that we keep that rule, and is no"
    yield "certificate of the catalogue's own test suite."
    yield ""
    yield from (f"* **{verdict}**: {meaning}." for verdict, meaning in VERDICTS.items())
    yield ""
    yield "`cargo test -p sansip --test etsi` runs the tests; CI checks that every test that this page"
    yield "names exists and ran, and that every mandatory purpose passes."
    yield ""
    yield from summary(rows)
    for short, name in ROLES.items():
        mine = [r for r in rows if role(r) == short]
        yield from ("", f"## {name}", "")
        yield from table(mine, tests)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(suite / "purposes.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    tests = rules()
    text = "\n".join(render(rows, tests)) + "\n"
    problems = list(check_index(rows, tests))
    if sys.argv[1] == "--write":
        page.write_text(text, encoding="utf-8")
    else:
        output = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8", errors="replace")
        problems += check_run(rows, output)
        if page.read_text(encoding="utf-8") != text:
            problems.append(f"{page.relative_to(root)} is not what ci/conformance.py --write makes")
    if problems:
        sys.exit("\n".join(problems))
    print("\n".join(summary(rows)))


if __name__ == "__main__":
    main()
