# The service in an image, without sources and node_modules: docs/deployment.md.
# With the commit of the sources: docker build --build-arg COMMIT="$(git rev-parse --short HEAD)" --tag rollcall .

FROM node:24-trixie-slim AS build
WORKDIR /rollcall
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY . .
ARG COMMIT=""
RUN npm run build && install --directory --owner=1000 --group=1000 /compiled
# One start, on a PostgreSQL of its own: it leaves compiled code, with which later starts take less processor time. A build that does
# not start makes no image.
USER 1000:1000
# hadolint ignore=DL3001
RUN export ENVIRONMENT=development DATA_DIR=/tmp/rollcall NODE_COMPILE_CACHE=/compiled; \
    node dist/server.js & service=$!; \
    until node deploy/health-check.mjs; do kill -0 "$service" || exit 1; sleep 1; done; \
    kill "$service" && wait "$service" && chmod -R a+rX /compiled

FROM node:24-trixie-slim
LABEL org.opencontainers.image.title="Rollcall" \
      org.opencontainers.image.description="The accounts behind a sign-in that happens elsewhere" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /rollcall
COPY --from=build /compiled ./compiled
COPY --from=build /rollcall/dist ./dist
COPY deploy/health-check.mjs ./
ENV ENVIRONMENT=production NODE_COMPILE_CACHE=/rollcall/compiled
# The account "node" of the image, by its number: Kubernetes checks that it is not root.
USER 1000:1000
EXPOSE 8000
# Until BOOT_TIMEOUT_MS has passed, no failure counts.
HEALTHCHECK --interval=10s --timeout=5s --start-period=65s --start-interval=1s --retries=3 \
  CMD ["node", "health-check.mjs"]
ENTRYPOINT ["node"]
CMD ["dist/server.js"]
