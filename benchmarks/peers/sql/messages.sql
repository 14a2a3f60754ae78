-- A page of the messages of a chat, with one more row to see whether there is another page.
SELECT id, seq, role, author, content, created_at FROM messages
WHERE workspace_id = $1 AND chat_id = $2 ORDER BY seq LIMIT $3 + 1
