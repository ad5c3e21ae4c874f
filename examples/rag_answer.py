"""One answer in hand: which of its sentences do the documents drive?

python examples/rag_answer.py [MODEL]     default smollm2-135m; any preset, folder or owner/name
"""

import sys

import flowgauge as fg

answer = fg.Record(
    id="lighthouse",
    question="When was the lighthouse built, and how tall is it?",
    documents=(
        "The lighthouse on the northern cape was built in 1871 by the harbour board.",
        "Its tower is 34 metres tall and carries a lamp that is seen from 20 miles away.",
    ),
    response="The lighthouse was built in 1871 and is 34 metres tall. It was painted red in 1920.",
)

lm = fg.load_model(sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m")
run = fg.measure([answer], lm)
item = run["lighthouse"]
for sentence in item.sentences:
    print(f"{100 * sentence['flow_fraction']:6.1f} %  {sentence['text'].strip()}")
strongest = max(range(len(item.tokens)), key=lambda j: item.density[j])
print(f"most driven token: {item.tokens[strongest]!r}, {item.density[strongest]:.1f} nats")
print(fg.decide(item.flow, alpha=0.01).words)
