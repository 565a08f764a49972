"""VGG19 and MobileNetV2: torchvision's sizes, and conversion of narrow ones; a bottleneck passes what is below 0 on."""

import pytest
import safetensors.torch
import torch

import spikeledger as sl
from spikeledger.errors import FileFormatError
from spikeledger.networks.imagenet import load_weights, mobilenet_v2, vgg19


def test_they_have_the_weights_that_torchvision_publishes() -> None:
    with torch.device("meta"):
        vgg, mobile = vgg19(), mobilenet_v2()
        flowers = vgg19(102, head=(512, 256))
    assert sum(each.numel() for each in vgg.parameters()) == 143_667_240
    assert sum(each.numel() for each in mobile.parameters()) == 3_504_872
    assert {"features.34.weight", "classifier.6.bias"} <= vgg.state_dict().keys()
    assert {
        "features.2.conv.1.0.weight",
        "features.18.1.running_mean",
        "classifier.1.weight",
    } <= mobile.state_dict().keys()
    assert [
        each.shape[0] for name, each in flowers.named_parameters() if "classifier" in name and "weight" in name
    ] == [512, 256, 102]


@pytest.mark.parametrize(("make", "size", "width"), [(vgg19, 224, 0.05), (mobilenet_v2, 32, 0.125)])
def test_narrow_ones_convert_and_record(make, size: int, width: float) -> None:
    torch.manual_seed(0)
    ann = make(6, head=(8,), width=width)
    images = torch.randn(4, 3, size, size)  # normalised as ImageNet's are: below 0 too
    ann(images)  # statistics of the batch norms
    ann.eval()
    network = sl.convert(ann, images, method="max", granularity="channel", timesteps=256)
    with torch.no_grad():
        expected, found = ann(images), network.conversion.scores(images)
    assert float((found - expected).abs().max()) < 0.1 * float(expected.std()) + 0.02
    short = sl.convert(ann, images, method="max", timesteps=2)
    activity = sl.record(short, images[:1])
    assert activity.total("spike") > 0
    assert not activity.uncounted


def test_weights_of_a_file_that_is_not_theirs(tmp_path) -> None:
    network = mobilenet_v2(4, width=0.125)
    file = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(network.state_dict(), file)
    other = mobilenet_v2(4, width=0.125)
    load_weights(other, file)
    assert torch.equal(other.classifier[1].weight, network.classifier[1].weight)
    with pytest.raises(FileFormatError, match="SHA-256"):
        load_weights(other, file, sha256="0" * 64)
    with pytest.raises(FileFormatError, match="another network"):
        load_weights(mobilenet_v2(5, width=0.125), file)
    file.write_bytes(b"no weights")
    with pytest.raises(FileFormatError, match="safetensors"):
        load_weights(other, file)
