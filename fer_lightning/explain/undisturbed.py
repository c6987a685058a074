"""Look into a model and leave it, and every random number drawn later, as they were."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


def device_of(model: nn.Module) -> torch.device:
    """Return where a model lies; the CPU for one without parameters."""
    return next((each.device for each in model.parameters()), torch.device("cpu"))


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Within this context ``model`` is in evaluation mode and its parameters are frozen.

    Afterwards, also after an error, each submodule's mode, each parameter's ``requires_grad`` and ``grad``, each
    buffer, and the random states of Python, NumPy and torch (with those of its devices) are as before. Frozen
    parameters also make gradients with respect to images about twice as fast.

    Hooks are the caller's: register them in a ``with`` or ``try`` that removes them.
    """
    modes = {module: module.training for module in model.modules()}
    parameters = [(each, each.requires_grad, each.grad) for each in model.parameters()]
    buffers = [(each, each.detach().clone()) for each in model.buffers()]
    devices = sorted({each.device.index or 0 for each in model.parameters() if each.device.type == "cuda"})
    state, python_state, numpy_state = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    device_states = [torch.cuda.get_rng_state(device) for device in devices]
    try:
        model.eval()
        for parameter, _, _ in parameters:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        for parameter, requires_grad, gradient in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = gradient
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        torch.set_rng_state(state)
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        for device, device_state in zip(devices, device_states, strict=True):
            torch.cuda.set_rng_state(device_state, device)
