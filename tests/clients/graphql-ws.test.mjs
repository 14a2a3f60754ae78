// graphql-ws alone: every kind of operation over one socket.
import { after } from "node:test";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { ENDPOINT, first, speaks } from "./marginalia.mjs";

// Not lazy: its socket stays open after the last operation, so that a subscription has to end by its message alone.
const client = createClient({ url: ENDPOINT.replace("http", "ws"), webSocketImpl: WebSocket, lazy: false });
after(() => client.dispose());

const subscribe = (query, variables, sink) => client.subscribe({ query, variables }, sink);

speaks("graphql-ws", { query: first(subscribe), mutate: first(subscribe), subscribe });
