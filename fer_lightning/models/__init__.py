"""The reference models, composed of a few blocks, and what there is to know about them without training."""

from fer_lightning.models.base import FaceNet
from fer_lightning.models.cnn import CNN
from fer_lightning.models.cnn_deep import CNNDeep, CNNShallow
from fer_lightning.models.cnn_pad import CNNPad
from fer_lightning.models.counting import ParameterCount, count_multiply_adds, count_parameters
from fer_lightning.models.dnn import DNN
from fer_lightning.models.fast import Fast
from fer_lightning.models.layer_summary import Layer, Summary, model_summary
from fer_lightning.models.options import Design, Options
from fer_lightning.models.reference import packaged_model, packaged_models
from fer_lightning.models.size import conv_output_size
from fer_lightning.models.small import Small
from fer_lightning.models.vgg import VGG16, VGG19

__all__ = [
    "CNN",
    "DNN",
    "VGG16",
    "VGG19",
    "CNNDeep",
    "CNNPad",
    "CNNShallow",
    "Design",
    "FaceNet",
    "Fast",
    "Layer",
    "Options",
    "ParameterCount",
    "Small",
    "Summary",
    "conv_output_size",
    "count_multiply_adds",
    "count_parameters",
    "model_summary",
    "packaged_model",
    "packaged_models",
]
