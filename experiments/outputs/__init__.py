"""What a run leaves behind in its folder `<logdir>/<run>/`.

```
config.json        flags, data, seeds; one entry per start: versions, devices, commit
results.jsonl      the truth: one record per attacked example and per training round
plan.json          all the work, so that what is missing can be counted
models/            what was trained, as Keras loads it
reconstructions/   what the attackers drew, and the originals, float32 arrays
summary.csv        derived from results.jsonl: medians, quartiles, shares, intervals
attacks.csv        derived: the same of each attack by its name, and why it has no number
figures/           derived; PNG for looking, SVG and PDF for a paper
report.html        derived: the answer, the frontier, every attack, pictures, costs
cells.csv          derived: one row per example, attack, attacker and mask
table.tex          derived: the tables for a paper
tb/                derived; TensorBoard's event files, one subfolder per cell
```

Everything derived can be deleted and is written anew from the records, so a run that is
interrupted and started again ends with the same files as one that was not. Nothing here
reads flags or prints, except what is called a table or a progress display. Importing
this package loads none of its modules: `outputs.tables` does when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
