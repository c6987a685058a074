"""Train, evaluate, predict, explain, ablate and search from Python, on a few drawn faces: half a minute.

python examples/python_api.py
"""

import numpy as np

import fer_lightning as fl

# Overrides as on the command line, keys with their values, or both. Everything here is small.
small = {
    "data.drawing": {"n_train": 96, "n_val": 48, "n_test": 48},
    "data.batch_size": 32,
    "trainer": {"max_epochs": 1, "accelerator": "cpu"},
    "threads": 1,
    "logger": "csv",
}

run = fl.train(small, "model=small", seed=1, folder="runs/one")
print(run.value, run.best["val/f1"], run.checkpoint)

# A part of one's own is a mapping with its `_target_`: any importable class or function.
own = fl.train(
    small, optimizer={"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.01}, folder="runs/own"
)
print(own.config["optimizer"], own.value)

found = fl.evaluate([run, own], "test")  # the average of both
print(found.metrics["acc"], found.confusion.shape)

faces = np.zeros((2, 48, 48), np.uint8)
print(fl.predict(run, faces).predicted)

shown = fl.explain(run, "explained", only="confusion")
print(shown.page, len(shown.pictures))

study = fl.ablation(
    small,
    factors={"model.activation": ["relu", "selu"]},  # the baseline's level first
    seeds=[0, 1, 2],
    workers=1,
    folder="studies/activation",
)
print(study)
print(study.verdicts, study.best.number if study.best else None)
print(fl.report(study, min_seeds=2, output="report").to_pandas()[["mean", "verdict"]])

tried = fl.search(small, space={"optimizer.lr": "interval(1e-4, 1e-2)"}, n_trials=2, folder="studies/rate")
assert tried.best is not None
print(tried.best.params, tried.best.run.checkpoint)

print(fl.compare({"one": [run], "own": [own]}).notes)
