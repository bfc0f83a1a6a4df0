"""The GPU that is measured, by torch, or a device without torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

# Between two looks at the free memory.
LOOK_SECONDS = 0.02


@dataclass
class Device:
    """The GPU by torch, or a device without torch (emulated), where nothing is compared."""

    torch: Any = None

    def rows(self, n: int, d: int, dtype: str = "float32", seed: int = 0) -> Any:
        """Normal rows, drawn where they lie: the host would take longer than what is measured."""
        if self.torch is None:
            return np.random.default_rng(seed).normal(size=(n, d)).astype(dtype)
        generator = self.torch.Generator(device="cuda").manual_seed(seed)
        kind = getattr(self.torch, dtype)
        return self.torch.randn(n, d, generator=generator, dtype=kind, device="cuda")

    def seconds(self, call: Callable[[], Any]) -> tuple[float, Any]:
        if self.torch is None:
            start = time.perf_counter()
            answer = call()
            return time.perf_counter() - start, answer
        cuda = self.torch.cuda
        begin, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        begin.record()
        answer = call()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3, answer

    def peak_bytes(self, call: Callable[[], Any]) -> tuple[int | None, Any]:
        """The most memory that was taken during the call, beside what was taken before it."""
        if self.torch is None:
            return None, call()
        self.torch.cuda.empty_cache()
        free = [self._free()]
        done = threading.Event()

        def look() -> None:
            while not done.wait(LOOK_SECONDS):
                free.append(self._free())

        watch = threading.Thread(target=look)
        watch.start()
        try:
            answer = call()
        finally:
            done.set()
            watch.join()
        return free[0] - min(free), answer

    def _free(self) -> int:
        return int(self.torch.cuda.mem_get_info()[0])

    def describe(self) -> dict[str, Any]:
        if self.torch is None:
            return {"gpu": None}
        properties = self.torch.cuda.get_device_properties(0)
        return {
            "gpu": properties.name,
            "multiprocessors": properties.multi_processor_count,
            "gpu_memory_bytes": properties.total_memory,
            "cuda": self.torch.version.cuda,
        }


def torch_on_gpu() -> Any:
    """torch with full precision for products; None where it is missing or sees no GPU."""
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch
