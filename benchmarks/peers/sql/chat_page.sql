-- For the handwritten handler: a chat with a page of its messages, in one statement.
SELECT chat.last_seq, message.*
FROM chat_sessions AS chat
JOIN sections AS section
  ON section.workspace_id = chat.workspace_id AND section.id = chat.section_id AND section.deleted_at IS NULL
LEFT JOIN LATERAL (
  SELECT id, seq, role, author, content, created_at FROM messages
  WHERE messages.workspace_id = chat.workspace_id AND messages.chat_id = chat.id ORDER BY seq LIMIT $3 + 1
) AS message ON true
WHERE chat.workspace_id = $1 AND chat.id = $2
ORDER BY message.seq
