// Apollo Server on Fastify, its fastest integration; subscriptions by graphql-ws, as its documentation says.
import { ApolloServer } from '@apollo/server';
import fastifyApollo from '@as-integrations/fastify';
import Fastify from 'fastify';
import { useServer } from 'graphql-ws/use/ws';
import { createPubSub } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { Data } from './data.mjs';
import { schema } from './schema.mjs';
import { announce } from './serve.mjs';

const pubsub = createPubSub();
const events = { publish: pubsub.publish, subscribe: (topic) => pubsub.subscribe(topic) };
const context = async () => ({ data: new Data(), events });
const apollo = new ApolloServer({ schema });
await apollo.start();
const app = Fastify({ logger: false });
await app.register(fastifyApollo.default ? fastifyApollo.default(apollo) : fastifyApollo(apollo), { context });
useServer({ schema, context }, new WebSocketServer({ server: app.server, path: '/graphql' }));
await app.listen({ host: '127.0.0.1', port: 0 });
announce(app.server);
