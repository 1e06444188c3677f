-- ---------------------------------------------------------------- all that a match document tells

-- Rows of documents that were stored before come from `riftsync replay`, without a call. NULL: the document does not tell.

-- The patch that it was played on, as people call it: 16.4.
ALTER TABLE matches ADD COLUMN patch TEXT;

-- A team of a match.
CREATE TABLE match_teams (
    match_id              TEXT COLLATE "C" NOT NULL,
    team_id               INTEGER NOT NULL,
    win                   BOOLEAN,
    champion_first        BOOLEAN,
    champion_kills        SMALLINT,
    tower_first           BOOLEAN,
    tower_kills           SMALLINT,
    inhibitor_first       BOOLEAN,
    inhibitor_kills       SMALLINT,
    dragon_first          BOOLEAN,
    dragon_kills          SMALLINT,
    herald_first          BOOLEAN,
    herald_kills          SMALLINT,
    grub_first            BOOLEAN,
    grub_kills            SMALLINT,
    baron_first           BOOLEAN,
    baron_kills           SMALLINT,
    atakhan_first         BOOLEAN,
    atakhan_kills         SMALLINT,
    feat_first_blood      SMALLINT,
    feat_first_turret     SMALLINT,
    feat_epic_monsters    SMALLINT,
    PRIMARY KEY (match_id, team_id)
);

-- A champion that was banned before a match, in the order of the document; champion_id is -1 where nobody was.
CREATE TABLE match_bans (
    match_id            TEXT COLLATE "C" NOT NULL,
    ban                 INTEGER NOT NULL,
    team_id             INTEGER,
    turn                INTEGER,
    champion_id         INTEGER,
    PRIMARY KEY (match_id, ban)
);

-- Damage, healing and shields of a participant.
CREATE TABLE participant_damage (
    match_id                   TEXT COLLATE "C" NOT NULL,
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
    units_healed               SMALLINT,
    largest_critical_strike    INTEGER,
    time_ccing_others_s        INTEGER,
    cc_dealt_s                 INTEGER,
    PRIMARY KEY (match_id, participant_id)
);

-- How a participant fought, and what it took.
CREATE TABLE participant_combat (
    match_id                     TEXT COLLATE "C" NOT NULL,
    participant_id               INTEGER NOT NULL,
    double_kills                 SMALLINT,
    triple_kills                 SMALLINT,
    quadra_kills                 SMALLINT,
    penta_kills                  SMALLINT,
    killing_sprees               SMALLINT,
    largest_killing_spree        SMALLINT,
    largest_multi_kill           SMALLINT,
    first_blood_kill             BOOLEAN,
    first_blood_assist           BOOLEAN,
    first_tower_kill             BOOLEAN,
    first_tower_assist           BOOLEAN,
    solo_kills                   SMALLINT,
    outnumbered_kills            SMALLINT,
    kills_near_enemy_turret      SMALLINT,
    kills_under_own_turret       SMALLINT,
    pick_kills                   SMALLINT,
    saved_allies                 SMALLINT,
    max_kill_deficit             SMALLINT,
    skillshots_hit               SMALLINT,
    skillshots_dodged            SMALLINT,
    immobilizations              SMALLINT,
    ability_uses                 SMALLINT,
    spell1_casts                 SMALLINT,
    spell2_casts                 SMALLINT,
    spell3_casts                 SMALLINT,
    spell4_casts                 SMALLINT,
    longest_time_living_s        INTEGER,
    time_dead_s                  INTEGER,
    time_played_s                INTEGER,
    turret_kills                 SMALLINT,
    turret_takedowns             SMALLINT,
    turrets_lost                 SMALLINT,
    turret_plates                SMALLINT,
    inhibitor_kills              SMALLINT,
    inhibitor_takedowns          SMALLINT,
    inhibitors_lost              SMALLINT,
    nexus_kills                  SMALLINT,
    dragon_kills                 SMALLINT,
    dragon_takedowns             SMALLINT,
    baron_kills                  SMALLINT,
    baron_takedowns              SMALLINT,
    herald_takedowns             SMALLINT,
    grub_kills                   SMALLINT,
    scuttle_crab_kills           SMALLINT,
    buffs_stolen                 SMALLINT,
    objectives_stolen            SMALLINT,
    objectives_stolen_assists    SMALLINT,
    ally_jungle_minions          SMALLINT,
    enemy_jungle_minions         SMALLINT,
    lane_minions_10              SMALLINT,
    max_level_lead               SMALLINT,
    experience                   INTEGER,
    gold_spent                   INTEGER,
    bounty_level                 SMALLINT,
    items_purchased              SMALLINT,
    consumables_purchased        SMALLINT,
    ended_in_surrender           BOOLEAN,
    team_early_surrendered       BOOLEAN,
    PRIMARY KEY (match_id, participant_id)
);

-- Wards and pings of a participant.
CREATE TABLE participant_vision (
    match_id                TEXT COLLATE "C" NOT NULL,
    participant_id          INTEGER NOT NULL,
    wards_placed            SMALLINT,
    wards_killed            SMALLINT,
    control_wards_placed    SMALLINT,
    control_wards_bought    SMALLINT,
    sight_wards_bought      SMALLINT,
    stealth_wards_placed    SMALLINT,
    ward_takedowns          SMALLINT,
    ward_takedowns_20       SMALLINT,
    wards_guarded           SMALLINT,
    unseen_recalls          SMALLINT,
    pings_all_in            SMALLINT,
    pings_assist_me         SMALLINT,
    pings_bait              SMALLINT,
    pings_basic             SMALLINT,
    pings_command           SMALLINT,
    pings_danger            SMALLINT,
    pings_enemy_missing     SMALLINT,
    pings_enemy_vision      SMALLINT,
    pings_get_back          SMALLINT,
    pings_hold              SMALLINT,
    pings_need_vision       SMALLINT,
    pings_on_my_way         SMALLINT,
    pings_push              SMALLINT,
    pings_retreat           SMALLINT,
    pings_vision_cleared    SMALLINT,
    PRIMARY KEY (match_id, participant_id)
);

-- Runes and what they came to, casts of summoner spells, augments of Arena, items of role quests.
CREATE TABLE participant_loadout (
    match_id              TEXT COLLATE "C" NOT NULL,
    participant_id        INTEGER NOT NULL,
    spell1_casts          SMALLINT,
    spell2_casts          SMALLINT,
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
    subteam_placement     SMALLINT,
    role_bound_item       INTEGER,
    champion_transform    SMALLINT,
    PRIMARY KEY (match_id, participant_id)
);

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
