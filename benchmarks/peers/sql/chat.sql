-- A chat is visible if its section is.
SELECT id, section_id, document_id, created_at, last_seq FROM chat_sessions AS chat
WHERE workspace_id = $1 AND id = $2 AND EXISTS (
  SELECT FROM sections AS section
  WHERE section.workspace_id = chat.workspace_id AND section.id = chat.section_id AND section.deleted_at IS NULL
)
