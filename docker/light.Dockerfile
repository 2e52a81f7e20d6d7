# The base alone: gate, compare, report, score.   docker build -f docker/light.Dockerfile -t evalkit-light .
#   docker run --rm -v "$PWD:/work" evalkit-light gate main.baseline runs/candidate
FROM python:3.12-slim AS build
COPY . /src
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir '/src[ci]'

FROM python:3.12-slim
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH
RUN useradd --create-home evalkit
USER evalkit
WORKDIR /work
ENTRYPOINT ["evalkit"]
