-- ---------------------------------------------------------------- all that a match document tells

-- Rows of documents that were stored before come from `riftsync replay`, without a call. NULL: the document does not tell.

-- The patch that it was played on, as people call it: 16.4.
ALTER TABLE matches ADD COLUMN patch TEXT;

-- A team of a match.
CREATE TABLE match_teams (
    match_id              TEXT NOT NULL,
    team_id               INTEGER NOT NULL,
    win                   INTEGER,
    champion_first        INTEGER,
    champion_kills        INTEGER,
    tower_first           INTEGER,
    tower_kills           INTEGER,
    inhibitor_first       INTEGER,
    inhibitor_kills       INTEGER,
    dragon_first          INTEGER,
    dragon_kills          INTEGER,
    herald_first          INTEGER,
    herald_kills          INTEGER,
    grub_first            INTEGER,
    grub_kills            INTEGER,
    baron_first           INTEGER,
    baron_kills           INTEGER,
    atakhan_first         INTEGER,
    atakhan_kills         INTEGER,
    feat_first_blood      INTEGER,
    feat_first_turret     INTEGER,
    feat_epic_monsters    INTEGER,
    PRIMARY KEY (match_id, team_id)
) STRICT, WITHOUT ROWID;

-- A champion that was banned before a match, in the order of the document; champion_id is -1 where nobody was.
CREATE TABLE match_bans (
    match_id            TEXT NOT NULL,
    ban                 INTEGER NOT NULL,
    team_id             INTEGER,
    turn                INTEGER,
    champion_id         INTEGER,
    PRIMARY KEY (match_id, ban)
) STRICT, WITHOUT ROWID;

-- Damage, healing and shields of a participant.
CREATE TABLE participant_damage (
    match_id                   TEXT NOT NULL,
    participant_id             INTEGER NOT NULL,
    to_champions_magic         INTEGER,
    to_champions_physical      INTEGER,
    to_champions_true          INTEGER,
    dealt                      INTEGER,
    dealt_magic                INTEGER,
    dealt_physical             INTEGER,
    dealt_true                 INTEGER,
    taken                      INTEGER,
    taken_magic                INTEGER,
    taken_physical             INTEGER,
    taken_true                 INTEGER,
    self_mitigated             INTEGER,
    to_buildings               INTEGER,
    to_turrets                 INTEGER,
    to_objectives              INTEGER,
    to_epic_monsters           INTEGER,
    healed                     INTEGER,
    healed_teammates           INTEGER,
    shielded_teammates         INTEGER,
    units_healed               INTEGER,
    largest_critical_strike    INTEGER,
    time_ccing_others_s        INTEGER,
    cc_dealt_s                 INTEGER,
    PRIMARY KEY (match_id, participant_id)
) STRICT, WITHOUT ROWID;

-- How a participant fought, and what it took.
CREATE TABLE participant_combat (
    match_id                     TEXT NOT NULL,
    participant_id               INTEGER NOT NULL,
    double_kills                 INTEGER,
    triple_kills                 INTEGER,
    quadra_kills                 INTEGER,
    penta_kills                  INTEGER,
    killing_sprees               INTEGER,
    largest_killing_spree        INTEGER,
    largest_multi_kill           INTEGER,
    first_blood_kill             INTEGER,
    first_blood_assist           INTEGER,
    first_tower_kill             INTEGER,
    first_tower_assist           INTEGER,
    solo_kills                   INTEGER,
    outnumbered_kills            INTEGER,
    kills_near_enemy_turret      INTEGER,
    kills_under_own_turret       INTEGER,
    pick_kills                   INTEGER,
    saved_allies                 INTEGER,
    max_kill_deficit             INTEGER,
    skillshots_hit               INTEGER,
    skillshots_dodged            INTEGER,
    immobilizations              INTEGER,
    ability_uses                 INTEGER,
    spell1_casts                 INTEGER,
    spell2_casts                 INTEGER,
    spell3_casts                 INTEGER,
    spell4_casts                 INTEGER,
    longest_time_living_s        INTEGER,
    time_dead_s                  INTEGER,
    time_played_s                INTEGER,
    turret_kills                 INTEGER,
    turret_takedowns             INTEGER,
    turrets_lost                 INTEGER,
    turret_plates                INTEGER,
    inhibitor_kills              INTEGER,
    inhibitor_takedowns          INTEGER,
    inhibitors_lost              INTEGER,
    nexus_kills                  INTEGER,
    dragon_kills                 INTEGER,
    dragon_takedowns             INTEGER,
    baron_kills                  INTEGER,
    baron_takedowns              INTEGER,
    herald_takedowns             INTEGER,
    grub_kills                   INTEGER,
    scuttle_crab_kills           INTEGER,
    buffs_stolen                 INTEGER,
    objectives_stolen            INTEGER,
    objectives_stolen_assists    INTEGER,
    ally_jungle_minions          INTEGER,
    enemy_jungle_minions         INTEGER,
    lane_minions_10              INTEGER,
    max_level_lead               INTEGER,
    experience                   INTEGER,
    gold_spent                   INTEGER,
    bounty_level                 INTEGER,
    items_purchased              INTEGER,
    consumables_purchased        INTEGER,
    ended_in_surrender           INTEGER,
    team_early_surrendered       INTEGER,
    PRIMARY KEY (match_id, participant_id)
) STRICT, WITHOUT ROWID;

