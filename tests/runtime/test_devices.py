"""The devices that ggml knows, read without opening a model."""

from pathlib import Path

import psutil

from shammah.local.devices import gpus

CPU = 0  # of enum ggml_backend_dev_type


def test_the_processor_is_a_device_with_the_machines_memory() -> None:
    (processor,) = gpus(types=(CPU,))
    assert processor.name
    assert processor.total_bytes == psutil.virtual_memory().total


def test_every_gpu_has_a_name_and_memory() -> None:
    for gpu in gpus():
        assert gpu.name
        assert 0 <= gpu.free_bytes <= gpu.total_bytes


def test_a_llama_cpp_without_its_library_has_none(tmp_path: Path) -> None:
    assert gpus(tmp_path) == ()
