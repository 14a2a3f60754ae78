// graphql-sse alone: every operation over a connection of its own.
import { after } from "node:test";
import { createClient } from "graphql-sse";
import { ENDPOINT, first, speaks } from "./marginalia.mjs";

const client = createClient({ url: ENDPOINT, singleConnection: false, retryAttempts: 0 });
after(() => client.dispose());

const subscribe = (query, variables, sink) => client.subscribe({ query, variables }, sink);

speaks("graphql-sse", { query: first(subscribe), mutate: first(subscribe), subscribe });
