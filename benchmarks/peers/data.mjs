// The data: a pool of connections, named prepared statements, and the loaders of a request.
import { readFileSync } from 'node:fs';
import DataLoader from 'dataloader';
import pg from 'pg';
import { ulid } from 'ulid';

const WORKSPACE = 'local';
const USER = 'local';
const PAGE_SIZE = 20;

// A time stays text, with six digits of a second: a Date has three.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => {
  const [seconds, fraction = ''] = text.slice(0, text.lastIndexOf('+')).split('.');
  return `${seconds.replace(' ', 'T')}.${fraction.padEnd(6, '0')}Z`;
});

const size = Number(process.env.MARGINALIA_POOL_SIZE ?? 10);
const pool = new pg.Pool({
  connectionString: process.env.MARGINALIA_DATABASE_URL,
  max: size,
  min: size,
  idleTimeoutMillis: 0,
  options: '-c TimeZone=UTC -c jit=off',
});

function statement(name) {
  const text = readFileSync(new URL(`sql/${name}.sql`, import.meta.url), 'utf8');
  return async (...values) => (await pool.query({ name, text, values: [WORKSPACE, ...values] })).rows;
}

const find = statement('find');
const open = statement('open');
const repair = statement('repair');
const chat = statement('chat');
const documents = statement('documents');
const sections = statement('sections');
const placed = statement('placed');
const chatsOfSections = statement('chats_of_sections');
const messages = statement('messages');

const byKey = (rows, key, keys) => {
  const found = new Map(rows.map((row) => [row[key], row]));
  return keys.map((each) => found.get(each) ?? null);
};

export class Data {
  documents = new DataLoader(async (ids) => byKey(await documents(ids), 'id', ids));
  sections = new DataLoader(async (ids) => byKey(await sections(ids), 'id', ids));
  chatsOfSections = new DataLoader(async (ids) => byKey(await chatsOfSections(ids), 'section_id', ids));

  async chat(id) {
    return (await chat(id))[0] ?? null;
  }

  placed(documentId, first = PAGE_SIZE) {
    return page(placed, documentId, first);
  }

  messages(chatId, first = PAGE_SIZE) {
    return page(messages, chatId, first);
  }

  // Returns the chat of a section, and whether this call opened it; or the name of an error.
  async ensure(documentId, sectionId) {
    for (;;) {
      const [row] = await find(documentId, sectionId);
      if (row.document_id === null) return { error: 'DocumentNotFound' };
      if (row.section_id === null) return { error: 'SectionNotFound' };
      if (!row.placed) return { error: 'SectionNotInDocument' };
      this.sections.prime(sectionId, { id: sectionId, title: row.section_title, level: row.section_level });
      this.documents.prime(documentId, { id: documentId, title: row.document_title });
      if (row.chat_id !== null) {
        if (row.chat_session_id !== row.chat_id) await repair(sectionId, row.chat_id);
        const through = row.opened_through_id;
        if (through !== null) this.documents.prime(through, { id: through, title: row.opened_through_title });
        return { chat: found(row.chat_id, row, sectionId, through), created: false };
      }
      const [opened] = await open(documentId, sectionId, `chat_${ulid()}`, USER);
      if (opened !== undefined) return { chat: found(opened.id, opened, sectionId, documentId), created: true };
    }
  }
}

const found = (id, { created_at, last_seq }, section_id, document_id) => ({
  id,
  section_id,
  document_id,
  created_at,
  last_seq,
});

async function page(read, parent, first) {
  const rows = await read(parent, first);
  return {
    edges: rows.slice(0, first).map((node) => ({ node })),
    pageInfo: { hasNextPage: rows.length > first },
  };
}
