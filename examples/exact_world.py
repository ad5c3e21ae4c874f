"""A world small enough to enumerate: mean flow is directed information, levels are kept."""

import numpy as np

import flowgauge as fg

world = fg.TabularModel.random(sources=3, vocabulary=3, length=4, seed=7)
texts = list(world.texts())
records = [fg.Record(id=f"{s}-{text}", question=str(s), response=text) for s, text, _ in texts]
run = fg.measure(records, world)

probability = np.array([p for _, _, p in texts])
flow = np.array([run[r.id].record["flow_nats"] for r in records])
compensator = np.array([run[r.id].record["compensator_nats"] for r in records])
print(f"directed information  {world.directed_information():.12f} nats")
print(f"mean flow             {probability @ flow:.12f} nats")
print(f"mean compensator      {probability @ compensator:.12f} nats")
print(f"E exp(-F) under P     {probability @ np.exp(-flow):.12f}")

# Under the reference law a crossing of log(1/alpha) is rare: Ville's inequality.
reference = probability * np.exp(-flow)
alpha = 0.05
crossed = np.array([run[r.id].flow.flow.max() >= np.log(1 / alpha) for r in records])
print(f"P(crossing) under Q   {reference @ crossed:.4f} (at most {alpha})")
