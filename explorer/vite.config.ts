/** Builds the page into the folder that the server serves at /graphiql. */
import { defineConfig } from "vite";
import { licenses } from "./licenses.ts";

const bundled = licenses("THIRD-PARTY-LICENSES.txt");

export default defineConfig({
  base: "./",
  // The page knows no absolute path, because a proxy may show it under a prefix. It is at …/graphiql, without a slash.
  experimental: {
    renderBuiltUrl: (file, { hostType }) => (hostType === "html" ? `graphiql/${file}` : { relative: true }),
  },
  // graphql-js looks here before it trusts NODE_ENV: without it, its development checks stay in.
  define: { "globalThis.process": "true" },
  plugins: [bundled.writer],
  // Workers are bundles of their own; the same list is kept of what they hold.
  worker: { format: "es", plugins: () => [bundled.collector] },
  build: {
    outDir: "../marginalia/static/graphiql",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    // Files only: the CSP allows data: for fonts and images, but a file is cached and readable.
    assetsInlineLimit: 0,
    // Monaco is large, and "use client" means nothing here: no warning is news.
    chunkSizeWarningLimit: 5000,
    rolldownOptions: { checks: { moduleLevelDirective: false } },
  },
});
