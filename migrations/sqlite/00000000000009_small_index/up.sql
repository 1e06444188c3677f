-- Only on PostgreSQL there is something to do: here an entry of match_participants_by_player ends with the key
-- of its row, and so with the id of the match, whether that is named or not.
SELECT 1;
