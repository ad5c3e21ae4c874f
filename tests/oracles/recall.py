"""Answers to recall and copying by reading a sequence, one token after the other."""


def pairs_of(tokens, concepts, forms):
    """[(concept, form, value)] and [(concept, form, answer)] of one sequence of recall."""
    read = [
        (k // forms, k % forms, v - concepts * forms)
        for k, v in zip(tokens[::2], tokens[1::2], strict=True)
    ]
    half = len(read) // 2
    return read[:half], read[half:]


def answer(told, concept):
    """The value that stands beside a concept."""
    (found,) = [value for c, _, value in told if c == concept]
    return found


def lookup(tokens, concepts, forms):
    """What a reader who knows all synonyms says at each query."""
    told, asked = pairs_of(tokens, concepts, forms)
    return [answer(told, concept) for concept, _, _ in asked]


def copied(tokens, separator):
    """What stood before the separator."""
    tokens = list(tokens)
    return tokens[: tokens.index(separator)]
