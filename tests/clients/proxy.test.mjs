// A development server, as Vite's or webpack's: it sends on what a page asks, with our own Host and the page's Origin.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { createClient } from "graphql-ws";
import proxies from "http-proxy";
import WebSocket from "ws";
import { by, ENDPOINT, first, speaks } from "./marginalia.mjs";

const proxy = proxies.createProxyServer({ target: new URL(ENDPOINT).origin, changeOrigin: true, ws: true });
const server = createServer((request, response) => proxy.web(request, response));
server.on("upgrade", (request, socket, head) => proxy.ws(request, socket, head));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => (server.close(), server.closeAllConnections()));

const page = `http://localhost:${server.address().port}`;
const url = `http://127.0.0.1:${server.address().port}/graphql`;

/** A WebSocket as a page of an origin opens it. */
function of(origin) {
  return class extends WebSocket {
    constructor(address, protocols) {
      super(address, protocols, { origin });
    }
  };
}

const client = createClient({ url: url.replace("http", "ws"), webSocketImpl: of(page), lazy: false });
after(() => client.dispose());

const subscribe = (query, variables, sink) => client.subscribe({ query, variables }, sink);

async function post(query, variables) {
  const headers = { "content-type": "application/json", origin: page };
  const response = await by("POST")(url, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  return await response.json();
}

speaks("a page over a proxy's WebSocket", { query: first(subscribe), mutate: first(subscribe), subscribe });
speaks("a page over a proxy", { query: post, mutate: post });

test("a page of the web opens no WebSocket over a proxy", async () => {
  const socket = new (of("https://evil.example"))(url.replace("http", "ws"), "graphql-transport-ws");
  const response = await new Promise((resolve, reject) => {
    socket.on("unexpected-response", (_request, answer) => resolve(answer));
    socket.on("open", () => reject(new Error("It was opened.")));
    socket.on("error", reject);
  });
  assert.equal(response.statusCode, 403);
  let text = "";
  for await (const piece of response) text += piece;
  assert.match(text, /MARGINALIA_ALLOWED_ORIGINS=https:\/\/evil\.example/);
});
