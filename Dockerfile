# scopezoo as a server: `docker build -t scopezoo .`, or with a GPU `--build-arg DEVICE=cuda`.
# docs/container.md says how to run it.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
# Further extras of scopezoo, e.g. "openvino" or "torch,openvino"; cpu or cuda.
ARG EXTRAS=stardist
ARG DEVICE=cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY collection collection
COPY src src
RUN python3 -m venv /opt/scopezoo \
 && /opt/scopezoo/bin/pip install --constraint constraints.txt ".[${EXTRAS}]" \
 && if [ "${DEVICE}" = cuda ]; then \
      /opt/scopezoo/bin/pip uninstall --yes onnxruntime \
      && /opt/scopezoo/bin/pip install "onnxruntime-gpu[cuda,cudnn]"; \
    fi \
 && /opt/scopezoo/bin/pip uninstall --yes pip setuptools \
 && find /opt/scopezoo -type d \( -name tests -o -name test -o -name __pycache__ \) \
      -path '*/site-packages/*' -prune -exec rm -rf {} +

FROM ${PYTHON}
COPY --from=build /opt/scopezoo /opt/scopezoo
# Whoever it runs as, nothing but /data and /tmp is written to.
RUN mkdir /data && chown 10001:10001 /data
ENV PATH=/opt/scopezoo/bin:$PATH \
    HOME=/tmp \
    SCOPEZOO_CACHE=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python3", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["scopezoo"]
CMD ["serve", "--host", "0.0.0.0"]
