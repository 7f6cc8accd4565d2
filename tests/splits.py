"""Split models, written by gguf-py's own splitter."""

from pathlib import Path

import gguf

from shammah_convert.split import parts_of


def split(whole: Path, parts: int, stem: str = "split") -> tuple[Path, ...]:
    """Split a model file beside it; its parts, in order."""
    reader = gguf.GGUFReader(whole)
    architecture = reader.get_field("general.architecture")
    assert architecture is not None
    most = -(-len(reader.tensors) // parts)
    writer = gguf.GGUFWriter(whole.with_name(f"{stem}.gguf"), architecture.contents(), split_max_tensors=most)
    for field in reader.fields.values():
        if field.name != "general.architecture" and not field.name.startswith("GGUF."):
            inner = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        writer.add_tensor(str(tensor.name), tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return parts_of(whole.with_name(f"{stem}-00001-of-{parts:05}.gguf"))
