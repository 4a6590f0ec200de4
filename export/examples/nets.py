import torch
from torch import nn
from torchvision.models import mobilenet_v3_small


class Mixed(nn.Module):
    """A photo and three numbers in, the logits of four kinds and a score out."""

    def __init__(self):
        super().__init__()
        self.eye = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4), nn.ReLU(), nn.Flatten())
        self.kind, self.score = nn.Linear(8 * 15 * 15 + 3, 4), nn.Linear(8 * 15 * 15 + 3, 1)

    def forward(self, photo, facts):
        seen = torch.cat([self.eye(photo), facts], dim=1)
        return self.kind(seen), self.score(seen)


def mixed():
    torch.manual_seed(0)
    return Mixed().eval()  # yours would load its weights


def mobilenet():
    torch.manual_seed(0)
    net = mobilenet_v3_small(num_classes=10)
    for layer in net.modules():  # in place of a training: the batch statistics of noise
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    net.train()(torch.randn(64, 3, 64, 64))
    return net.eval()
