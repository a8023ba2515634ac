# docker build -t eater-init:latest .
# The base is pinned by the digest of its index, the same for every platform; `make lock` renews it.
ARG PYTHON_IMAGE=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
COPY requirements.lock /
RUN python -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
    --root-user-action ignore --no-deps --only-binary :all: --require-hashes \
    --prefix /packages --requirement /requirements.lock
COPY *.py LICENSE ./
COPY converge ./converge
# A byte code that names its source's hash, not its time, survives whatever a builder does to times.
# Our own is checked against it: a models.py that is mounted over ours must not run as ours.
# The modes are those of the builder's files, which an umask of 077 keeps to their owner.
RUN chmod -R a+rX /app \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /packages \
    && python -m compileall -q --invalidation-mode checked-hash /app

FROM ${PYTHON_IMAGE}
ARG PYTHON_IMAGE
ARG VERSION=1.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="eater-init" \
      org.opencontainers.image.description="Brings a PostgreSQL database to the Chater platform's models" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
# The base comes without byte code of the standard library, and nobody may write it later. pip goes,
# as nothing is installed any more.
RUN python -m pip uninstall --yes --quiet --root-user-action ignore pip \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
       -x '/(ensurepip|idlelib|lib2to3|pydoc_data|site-packages|tkinter|turtledemo)/' \
       "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /packages /usr/local
COPY --from=build /app /app
WORKDIR /app
# SSL_CERT_FILE is what POSTGRES_SSLROOTCERT=system means to psycopg2's own OpenSSL.
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 10001:10001
ENTRYPOINT ["python", "/app/create_tables.py"]
