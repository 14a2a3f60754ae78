// GraphQL Yoga on Node's HTTP server; subscriptions by graphql-ws, as its documentation says.
import { createServer } from 'node:http';
import { useServer } from 'graphql-ws/use/ws';
import { createPubSub, createYoga } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { Data } from './data.mjs';
import { schema } from './schema.mjs';
import { announce } from './serve.mjs';

const pubsub = createPubSub();
const events = { publish: pubsub.publish, subscribe: (topic) => pubsub.subscribe(topic) };
const context = () => ({ data: new Data(), events });
const server = createServer(createYoga({ schema, context, graphiql: false, logging: false }));
useServer({ schema, context }, new WebSocketServer({ server, path: '/graphql' }));
server.listen(0, '127.0.0.1', () => announce(server));
