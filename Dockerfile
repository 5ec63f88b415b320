# The API, the worker and the commands in one image: `docker build -t yiyuebao-api .`
# Only hash-locked wheels are installed, so the build needs no compiler; nothing that serves people runs as root.

FROM python:3.11-slim AS builder
ENV VIRTUAL_ENV=/opt/venv
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv "$VIRTUAL_ENV" \
    && "$VIRTUAL_ENV/bin/pip" install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: -r requirements.lock
COPY src ./src
COPY migrations ./migrations
RUN "$VIRTUAL_ENV/bin/python" -m compileall -q src migrations

FROM python:3.11-slim
ENV VIRTUAL_ENV=/opt/venv \
    PYTHONPATH=/app/src \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    YIYUEBAO_FILES__FOLDER=/app/files
ENV PATH="$VIRTUAL_ENV/bin:$PATH"
RUN useradd --system --no-create-home --uid 10001 yiyuebao
WORKDIR /app
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
RUN mkdir -m 700 files && chown 10001 files
USER 10001
EXPOSE 8000
# Alive, not ready: a database that is away is no reason to kill the process that waits for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "yiyuebao_api"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
