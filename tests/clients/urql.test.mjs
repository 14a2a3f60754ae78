// urql: POST and GET, and subscriptions by Server-Sent Events and over a socket; and its normalised cache, Graphcache.
import { after } from "node:test";
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { cacheExchange as graphcache } from "@urql/exchange-graphcache";
import { introspectionFromSchema, isObjectType } from "graphql";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { appended, keepsLists, mutations, schema } from "./edges.mjs";
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

// What has no id is a part of what it stands in.
const parts = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && !type.getFields().id);
const keys = Object.fromEntries(parts.map(({ name }) => [name, () => null]));

/** Append the edge of an answer, if it has one, to the list of what the mutation is about. */
const update = ({ name, edge, list }) => (answers, variables, cache) => {
  const added = answers[name][edge];
  const id = variables.chatId ?? variables.docId;
  const listed = { query: list.query, variables: list.parent ? { id } : {} };
  if (added) cache.updateQuery(listed, (held) => appended(held, list, added));
};

function open(fetch) {
  const Mutation = Object.fromEntries(mutations.map((mutation) => [mutation.name, update(mutation)]));
  const cache = graphcache({ schema: introspectionFromSchema(schema), keys, updates: { Mutation } });
  const client = new Client({ url: ENDPOINT, exchanges: [cache, fetchExchange], fetch, preferGetMethod: false });
  const from = (requestPolicy) => async (list, variables) =>
    result(await client.query(list.query, variables, { requestPolicy })).data;
  return {
    read: from("network-only"),
    held: from("cache-only"),
    mutate: async ({ name, text }, variables) => result(await client.mutation(text, variables)).data[name],
  };
}

keepsLists("Graphcache", open);
