"""What a network of one's own looks at, as functions: saliency and its checks, LIME, class images, dead units.

python examples/saliency_function.py [folder]
"""

import sys
from pathlib import Path

import torch
from torch import nn

from fer_lightning.explain import class_images, dead_units, lime, saliency, standardized_range, trust
from fer_lightning.plots.saliency import plot_saliency
from fer_lightning.plots.style import save_figure

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
NAMES = ("left", "right")


def pictures(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise, brighter to the left or to the right; standardized, as the network takes it."""
    images, labels = 0.8 * torch.rand(count, 3, 32, 32), torch.arange(count) % 2
    images[labels == 0, :, 8:24, 4:12] += 0.1
    images[labels == 1, :, 8:24, 20:28] += 0.1
    return (images - MEAN[0]) / STD[0], labels


def trained() -> nn.Module:
    """Return any nn.Module that maps pictures to logits."""
    net = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 2))
    optimizer = torch.optim.Adam(net.parameters(), 0.005)
    images, labels = pictures(256)
    for _ in range(12):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()
    return net


if __name__ == "__main__":
    torch.manual_seed(0)
    folder, net, (images, labels) = Path(sys.argv[1] if len(sys.argv) > 1 else "."), trained(), pictures(60)
    black_and_white = standardized_range(MEAN, STD)
    found = saliency(net, images, method="occlusion", window=6, stride=3, input_range=black_and_white)
    report = trust(net, images, labels, ["occlusion"], input_range=black_and_white)
    print(report.caption("occlusion"))
    (one,) = lime(net, images[:1], superpixels=16, input_range=black_and_white)
    print(f"superpixels that speak for {NAMES[0]}: {int((one.weights[0] > 0.05).sum())}")
    best = class_images(net, 32, channels=3, input_range=black_and_white, steps=50, seeds=[0])
    print(f"logits of the class images: {best.logits[0].round(1)}")
    print(f"dead units: {[f'{each.layer} {each.dead:.0%}' for each in dead_units(net, images)]}")
    faces = (images[:6] * STD[0] + MEAN[0]).clamp(0, 1).permute(0, 2, 3, 1).mul(255).byte().numpy()
    sheet = plot_saliency(
        faces, found.maps[:6], [NAMES[each] for each in labels[:6]], verdict=report.caption("occlusion")
    )
    print("see", save_figure(sheet, folder / "saliency.png"))
