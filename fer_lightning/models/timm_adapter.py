"""Models of timm (https://github.com/huggingface/pytorch-image-models) by name, for faces of any size and colour."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import nn

from fer_lightning.config.values import Count, checked
from fer_lightning.data.normalization import Fixed
from fer_lightning.errors import ConfigError, nearest
from fer_lightning.messages import first_line, say_once

_WEIGHTS = ["model.safetensors", "pytorch_model.bin"]
_ELSEWHERE = {"cache_dir", "pretrained_cfg", "pretrained_cfg_overlay"}  # options that say where weights lie
_PATIENCE_SECONDS = 5.0


@checked("model.")
def timm_model(
    name: str,
    *,
    pretrained: bool = False,
    in_channels: Count = 1,
    image_size: Count = 48,
    num_classes: Count = 7,
    **options: Any,
) -> nn.Module:
    """Return a model of timm with a new head for these classes.

    Parameters
    ----------
    name
        As in ``timm.list_models()``: ``resnet18``, ``vit_tiny_patch16_224.augreg_in21k_ft_in1k``.
    pretrained
        Load its weights, from timm's cache or the internet; those of the first layer are summed over the colours where
        the faces are grey.
    in_channels, image_size, num_classes
        Of the faces. A model for one size only, such as a transformer, is built for this one.
    options
        Of ``timm.create_model``, such as ``drop_rate``.

    Raises
    ------
    ConfigError
        timm is not installed, has no such model, or cannot load its weights.
    """
    timm = _timm()
    settings = _settings(timm, name)
    if pretrained:
        say_once(
            f"model.pretrained=true: looking for the weights of {name} in timm's cache and on huggingface.co; "
            "HF_HUB_OFFLINE=1 asks the cache alone"
        )
        if not _ELSEWHERE & options.keys():
            _require_weights(settings, name)
    sizes = {"img_size": image_size} if settings.fixed_input_size else {}
    try:
        model: nn.Module = timm.create_model(
            name,
            pretrained=pretrained,
            in_chans=in_channels,
            num_classes=num_classes,
            **sizes | {key: value for key, value in options.items() if value is not None},
        )
    except (AssertionError, TypeError, ValueError) as error:
        raise ConfigError(f"model.name={name}: {first_line(error)}") from error
    except Exception as error:
        if not pretrained:
            raise
        raise _not_at_hand(name, error) from error
    return model


def _not_at_hand(name: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"model.pretrained=true: the weights of {name} are not at hand ({first_line(error)}); expected an internet "
        "connection, or model.pretrained=false model.weights=FILE"
    )


def _require_weights(settings: Any, name: str) -> None:
    """Ask once whether the weights can be had, since timm asks again and again for a minute without a connection.

    Raises
    ------
    ConfigError
        They are not in the cache, and the server does not answer.
    """
    if not settings.hf_hub_id:
        return
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    files = [settings.hf_hub_filename] if settings.hf_hub_filename else _WEIGHTS
    if any(isinstance(try_to_load_from_cache(settings.hf_hub_id, file), str) for file in files):
        return
    try:
        get_hf_file_metadata(hf_hub_url(settings.hf_hub_id, files[0]), timeout=_PATIENCE_SECONDS)
    except HfHubHTTPError:
        return  # it answers: timm looks for files of other names
    except Exception as error:
        raise _not_at_hand(name, error) from error


def timm_normalization(name: str) -> Fixed:
    """Return the normalization that the weights of a model of timm were trained with; the mean of the colours for grey.

    Raises
    ------
    ConfigError
        timm is not installed, or has no such model.
    """
    settings = _settings(_timm(), name)
    return Fixed(list(settings.mean), list(settings.std))


def _settings(timm: ModuleType, name: str) -> Any:
    """Return the settings of a model's weights; of its architecture where the name names no weights."""
    found = timm.models.get_pretrained_cfg(name) if timm.is_model(name) else None
    if found is None:
        raise ConfigError(f"model.name={name}: timm has no such model; {nearest(name, timm.list_models())}")
    return found


def _timm() -> ModuleType:
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # torchvision of another build of PyTorch
        raise ConfigError(
            f'model=timm: timm cannot be imported ({first_line(error)}); expected pip install "fer-lightning[timm]", '
            "with torchvision of the same build as PyTorch"
        ) from error
    return timm
