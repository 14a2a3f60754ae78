SELECT id, section_id, document_id, created_at, last_seq
FROM chat_sessions WHERE workspace_id = $1 AND section_id = ANY($2)
