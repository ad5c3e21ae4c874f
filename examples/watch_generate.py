"""Hooks in a loop of your own: model.generate as it stands, each row watched and some ended.

python examples/watch_generate.py [FOLDER]     a Llama of 260K parameters by default
"""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from flowgauge.live import stop
from flowgauge.live.grounded import Grounded
from flowgauge.live.hooks import FlowHooks, sampling_of
from flowgauge.live.sufficient import Sufficient
from flowgauge.models import HuggingFaceModel
from flowgauge.models.presets import bundled_folder

folder = sys.argv[1] if len(sys.argv) > 1 else bundled_folder("stories-260k")
model = AutoModelForCausalLM.from_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(folder)

# Both stand before a text under P, what it goes on from alone under Q.
sources = ("Lily had a big red ball. ", "Tom was a little dog who loved to swim. ")
goings_on = ("One day she went to the park with", "One day he")
inputs = tokenizer(
    [a + b for a, b in zip(sources, goings_on, strict=True)],
    padding=True, padding_side="left", return_tensors="pt", return_token_type_ids=False,
)  # fmt: skip
config = GenerationConfig(
    do_sample=True, temperature=0.8, top_p=0.95, top_k=0, max_new_tokens=60, pad_token_id=0
)

hooks = FlowHooks(
    HuggingFaceModel(model, tokenizer, "mine"),
    references=[tokenizer(text).input_ids for text in goings_on],
    sampling=sampling_of(config, model.generation_config),
    monitors=[Grounded(alpha=0.01), Sufficient(nats=8.0, action=stop)],
)
torch.manual_seed(1)
model.generate(
    **inputs,
    generation_config=config,
    logits_processor=[hooks.processor],
    stopping_criteria=[hooks.criteria],
)

for text, flow in zip(hooks.texts, hooks.flows, strict=True):
    print(text.text.strip())
    print(f"  {len(text.steps)} tokens, {flow.total_nats:.1f} nats; {text.stopped_by or 'full'}")
    for event in text.events:
        print(f"  {event.monitor}: {event.words}")
