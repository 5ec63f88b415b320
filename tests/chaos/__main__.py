"""`python -m tests.chaos --pairs 200 --seconds 120 --seed 7`: hurt everything while people talk; print the counts."""

from __future__ import annotations

import argparse
import json
import random

from tests.chaos.story import run


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--pairs", type=int, default=200)
    told.add_argument("--seconds", type=float, default=120)
    told.add_argument("--processes", type=int, default=2)
    told.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    given = told.parse_args()
    print(f"seed {given.seed}", flush=True)
    print(json.dumps(run(**vars(given)), indent=1))


main()
