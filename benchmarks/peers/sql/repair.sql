-- The pointer of a section that has a chat but does not point to it.
UPDATE sections SET chat_session_id = $3 WHERE workspace_id = $1 AND id = $2