-- Wards and pings of a participant.
CREATE TABLE participant_vision (
    match_id                TEXT NOT NULL,
    participant_id          INTEGER NOT NULL,
    wards_placed            INTEGER,
    wards_killed            INTEGER,
    control_wards_placed    INTEGER,
    control_wards_bought    INTEGER,
    sight_wards_bought      INTEGER,
    stealth_wards_placed    INTEGER,
    ward_takedowns          INTEGER,
    ward_takedowns_20       INTEGER,
    wards_guarded           INTEGER,
    unseen_recalls          INTEGER,
    pings_all_in            INTEGER,
    pings_assist_me         INTEGER,
    pings_bait              INTEGER,
    pings_basic             INTEGER,
    pings_command           INTEGER,
    pings_danger            INTEGER,
    pings_enemy_missing     INTEGER,
    pings_enemy_vision      INTEGER,
    pings_get_back          INTEGER,
    pings_hold              INTEGER,
    pings_need_vision       INTEGER,
    pings_on_my_way         INTEGER,
    pings_push              INTEGER,
    pings_retreat           INTEGER,
    pings_vision_cleared    INTEGER,
    PRIMARY KEY (match_id, participant_id)
) STRICT, WITHOUT ROWID;

-- Runes and what they came to, casts of summoner spells, augments of Arena, items of role quests.
CREATE TABLE participant_loadout (
    match_id              TEXT NOT NULL,
    participant_id        INTEGER NOT NULL,
    spell1_casts          INTEGER,
    spell2_casts          INTEGER,
    stat_offense          INTEGER,
    stat_flex             INTEGER,
    stat_defense          INTEGER,
    rune0                 INTEGER,
    rune1                 INTEGER,
    rune2                 INTEGER,
    rune3                 INTEGER,
    rune4                 INTEGER,
    rune5                 INTEGER,
    rune0_var1            INTEGER,
    rune0_var2            INTEGER,
    rune0_var3            INTEGER,
    rune1_var1            INTEGER,
    rune1_var2            INTEGER,
    rune1_var3            INTEGER,
    rune2_var1            INTEGER,
    rune2_var2            INTEGER,
    rune2_var3            INTEGER,
    rune3_var1            INTEGER,
    rune3_var2            INTEGER,
    rune3_var3            INTEGER,
    rune4_var1            INTEGER,
    rune4_var2            INTEGER,
    rune4_var3            INTEGER,
    rune5_var1            INTEGER,
    rune5_var2            INTEGER,
    rune5_var3            INTEGER,
    augment1              INTEGER,
    augment2              INTEGER,
    augment3              INTEGER,
    augment4              INTEGER,
    augment5              INTEGER,
    augment6              INTEGER,
    subteam_placement     INTEGER,
    role_bound_item       INTEGER,
    champion_transform    INTEGER,
    PRIMARY KEY (match_id, participant_id)
) STRICT, WITHOUT ROWID;

-- The runes of participants, each in a row.
CREATE VIEW match_runes (match_id, participant_id, style, slot, perk, var1, var2, var3) AS
SELECT l.match_id, l.participant_id, p.perk_primary_style, 0, l.rune0, l.rune0_var1, l.rune0_var2, l.rune0_var3
FROM participant_loadout l JOIN match_participants p ON p.match_id = l.match_id AND p.participant_id = l.participant_id WHERE l.rune0 > 0
UNION ALL
SELECT l.match_id, l.participant_id, p.perk_primary_style, 1, l.rune1, l.rune1_var1, l.rune1_var2, l.rune1_var3
FROM participant_loadout l JOIN match_participants p ON p.match_id = l.match_id AND p.participant_id = l.participant_id WHERE l.rune1 > 0
UNION ALL
SELECT l.match_id, l.participant_id, p.perk_primary_style, 2, l.rune2, l.rune2_var1, l.rune2_var2, l.rune2_var3
FROM participant_loadout l JOIN match_participants p ON p.match_id = l.match_id AND p.participant_id = l.participant_id WHERE l.rune2 > 0
UNION ALL
SELECT l.match_id, l.participant_id, p.perk_primary_style, 3, l.rune3, l.rune3_var1, l.rune3_var2, l.rune3_var3
FROM participant_loadout l JOIN match_participants p ON p.match_id = l.match_id AND p.participant_id = l.participant_id WHERE l.rune3 > 0
UNION ALL
SELECT l.match_id, l.participant_id, p.perk_sub_style, 4, l.rune4, l.rune4_var1, l.rune4_var2, l.rune4_var3
FROM participant_loadout l JOIN match_participants p ON p.match_id = l.match_id AND p.participant_id = l.participant_id WHERE l.rune4 > 0
UNION ALL
SELECT l.match_id, l.participant_id, p.perk_sub_style, 5, l.rune5, l.rune5_var1, l.rune5_var2, l.rune5_var3
FROM participant_loadout l JOIN match_participants p ON p.match_id = l.match_id AND p.participant_id = l.participant_id WHERE l.rune5 > 0;
