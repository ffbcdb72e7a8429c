"""The Keras rows of `make matrix`: architectures with seeded weights and calibrated batch norms."""

import keras
import numpy as np


def structured(count, size, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size * 2 - 1
    waves = rng.uniform(-4, 4, (count, 3, 3))
    images = np.sin(waves[..., 0, None, None] * x + waves[..., 1, None, None] * y + waves[..., 2, None, None])
    return (images.transpose(0, 2, 3, 1) + rng.normal(0, 0.2, (count, size, size, 3))).astype(np.float32)


def mobilenet_v2():
    """keras.applications' own, 96 pixels, its batch norms set by what passes through them."""
    keras.utils.set_random_seed(0)
    net = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=100, classifier_activation=None)
    for layer in net.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
    for seed in range(8):
        net(structured(8, 96, seed), training=True)
    return net, (structured(1, 96, 9),)


def gru():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((20, 24), name="x")
    outputs = keras.layers.Dense(8, name="scores")(keras.layers.GRU(48, name="gru")(inputs))
    return keras.Model(inputs, outputs), (np.random.default_rng(0).normal(size=(1, 20, 24)).astype(np.float32),)


def calibration():
    return [{"input": structured(1, 96, seed)} for seed in range(20, 36)]
