// graphql-ws alone: every kind of operation over one socket, by its text or by the id of a document.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import { createClient, stringifyMessage } from "graphql-ws";
import WebSocket from "ws";
import { ENDPOINT, first, speaks } from "./marginalia.mjs";

// Not lazy: its socket stays open after the last operation, so that a subscription has to end by its message alone.
const client = createClient({ url: ENDPOINT.replace("http", "ws"), webSocketImpl: WebSocket, lazy: false });
after(() => client.dispose());

const subscribe = (query, variables, sink) => client.subscribe({ query, variables }, sink);

speaks("graphql-ws", { query: first(subscribe), mutate: first(subscribe), subscribe });

test("graphql-ws: a document by its id", async () => {
  const query = "query Named { __typename }";
  const sha256Hash = createHash("sha256").update(query).digest("hex");
  const ask = (payload) => client.iterate(payload).next();
  await ask({ query, extensions: { persistedQuery: { version: 1, sha256Hash } } });

  for (const documentId of [sha256Hash, `sha256:${sha256Hash}`]) {
    const { value } = await ask({ query: "", documentId });
    assert.deepEqual(value, { data: { __typename: "Query" } });
  }
  // The library wants a query, whatever the server takes: once it does not, docs/clients.md can say less.
  const without = { id: "a", type: "subscribe", payload: { documentId: sha256Hash } };
  assert.throws(() => stringifyMessage(without), /'query' property to be a string/);
});
