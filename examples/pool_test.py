"""Text that somebody else wrote: is it likelier under its own source than under 19 others?

The p-value is exact whatever the observer is; the tiny story model will do.

    python examples/pool_test.py [MODEL]
"""

import sys

import flowgauge as fg

names = (
    "Tom", "Lily", "Ben", "Mia", "Sam", "Anna", "Max", "Sue", "Tim", "Amy",
    "Jack", "Lucy", "Bob", "Sara", "Leo", "Jane", "Fred", "Rose", "Mark", "Ella",
)  # fmt: skip
records = [
    fg.Record(
        id=name,
        question=f"Once upon a time there was a child named {name}.",
        response=f" {name} was very happy. {name} liked to play with a big ball.",
    )
    for name in names
]
lm = fg.load_model(sys.argv[1] if len(sys.argv) > 1 else "stories-260k")
run = fg.measure(records, lm, settings=fg.Settings(pool=19))
query = "select id, flow_fraction, pool_p_value, pool_e_value from records order by row limit 5"
for row in run.sql(query).to_pylist():
    print(
        f"{row['id']:6} explained {100 * row['flow_fraction']:5.1f} %   "
        f"p {row['pool_p_value']:.2f}   e {row['pool_e_value']:.1f} (at most 20)"
    )
