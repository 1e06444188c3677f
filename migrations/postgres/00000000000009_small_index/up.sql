-- Who wants a player's matches reads their rows anyway: the id of the match beside the player's made every
-- entry another one, where PostgreSQL keeps all rows of one player under one entry. A sixth of its size.
DROP INDEX match_participants_by_player;
CREATE INDEX match_participants_by_player ON match_participants (player_id) WHERE player_id IS NOT NULL;
