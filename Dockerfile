# One image for every role: `penstock run ROLE`.

FROM python:3.11-slim AS build

# hnswlib comes as source and is compiled: the compiler stays in this stage.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    # the image must run on other processors than the one that built it
    HNSWLIB_NO_NATIVE=1

RUN python -m venv /opt/penstock
ENV PATH=/opt/penstock/bin:$PATH

# The CPU build of torch, a fifth of the size; the same version as in pyproject.toml.
RUN pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu

# Dependencies in a layer of their own, so that a change of code does not install them again.
WORKDIR /src
COPY pyproject.toml ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > dependencies.txt \
    && pip install --requirement dependencies.txt

COPY . .
RUN pip install --no-deps .


FROM python:3.11-slim

RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/penstock penstock \
    && install --directory --owner penstock --group penstock /var/lib/penstock/checkpoints

COPY --from=build /opt/penstock /opt/penstock

ENV PATH=/opt/penstock/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PENSTOCK_TRAINER__CHECKPOINT_DIR=/var/lib/penstock/checkpoints

USER penstock
WORKDIR /var/lib/penstock

CMD ["penstock", "--help"]
