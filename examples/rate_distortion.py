"""How much must flow from source to answer if the law may be off by D nats? R(D), certified."""

import numpy as np

from flowgauge.rate import best_of_n_kl, rate_distortion_curve

# Three sources, four answers: each source makes another answer likely.
laws = np.array([[0.85, 0.05, 0.05, 0.05], [0.05, 0.85, 0.05, 0.05], [0.10, 0.10, 0.40, 0.40]])
weights = np.full(3, 1 / 3)
curve = rate_distortion_curve(laws, weights, [0.0, 0.05, 0.1, 0.2, 0.4])
for distortion, rate, gap in zip(curve.distortion, curve.rate, curve.gap, strict=True):
    print(f"D {distortion:.3f}  R {rate:.4f} nats  gap {gap:.0e}")
print(f"best of 16 moves a policy by at most {best_of_n_kl(16):.3f} nats")
