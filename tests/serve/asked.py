"""What the tests ask of a server."""

DOCUMENTS = ["Tom had a red ball. He played with it in the park.", "Lily liked to sing."]
MEASURE = {
    "question": "What happened?",
    "documents": DOCUMENTS,
    "response": "Tom had a red ball. Lily liked to sing. The 7 pirates ate cakes.",
}
GENERATE = {"question": "Once upon a time", "documents": None, "max_tokens": 12, "seed": 3}
#: About 500 tokens: longer than any test waits for, ended by a cancel.
LONG = {**GENERATE, "question": "Tom", "max_tokens": 490}
ALL_MONITORS = [
    {"name": name}
    for name in ("grounded", "not_from_source", "change", "loop", "repetition", "sufficient")
]
