"""Two members of the family, equally large, learn a language whose entropy is known.

python examples/train_family.py [--steps N] [--texts N] [--out FOLDER]

The bundled story model writes the texts (seeded), so its own surprisal on held-out ones is the
entropy of the language, and what a member has above it is its distortion KL(P‖q) (Theorem 1).
"""

import argparse
import tempfile
from pathlib import Path

import torch
import transformers

import flowgauge as fg
from flowgauge.architectures.family import (
    FamilyConfig,
    FamilyForCausalLM,
    active_parameter_count,
    matched,
    parameter_count,
)
from flowgauge.models.presets import bundled_folder

PARAMETERS = 260_000
MEMBERS = {
    "attention": ["attention"] * 4,
    "mamba2 and attention": ["mamba2", "mamba2", "mamba2", "attention"],
}


def written(teacher, texts, length=96):
    """Texts of the story model (text, token), drawn from its own law and nothing cut off."""
    torch.manual_seed(0)
    first = torch.full((texts, 1), teacher.config.bos_token_id)
    return teacher.generate(
        first, do_sample=True, max_new_tokens=length, top_k=0, top_p=1.0, eos_token_id=None,
        pad_token_id=0,
    )  # fmt: skip


@torch.no_grad()
def nats(model, ids):
    """Mean surprisal [nats per token]; evaluation leaves the balance of experts out."""
    return float(model.eval()(input_ids=ids, labels=ids).loss)


def trained(config, ids, steps, folder):
    torch.manual_seed(1)
    model = FamilyForCausalLM(config)
    arguments = transformers.TrainingArguments(
        output_dir=folder, max_steps=steps, per_device_train_batch_size=16, learning_rate=3e-3,
        lr_scheduler_type="cosine", warmup_steps=steps // 10, report_to=[], save_strategy="no",
        logging_strategy="no", disable_tqdm=True, use_cpu=True, dataloader_pin_memory=False, seed=1,
    )  # fmt: skip
    rows = [{"input_ids": row, "labels": row} for row in ids]
    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=rows)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return model


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--texts", type=int, default=2000)
parser.add_argument("--out", help="keep the models there")
options = parser.parse_args()
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()

teacher = transformers.AutoModelForCausalLM.from_pretrained(bundled_folder("stories-260k"))
tokenizer = transformers.AutoTokenizer.from_pretrained(bundled_folder("stories-260k"))
texts = written(teacher, options.texts)
learned, held_out = texts[: -options.texts // 10], texts[-options.texts // 10 :]
entropy = nats(teacher, held_out)
print(f"{learned.numel()} tokens to learn; entropy of the language {entropy:.3f} nats per token")

out = Path(options.out or tempfile.mkdtemp())
for name, mixers in MEMBERS.items():
    config = matched(
        FamilyConfig(vocab_size=512, width=64, mixers=mixers, bos_token_id=1, eos_token_id=2),
        PARAMETERS,
    )
    model = trained(config, learned, options.steps, str(out / "trainer"))
    found = nats(model, held_out)
    print(
        f"{name}: {parameter_count(config)} parameters, {active_parameter_count(config)} active; "
        f"{found:.3f} nats per token, {found - entropy:.3f} above the entropy"
    )
    folder = out / name.replace(" ", "-")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

record = fg.Record(
    id="ball",
    documents=("Lily had a big red ball. She loved the ball.",),
    response="Lily went to play with her big red ball.",
)
lm = fg.load_model(folder)
item = fg.measure([record], lm)["ball"]
print(f"{lm.name}: {item.flow.flow[-1]:.1f} nats flow from the source to {record.response!r}")
