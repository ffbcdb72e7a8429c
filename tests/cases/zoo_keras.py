"""The Keras rows of `make matrix`: architectures with seeded weights and calibrated batch norms."""

from functools import partial

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


def application(name, size=96, **options):
    """keras.applications' `name` with seeded weights: for asking oracles, not for accuracy."""
    keras.utils.set_random_seed(0)
    made = getattr(keras.applications, name)
    net = made(input_shape=(size, size, 3), weights=None, classes=10, classifier_activation=None, **options)
    return net, (structured(1, size, 9),)


keras_mobilenet = partial(application, "MobileNet", alpha=0.25)
keras_mobilenet_v3_small = partial(application, "MobileNetV3Small", alpha=0.75)
keras_mobilenet_v3_minimalistic = partial(application, "MobileNetV3Large", alpha=0.75, minimalistic=True)
keras_efficientnet_b0 = partial(application, "EfficientNetB0")
keras_efficientnet_v2_b0 = partial(application, "EfficientNetV2B0")
keras_resnet50 = partial(application, "ResNet50")
keras_resnet50_v2 = partial(application, "ResNet50V2")
keras_densenet121 = partial(application, "DenseNet121")
keras_nasnet_mobile = partial(application, "NASNetMobile")
keras_xception = partial(application, "Xception")
keras_inception_v3 = partial(application, "InceptionV3")
keras_convnext_tiny = partial(application, "ConvNeXtTiny")


def gru():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((20, 24), name="x")
    outputs = keras.layers.Dense(8, name="scores")(keras.layers.GRU(48, name="gru")(inputs))
    return keras.Model(inputs, outputs), (np.random.default_rng(0).normal(size=(1, 20, 24)).astype(np.float32),)


def calibration():
    """Samples for static int8 of the networks of 96 pixels."""
    return [{"input": structured(1, 96, seed)} for seed in range(20, 36)]
