"""Small models with every shape of input and output, and with the constructs converters stumble over."""

import torch
from torch import nn


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.second = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.head = nn.Linear(32, 10)

    def forward(self, image):
        x = torch.relu(self.norm(self.first(image)))
        x = torch.relu(self.second(x))
        return self.head(x.mean((2, 3)))


class Flattened(nn.Module):
    """A reshape between two quantised values: coremltools lost a zero point there."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.head = nn.Linear(16 * 8 * 8, 10)

    def forward(self, image):
        return self.head(nn.functional.max_pool2d(torch.relu(self.first(image)), 2).flatten(1))


class Encoder(nn.Module):
    def __init__(self, width=32, heads=4, longest=64):
        super().__init__()
        self.embed = nn.Embedding(100, width)
        self.places = nn.Parameter(torch.randn(1, longest, width) * 0.1)
        layer = nn.TransformerEncoderLayer(width, heads, 64, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 8)

    def forward(self, ids):
        x = self.embed(ids) + self.places[:, : ids.shape[1]]
        return self.head(self.layers(x))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cells = kind(8, 16, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.cells(x)[0])


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.yes = nn.Linear(8, 4)
        self.no = nn.Linear(8, 4)

    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: self.yes(x), lambda x: self.no(x) * 2, (x,))


class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.step = nn.Linear(8, 8)

    def forward(self, x):
        from torch._higher_order_ops.while_loop import while_loop

        turns = torch.zeros((), dtype=torch.int64)
        return while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, torch.tanh(self.step(y))), (turns, x))[1]


class Best(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(4, 1)

    def forward(self, boxes):
        best = self.score(boxes).squeeze(-1).argmax()
        return boxes[best] * 2.0


class Masked(nn.Module):
    def forward(self, x):
        return x[x > 0] * 2


class ManyWays(nn.Module):
    """A dict in, an optional input left out, a dict of tuples out."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(6, 3)

    def forward(self, batch, mask=None, *, scale):
        x = torch.cat([batch["left"], batch["right"][0]], 1)
        x = self.mix(x) * scale
        if mask is not None:
            x = x * mask
        return {"logits": x, "parts": (x.sum(1), x.mean(1))}


class Deaf(nn.Module):
    def forward(self, x):
        return torch.ones(1, 4) + 1e-7 * x


class NotFinite(nn.Module):
    def forward(self, x):
        return torch.log(-x.abs())


def flattened():
    return Flattened(), (torch.randn(1, 3, 16, 16),)


def cnn():
    return Cnn(), (torch.randn(1, 3, 16, 16),)


def cnn_batch():
    return {"model": Cnn(), "inputs": (torch.randn(2, 3, 16, 16),), "dynamic": {"image": {0: (1, 8)}}}


def encoder():
    return Encoder(), (torch.randint(0, 100, (1, 12)),)


def encoder_dynamic():
    return {"model": Encoder(), "inputs": (torch.randint(0, 100, (1, 12)),), "dynamic": {"ids": {1: (2, 48)}}}


def lstm():
    return Recurrent(nn.LSTM), (torch.randn(1, 10, 8),)


def gru():
    return Recurrent(nn.GRU), (torch.randn(1, 10, 8),)


def branches():
    return Branches(), (torch.randn(2, 8),)


def loop():
    return Loop(), (torch.randn(2, 8),)


def best():
    return Best(), (torch.randn(10, 4),)


def masked():
    return Masked(), (torch.randn(10),)


def many_ways():
    batch = {"left": torch.randn(2, 3), "right": (torch.randn(2, 3),)}
    return ManyWays(), (batch, None), {"scale": torch.rand(1) + 0.5}


def deaf():
    return Deaf(), (torch.randn(1, 4),)


def not_finite():
    return NotFinite(), (torch.randn(1, 4),)


def bare():
    return Cnn()


def raises():
    raise KeyError("weights.bin is not where it was")


def wrong_shape():
    return Cnn(), (torch.randn(1, 4, 16, 16),)


def no_model():
    return 42


class Learner:
    """Shaped like fastai's: the module is its attribute `model`."""

    def __init__(self):
        self.model = Cnn()


def learner():
    return Learner(), (torch.randn(1, 3, 16, 16),)


def training():
    return Cnn().train(), (torch.randn(1, 3, 16, 16),)


def changing():
    net = Cnn()
    nn.init.normal_(net.head.weight, generator=torch.Generator().manual_seed(torch.seed() % 2**31))
    return net, (torch.randn(1, 3, 16, 16),)


def crash():
    import os

    os.abort()


def hang():
    import time

    time.sleep(60)
