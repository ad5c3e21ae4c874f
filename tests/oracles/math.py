"""Divergences by loops over exact probabilities. Slow and obvious."""

import math

import mpmath


def entropy(p):
    return -sum(x * math.log(x) for x in p if x > 0)


def kl(p, q):
    total = 0.0
    for x, y in zip(p, q, strict=True):
        if x > 0:
            total += math.inf if y == 0 else x * math.log(x / y)
    return total


def varentropy(p):
    mean = entropy(p)
    return sum(x * (-math.log(x) - mean) ** 2 for x in p if x > 0)


def log_ratio_variance(p, q):
    mean = kl(p, q)
    return sum(x * (math.log(x / y) - mean) ** 2 for x, y in zip(p, q, strict=True) if x > 0)


def log_moment(p, q, order):
    return math.log(sum(x * (x / y) ** order for x, y in zip(p, q, strict=True) if x > 0))


def kl_in_many_digits(log_p, log_q):
    """KL of the laws that these log-weights normalise to, 50 digits."""
    with mpmath.workdps(50):
        p = [mpmath.exp(mpmath.mpf(float(x))) for x in log_p]
        q = [mpmath.exp(mpmath.mpf(float(x))) for x in log_q]
        p_sum, q_sum = mpmath.fsum(p), mpmath.fsum(q)
        return float(
            mpmath.fsum(
                a / p_sum * mpmath.log(a / p_sum * q_sum / b) for a, b in zip(p, q, strict=True)
            )
        )


def omega(y):
    """Wright's omega in 50 digits, by Newton on the logarithm."""
    with mpmath.workdps(50):
        y = mpmath.mpf(float(y))
        u = y if y < 1 else mpmath.log(y)  # u = log ω, e^u + u = y
        for _ in range(100):
            u -= (mpmath.exp(u) + u - y) / (mpmath.exp(u) + 1)
        return mpmath.exp(u)
