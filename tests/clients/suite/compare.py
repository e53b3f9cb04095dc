"""Compares two runs of a client's test suite, test by test, and says what differs.

  compare.py [--new | --no-context RUN.xml] KNOWN DIRECT.xml GATEWAY.xml
             [AGAIN-DIRECT.xml AGAIN-GATEWAY.xml]

A test that has another result behind the gateway has to be in the list of known differences, and
whatever is in that list has to differ: a list that is not true any more helps nobody. A second
pair of runs holds the tests that differed without being known: one that then comes out the same is
unsteady by itself and is said, not counted.

With --new, prints the unknown differences as arguments for the second pair, and nothing else.
With --no-context, every test of that run has to have passed.
"""

import argparse
import sys
import xml.etree.ElementTree as ElementTree


def results(path):
    found = {}
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        result = "passed"
        for kind in ("skipped", "failure", "error"):
            if kind in kinds:
                result = kind
        file, name = case.get("classname").split(".")[1:], case.get("name")
        found["::".join([f"tests/{file[0]}.py", *file[1:], name])] = result
    return found


def known_differences(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    return {line.split(maxsplit=1)[0] for line in lines if line and not line.startswith("#")}


def differences(direct, gateway):
    names = sorted(direct.keys() | gateway.keys())
    pairs = {name: (direct.get(name), gateway.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def count(found):
    kinds = sorted(set(found.values()))
    return ", ".join(f"{list(found.values()).count(kind)} {kind}" for kind in kinds)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--new", action="store_true")
    parser.add_argument("--no-context")
    parser.add_argument("known")
    parser.add_argument("reports", nargs="+")
    return parser.parse_args()


def main():
    given = arguments()
    known = known_differences(given.known)
    direct, gateway, *again = map(results, given.reports)
    found = differences(direct, gateway)
    new = sorted(found.keys() - known)
    if given.new:
        print(*new, sep="\n", end="\n" if new else "")
        return 0
    steady = differences(*again) if again else {}
    print(f"direct: {count(direct)}\ngateway: {count(gateway)}")
    for name in sorted(found):
        word = "known" if name in known else "new" if name in steady else "unsteady"
        print(f"{word}: {name}: {found[name][0]} direct, {found[name][1]} behind the gateway")
    gone = sorted(known - found.keys())
    for name in gone:
        print(f"listed as a difference, and the same: {name}")
    without = results(given.no_context) if given.no_context else {}
    differ_still = sorted(name for name, result in without.items() if result != "passed")
    for name in differ_still:
        print(f"differs without an added context as well: {name}")
    for name, result in sorted(direct.items()):
        if result in ("failure", "error"):
            print(f"fails without a gateway as well: {name}")
    is_same = not (steady or gone or differ_still) and direct
    print("the same, but for what is known" if is_same else "not the same")
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
