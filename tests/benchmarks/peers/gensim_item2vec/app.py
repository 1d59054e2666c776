"""item2vec by gensim: reads `asked.json` of the folder named, writes `vectors.npz` beside it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from gensim.models import Word2Vec


def main() -> None:
    folder = Path(sys.argv[1])
    asked = json.loads((folder / "asked.json").read_text())
    started_s, cpu_s = time.perf_counter(), time.process_time()
    model = Word2Vec(
        asked["sessions"],
        sg=1,
        hs=0,
        vector_size=asked["dim"],
        window=asked["window"],
        negative=asked["negatives"],
        sample=asked["subsample"],
        epochs=asked["epochs"],
        min_count=1,
        workers=1,
        seed=1,
    )
    seconds = {
        "seconds": time.perf_counter() - started_s,
        "cpu_seconds": time.process_time() - cpu_s,
    }
    items = np.array([int(item) for item in model.wv.index_to_key])
    np.savez(folder / "vectors.npz", items=items, vectors=model.wv.vectors)
    print(json.dumps(seconds))


main()
