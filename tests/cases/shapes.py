"""Models in the shapes that people's code has: trainers, wrappers, half precision, structured outputs."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from typing import Any, NamedTuple

import torch
from torch import nn


def _body() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 5)
    )


def _x() -> torch.Tensor:
    return torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))


class Metric(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros((), dtype=torch.long))

    def forward(self, *args: Any) -> Any:
        raise RuntimeError("a metric is not part of the model")


class Hyper(dict):
    __getattr__ = dict.__getitem__


class Lit(nn.Module):
    """The surface of a LightningModule."""

    def __init__(self) -> None:
        super().__init__()
        self.net = _body()
        self.metric = Metric()
        self.loss = nn.CrossEntropyLoss()
        self._hparams = Hyper(width=8)
        self._trainer = None
        self.example_input_array = _x()

    @property
    def hparams(self) -> Hyper:
        return self._hparams

    @property
    def trainer(self) -> Any:
        raise RuntimeError("Lit is not attached to a `Trainer`.")

    @property
    def device(self) -> Any:
        return torch.device("cpu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x) * self.hparams.width

    def log(self, name: str, value: Any) -> None:
        self.trainer.log(name, value)

    def training_step(self, batch: Any, index: int) -> Any:
        x, y = batch
        return self.loss(self(x), y)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters())


def lit():
    return Lit()


class Learner:
    """The surface of a fastai Learner."""

    def __init__(self, dls: Any, model: nn.Module) -> None:
        self.dls, self.model, self.loss_func, self.opt = dls, model, nn.CrossEntropyLoss(), None

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class Loaders:
    def one_batch(self) -> Any:
        return _x().repeat(4, 1, 1, 1), torch.zeros(4, dtype=torch.long)


def learner():
    return Learner(Loaders(), _body())


def parallel():
    return nn.DataParallel(_body()), (_x(),)


def training():
    net = _body()
    net.train()
    return nn.Sequential(net, nn.Dropout(0.5)), _x()


def half():
    return _body().half(), (_x().half(),)


def bfloat():
    return _body().bfloat16(), (_x().bfloat16(),)


def double():
    return _body().double(), (_x().double(),)


class DictIn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = _body()

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"logits": self.body(batch["image"]) + batch["bias"], "image": batch["image"].mean((2, 3))}


def dict_in():
    return DictIn(), {"batch": {"image": _x(), "bias": torch.randn(1, 5)}}


def dict_in_positional():
    return DictIn(), ({"image": _x(), "bias": torch.randn(1, 5)},)


class Boxes(NamedTuple):
    scores: torch.Tensor
    places: torch.Tensor


class Tupled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = _body()

    def forward(self, x: torch.Tensor) -> Boxes:
        y = self.body(x)
        return Boxes(scores=y.softmax(-1), places=y[:, :4])


def named_tuple():
    return Tupled(), (_x(),)


@dataclasses.dataclass
class Out:
    logits: torch.Tensor
    hidden: torch.Tensor | None = None
    loss: torch.Tensor | None = None


class Dataclassed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = _body()

    def forward(self, x: torch.Tensor) -> Out:
        y = self.body(x)
        return Out(logits=y, hidden=y.tanh())


def data_class():
    return Dataclassed(), (_x(),)


class ModelOutput(OrderedDict):
    """As transformers has it."""

    def __init__(self, **values: Any) -> None:
        super().__init__((k, v) for k, v in values.items() if v is not None)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Moded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = _body()

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None, return_dict: bool = True) -> Any:
        y = self.body(x)
        if mask is not None:
            y = y * mask
        return ModelOutput(logits=y, hidden=y.tanh(), loss=None)


def model_output():
    return Moded(), (_x(),)


def optional_keyword():
    return Moded(), {"x": _x(), "mask": torch.ones(1, 5), "return_dict": True}


def hf():
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=64,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    net = BertForSequenceClassification(config)
    return net, {"input_ids": torch.arange(8)[None] + 3, "attention_mask": torch.ones(1, 8, dtype=torch.long)}


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(5, 5)

    def forward(self, x):
        if x.size(0) > 4:
            return x
        return self.lin(x).relu()


class Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = _body()
        self.inner = torch.jit.script(Inner())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(self.body(x))


def scripted_inside():
    return Scripted(), (_x(),)


def scripted_whole():
    return torch.jit.script(Scripted().eval()), (_x(),)


def weight_norm_new():
    net = _body()
    nn.utils.parametrizations.weight_norm(net[4])
    nn.utils.parametrizations.spectral_norm(net[0])
    return net, (_x(),)


def weight_norm_old():
    net = _body()
    nn.utils.weight_norm(net[4])
    return net, (_x(),)


def compiled():
    return torch.compile(_body()), (_x(),)


def pruned():
    from torch.nn.utils import prune

    net = _body()
    prune.l1_unstructured(net[4], "weight", 0.5)
    return net, (_x(),)


def quantized_dynamic():
    net = _body()
    return torch.ao.quantization.quantize_dynamic(net.eval(), {nn.Linear}, torch.qint8), (_x(),)


def quantized_static():
    net = _body().eval()
    from torch.ao.quantization import quantize_fx as fx

    prepared = fx.prepare_fx(net, torch.ao.quantization.get_default_qconfig_mapping("x86"), (_x(),))
    prepared(_x())
    return fx.convert_fx(prepared), (_x(),)


def state():
    return _body().state_dict()


def checkpoint():
    return {"state_dict": _body().state_dict(), "epoch": 3}


def klass_class():
    return Lit


def numpy_inputs():
    return _body(), (_x().numpy(),)


def grads():
    net = _body()
    return net, (_x().requires_grad_(),)


class Hooked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = _body()
        self.body[0].register_forward_hook(lambda m, i, o: o * 2)

    def forward(self, x):
        return self.body(x)


def hooked():
    return Hooked(), (_x(),)


class Lists(nn.Module):
    def forward(self, xs: list[torch.Tensor], scale: float = 2.0) -> list[torch.Tensor]:
        return [xs[0] * scale + xs[1], xs[1].tanh()]


def lists():
    return Lists(), ([_x(), _x() + 1], 3.0)


class Same(nn.Module):
    def forward(self, x):
        y = x.tanh()
        return y, y, x


def same():
    return Same(), (_x(),)


class Inplace(nn.Module):
    def forward(self, x):
        x += 1
        x[:, 0] = 0
        return x.sigmoid()


def inplace():
    return Inplace(), (_x(),)


class Buffered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))
        self.body = _body()

    def forward(self, x):
        self.count += 1
        return self.body(x)


def buffered():
    return Buffered(), (_x(),)


class Reserved(nn.Module):
    def forward(self, input, self_=None, **kwargs):
        return {"input": input * 2, "class": input.sum((2, 3))}


def reserved():
    return Reserved(), (_x(),)


def lazy():
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU()), (_x(),)


def meta():
    return _body().to("meta"), (_x(),)


def empty_batch():
    return _body(), (_x()[:0],)


class Scaled(nn.Module):
    def forward(self, x, k):
        return x * k


def scalar():
    return Scaled(), (_x(), torch.tensor(2.0))
