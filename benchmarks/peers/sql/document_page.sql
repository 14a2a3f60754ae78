-- For the handwritten handler: a document with a page of its sections and their chats, in one statement.
SELECT document.title AS document_title, section.id, section.title, section.level, chat.id AS chat_id, chat.last_seq
FROM documents AS document
LEFT JOIN document_sections AS placement
  ON placement.workspace_id = document.workspace_id AND placement.document_id = document.id
LEFT JOIN sections AS section
  ON section.workspace_id = placement.workspace_id AND section.id = placement.section_id AND section.deleted_at IS NULL
LEFT JOIN chat_sessions AS chat
  ON chat.workspace_id = section.workspace_id AND chat.section_id = section.id
WHERE document.workspace_id = $1 AND document.id = $2 AND document.deleted_at IS NULL
ORDER BY placement.position, placement.section_id
LIMIT $3 + 1
