# Everything, with the tested versions.   docker build -f docker/full.Dockerfile -t evalkit .
#   docker run --rm --gpus all -v "$PWD:/work" evalkit run task=hellaswag model=hf model.path=/work/checkpoint
# Programs that models write run in bubblewrap, which needs user namespaces: docker run --security-opt seccomp=unconfined … for HumanEval.
FROM python:3.12-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
COPY . /src
WORKDIR /src
ENV PIP_CONSTRAINT=/src/constraints.txt PIP_BUILD_CONSTRAINT=/src/constraints.txt PIP_NO_CACHE_DIR=1
RUN python -m venv /venv && /venv/bin/pip install --upgrade pip && /venv/bin/pip install '/src[all]' && \
    /venv/bin/pip install --no-deps --requirement requirements/wheels.txt

FROM python:3.12-slim
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH
RUN useradd --create-home evalkit
USER evalkit
WORKDIR /work
ENTRYPOINT ["evalkit"]
