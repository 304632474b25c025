# One image for every role: `docker run plexus up`, `docker run plexus serve auth`.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked && cp target/release/plexus /plexus && mkdir /data

# glibc and certificates, no shell, no package manager, not root.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /plexus /usr/local/bin/plexus
# The embedded stores of `plexus up`; the split mesh keeps nothing here.
COPY --from=build --chown=nonroot:nonroot /data /data
ENV PLEXUS_DATA_DIR=/data PLEXUS_LISTEN_ADDRESS=0.0.0.0
VOLUME /data
# Fails until every role of the container serves.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["plexus", "status"]
ENTRYPOINT ["plexus"]
CMD ["up"]
