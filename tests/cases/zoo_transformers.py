"""Architectures of the transformers package with seeded weights, small: for asking oracles, not for accuracy.

Each keeps its own layers and attributes (kernel sizes, activations, norms); depth and width are cut so that an export
takes seconds.
"""

import torch
import transformers
from torch import nn

IMAGE = (1, 3, 64, 64)
TEXT = {"vocab_size": 200, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
#: The same sizes as encoders with decoders call them.
SEQUENCE = {"vocab_size": 200, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}  # fmt: skip


class Only(nn.Module):
    """The first tensor of what a transformers model returns."""

    def __init__(self, net, name):
        super().__init__()
        self.net, self.name = net, name

    def forward(self, x):
        return self.net(**{self.name: x}, return_dict=False)[0]


def drawn(kind, example, *, name="pixel_values", only=None, **config):
    """The model `kind` of a configuration with seeded weights, and an example; `only` names a part of it."""
    torch.manual_seed(0)
    chosen = getattr(transformers, f"{kind}Config")(**config)
    net = getattr(transformers, f"{kind}Model")(chosen)
    net = net.get_submodule(only) if only else net
    return Only(net.eval(), name).eval(), (example,)


def image(kind, **config):
    torch.manual_seed(1)
    return drawn(kind, torch.randn(config.pop("shape", IMAGE)), **config)


def text(kind, **config):
    torch.manual_seed(1)
    return drawn(kind, torch.randint(5, 190, (1, 12)), name="input_ids", **{**TEXT, **config})


def hf_mobilenet_v1():
    return image("MobileNetV1", depth_multiplier=0.25)


def hf_mobilenet_v2():
    return image("MobileNetV2", depth_multiplier=0.35)


def hf_efficientnet():
    return image("EfficientNet", width_coefficient=0.5, depth_coefficient=0.3, hidden_dim=640)


def hf_resnet():
    return image("ResNet", embedding_size=16, hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1])


def hf_regnet():
    return image("RegNet", embedding_size=16, hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1], groups_width=8)


def hf_bit():
    return image("Bit", embedding_size=16, hidden_sizes=[32, 32, 64, 64], depths=[1, 1, 1, 1], num_groups=4)


def hf_convnext():
    return image("ConvNext", hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1])


def hf_convnext_v2():
    return image("ConvNextV2", hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1])


def hf_focalnet():
    return image("FocalNet", embed_dim=16, hidden_sizes=[16, 32, 64, 128], depths=[1, 1, 1, 1], image_size=64)


def hf_poolformer():
    return image("PoolFormer", hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1])


def hf_textnet():
    return image("TextNet")


def hf_mobilevit():
    return image("MobileViT", image_size=64, hidden_sizes=[24, 32, 40], neck_hidden_sizes=[8, 16, 24, 24, 32, 40, 80],
                 num_attention_heads=2)  # fmt: skip


def hf_mobilevit_v2():
    return image("MobileViTV2", image_size=64, width_multiplier=0.25)


def hf_swiftformer():
    return image("SwiftFormer", shape=(1, 3, 224, 224), depths=[1, 1, 1, 1], embed_dims=[16, 32, 48, 64])


def hf_levit():
    return image("Levit", shape=(1, 3, 224, 224), hidden_sizes=[32, 48, 64], num_attention_heads=[2, 3, 4],
                 depths=[1, 1, 1], key_dim=[8, 8, 8])  # fmt: skip


def hf_vit():
    return image("ViT", image_size=64, patch_size=16, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                 intermediate_size=64)  # fmt: skip


def hf_deit():
    return image("DeiT", image_size=64, patch_size=16, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                 intermediate_size=64)  # fmt: skip


def hf_dinov2():
    return image("Dinov2", image_size=56, shape=(1, 3, 56, 56), patch_size=14, hidden_size=32, num_hidden_layers=2,
                 num_attention_heads=2)  # fmt: skip


def hf_swin():
    return image("Swin", image_size=64, embed_dim=16, depths=[2, 1], num_heads=[2, 2], window_size=4)


def hf_segformer():
    return image("Segformer", hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], num_attention_heads=[1, 2, 3, 4])


def hf_pvt():
    return image("PvtV2", image_size=64, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1],
                 num_attention_heads=[1, 2, 3, 4])  # fmt: skip


def hf_glpn():
    return image("GLPN", hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], num_attention_heads=[1, 2, 3, 4])


def hf_yolos():
    return image("Yolos", image_size=[64, 64], hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                 intermediate_size=64, num_detection_tokens=10)  # fmt: skip


def hf_bert():
    return text("Bert")


def hf_mobilebert():
    return text("MobileBert", embedding_size=16, true_hidden_size=16, intra_bottleneck_size=16)


def hf_squeezebert():
    return text("SqueezeBert", embedding_size=32)


def hf_electra():
    return text("Electra", embedding_size=16)


def hf_fnet():
    return text("FNet")


def hf_gpt2():
    torch.manual_seed(1)
    return drawn("GPT2", torch.randint(5, 190, (1, 12)), name="input_ids", vocab_size=200, n_embd=32, n_layer=2,
                 n_head=2, n_positions=64, use_cache=False)  # fmt: skip


def hf_llama():
    return text("Llama", use_cache=False, num_key_value_heads=1)


def hf_t5():
    torch.manual_seed(1)
    return drawn("T5", torch.randint(5, 190, (1, 12)), name="input_ids", only="encoder", vocab_size=200, d_model=32,
                 d_kv=16, d_ff=64, num_layers=2, num_heads=2)  # fmt: skip


def hf_whisper():
    torch.manual_seed(1)
    return drawn("Whisper", torch.randn(1, 80, 200), name="input_features", only="encoder", max_source_positions=100,
                 **SEQUENCE, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)  # fmt: skip


def hf_wav2vec2():
    torch.manual_seed(1)
    small = {name: TEXT[name] for name in TEXT if name != "vocab_size"}
    return drawn("Wav2Vec2", torch.randn(1, 4000), name="input_values", **small, conv_dim=(16,) * 7,
                 num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2)  # fmt: skip


def hf_ast():
    torch.manual_seed(1)
    small = {name: TEXT[name] for name in TEXT if name != "vocab_size"}
    return drawn("AST", torch.randn(1, 64, 32), name="input_values", **small, max_length=64, num_mel_bins=32)


def calibration():
    """Samples for static int8 of the image networks of 64 pixels."""
    return [{"x": torch.randn(IMAGE, generator=torch.Generator().manual_seed(seed)).numpy()} for seed in range(8)]
