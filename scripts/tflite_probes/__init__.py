"""What random TFLite probes are made of, for make_probes_tflite.py."""
