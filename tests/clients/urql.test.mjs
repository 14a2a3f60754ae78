// urql: POST and GET, and subscriptions by Server-Sent Events and over a socket.
import { after } from "node:test";
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { ENDPOINT, PREFLIGHT, by, speaks } from "./marginalia.mjs";

const posts = new Client({
  url: ENDPOINT,
  exchanges: [cacheExchange, fetchExchange],
  fetch: by("POST"),
  preferGetMethod: false,
  fetchSubscriptions: true,
});

const gets = new Client({
  url: ENDPOINT,
  exchanges: [cacheExchange, fetchExchange],
  fetch: by("GET"),
  preferGetMethod: "force",
  fetchOptions: { headers: PREFLIGHT },
});

const socket = createClient({ url: ENDPOINT.replace("http", "ws"), webSocketImpl: WebSocket });
after(() => socket.dispose());

const sockets = new Client({
  url: ENDPOINT,
  exchanges: [
    cacheExchange,
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe(request, sink) }),
      }),
    }),
  ],
  preferGetMethod: false,
});

/** A result as GraphQL has it; what went wrong on the way is thrown. */
function result({ data, error }) {
  if (error?.networkError) throw error.networkError;
  return { data, errors: error?.graphQLErrors };
}

const operations = (client) => ({
  query: async (operation, variables) => result(await client.query(operation, variables)),
  mutate: async (operation, variables) => result(await client.mutation(operation, variables)),
  subscribe: (operation, variables, sink) => {
    const stream = client.subscription(operation, variables);
    return stream.subscribe(({ data, error }) => (error ? sink.error(error) : sink.next({ data }))).unsubscribe;
  },
});

speaks("urql by POST and SSE", operations(posts));
speaks("urql by GET", { query: operations(gets).query });
speaks("urql by WebSocket", { subscribe: operations(sockets).subscribe });
