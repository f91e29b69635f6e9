# The provider: `serve` unless told otherwise, `worker` and every other command of `idp` besides.
# It runs as nobody in particular, on a file system that it can't write to but for /keys.
FROM python:3.13-slim-bookworm AS made
WORKDIR /source
COPY requirements.txt requirements-build.txt ./
RUN python -m venv /latchkey && \
    /latchkey/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt && \
    python -m venv /tools && \
    /tools/bin/pip install --no-cache-dir --require-hashes --requirement requirements-build.txt
COPY pyproject.toml README.md ./
COPY idp idp
COPY relying_parties relying_parties
COPY templates templates
RUN /tools/bin/python -m hatchling build --target wheel && \
    /latchkey/bin/pip install --no-cache-dir --no-deps dist/*.whl && \
    /latchkey/bin/python -m pip uninstall --yes pip

FROM python:3.13-slim-bookworm
COPY --from=made /latchkey /latchkey
RUN install --directory --owner 10001 --group 10001 --mode 0700 /keys /keys/clients
USER 10001:10001
VOLUME /keys
ENV PATH=/latchkey/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LATCHKEY_KEYS_DIR=/keys \
    LATCHKEY_HOST=0.0.0.0 \
    LATCHKEY_OPERATIONS_HOST=0.0.0.0 \
    LATCHKEY_OPERATIONS_PORT=9000
EXPOSE 8000 9000
ENTRYPOINT ["idp"]
CMD ["serve"]
