// The schema and its resolvers: the same for all peers.
import { readFileSync } from 'node:fs';
import { makeExecutableSchema } from '@graphql-tools/schema';

export const typeDefs = readFileSync(new URL('schema.graphql', import.meta.url), 'utf8');

const REFUSALS = {
  DocumentNotFound: (docId) => ({ code: 'DOCUMENT_NOT_FOUND', message: 'Document not found', docId }),
  SectionNotFound: (_, sectionId) => ({ code: 'SECTION_NOT_FOUND', message: 'Section not found', sectionId }),
  SectionNotInDocument: (docId, sectionId) => ({
    code: 'SECTION_NOT_IN_DOCUMENT',
    message: 'The section is not in the document',
    docId,
    sectionId,
  }),
};

export const resolvers = {
  Query: {
    document: (_, { id }, { data }) => data.documents.load(id),
    chatSession: (_, { id }, { data }) => data.chat(id),
  },
  Mutation: {
    async ensureSectionChat(_, { docId, sectionId }, { data, events }) {
      const { error, chat, created } = await data.ensure(docId, sectionId);
      if (error) return { __typename: error, ...REFUSALS[error](docId, sectionId) };
      if (created) {
        // The event carries the rows, so that no subscriber reads them again.
        const [section, document] = await Promise.all([data.sections.load(sectionId), data.documents.load(docId)]);
        events.publish(docId, { sectionChatOpened: { chat: { ...chat, section, document } } });
      }
      return { __typename: 'ChatSession', ...chat };
    },
  },
  Subscription: {
    sectionChatOpened: { subscribe: (_, { docId }, context) => context.events.subscribe(docId, context) },
  },
  EnsureSectionChatResult: { __resolveType: (value) => value.__typename },
  Error: { __resolveType: (value) => value.__typename },
  ChatSession: {
    createdAt: (chat) => chat.created_at,
    messageCount: (chat) => chat.last_seq,
    section: (chat, _, { data }) => chat.section ?? data.sections.load(chat.section_id),
    document: (chat, _, { data }) => chat.document ?? (chat.document_id && data.documents.load(chat.document_id)),
    messages: (chat, { first }, { data }) => data.messages(chat.id, first),
  },
  Document: { sections: (document, { first }, { data }) => data.placed(document.id, first) },
  Section: {
    title: (section) => section.title ?? '',
    chat: (section, _, { data }) => data.chatsOfSections.load(section.id),
  },
  Message: {
    author: (message) => ({ id: `user_${message.author}`, name: message.author }),
    createdAt: (message) => message.created_at,
  },
};

export const schema = makeExecutableSchema({ typeDefs, resolvers });
