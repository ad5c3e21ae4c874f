"""Runs inside the tools' own environment: JSONL records on stdin, JSONL scores on stdout.

Imports nothing of flowgauge. A tool that cannot be imported or fails on a record gives an error in
place of a number; nothing is made up.
"""

import json
import sys
from importlib.metadata import version


def hallucination_check():
    """Mean confidence over the response's claims, by the tool's defaults (lexical)."""
    import hallucination_check as hc

    def score(row):
        claims = hc.check(row["response"], row["documents"]).claims
        # No claim found: nothing is called unsupported.
        return sum(c.confidence for c in claims) / len(claims) if claims else 1.0

    return score


def groundcheck():
    """The tool's heuristic; its classifier needs weights from a hub."""
    from groundcheck import GroundCheck

    checker = GroundCheck(backend="heuristic")

    def score(row):
        source = "\n\n".join(row["documents"])
        return checker.check(source=source, answer=row["response"]).grounded_score

    return score


TOOLS = {"hallucination-check": hallucination_check, "groundcheck-rag": groundcheck}


def main():
    """Score every record with every tool."""
    rows = [json.loads(line) for line in sys.stdin if line.strip()]
    for name, make in TOOLS.items():
        try:
            score = make()
            for row in rows:
                out = {"set": row["set"], "id": row["id"], "tool": name, "version": version(name)}
                print(json.dumps({**out, "score": float(score(row))}))
        except Exception as error:  # noqa: BLE001  what a foreign tool raises is unknown
            print(json.dumps({"tool": name, "error": f"{type(error).__name__}: {error}"}))


if __name__ == "__main__":
    main()
